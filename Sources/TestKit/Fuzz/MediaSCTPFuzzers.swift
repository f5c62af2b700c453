// The fuzzers of SCTP packets and of the data channel establishment protocol.

import Base
import Media
import Wire

extension Fuzzers {
    package static let sctp = [Fuzzer("sctp", fuzzSCTP), Fuzzer("dcep", fuzzDCEP)]
}

/// Every chunk lies in its packet, and an association that gets the packet in any phase stays within its bounds.
private func fuzzSCTP(_ bytes: Bytes) {
    walk(bytes)
    feed(bytes, isConnected: false)
    feed(bytes, isConnected: true)
}

private func walk(_ bytes: Bytes) {
    guard let packet = try? SCTPPacket(parsing: bytes.span.bytes) else { return }
    var reader = SCTPChunkReader(packet.chunks)
    var total = 0
    while !reader.isAtEnd {
        guard let chunk = try? reader.next() else { return }
        total += 4 + chunk.value.byteCount
        promise(total <= packet.chunks.byteCount, "chunks lie in their packet")
        if chunk.type == SCTPChunk.selectiveAck, let ack = try? SCTPSelectiveAck(parsing: chunk.value) {
            for index in 0..<ack.gapBlockCount { _ = ack.gapBlock(index) }
            for index in 0..<ack.duplicateCount { _ = ack.duplicate(index) }
        }
    }
}

/// The packet goes in with the right tag, ports and checksum, so that mutations reach the machine behind them.
private func feed(_ bytes: Bytes, isConnected: Bool) {
    guard bytes.count >= SCTPPacket.headerSize else { return }
    var random = SplitMix(seed: 1)
    var left = SCTPAssociation(random: &random)
    var right = SCTPAssociation(random: &random)
    var now = Instant(nanoseconds: 1_000_000_000)
    var packet: Bytes = []
    var tag: Bytes = [0, 0, 0, 0]
    if isConnected {
        left.connect(now: now)
        for _ in 0..<4 {
            while left.nextPacket(into: &packet, now: now) { right.receive(packet.span.bytes, now: now) }
            while right.nextPacket(into: &packet, now: now) {
                tag = Bytes(packet[4..<8])
                left.receive(packet.span.bytes, now: now)
            }
        }
        promise(left.isConnected && right.isConnected, "a handshake without loss succeeds")
        _ = left.send([1, 2, 3], on: 1, protocolID: 51, now: now)
        _ = left.nextPacket(into: &packet, now: now)
    }
    var input = bytes
    input.replaceSubrange(0..<4, with: [0x13, 0x88, 0x13, 0x88])
    input.replaceSubrange(4..<8, with: input[12...].first == SCTPChunk.initiation ? [0, 0, 0, 0] : tag)
    input.sealSCTPPacket()
    left.receive(input.span.bytes, now: now)
    for _ in 0..<3 {
        var packets = 0
        while left.nextPacket(into: &packet, now: now) {
            packets += 1
            promise(packet.count <= 1_500 && packet.count & 3 == 0, "a packet has a bound and whole words")
            promise(packets < 32, "one packet does not make a flood")
        }
        while left.nextEvent() != nil {}
        now = now + .milliseconds(500)
        left.handleTimeout(now: now)
    }
}

private func fuzzDCEP(_ bytes: Bytes) {
    guard let message = try? DataChannelMessage(parsing: bytes.span.bytes) else { return }
    let again = try? DataChannelMessage(parsing: message.encoded.span.bytes)
    promise(again == message, "what is written is read back as the same message")
}
