import Base
import CShims
import Glibc
import Testing
import Wire

@testable import Relay

/// Two UDP sockets of the loopback, one of which takes together what comes together.
private final class Pair {
    let sender: Int32
    let receiver: Int32
    let address: plexi_address

    init() throws {
        var own = plexi_address(TransportAddress(RelayHarness.loopback, 0))
        receiver = plexi_datagram_socket(&own, 1 << 20)
        address = own
        var other = plexi_address(TransportAddress(RelayHarness.loopback, 0))
        sender = plexi_datagram_socket(&other, 1 << 20)
        try #require(receiver >= 0 && sender >= 0)
    }

    deinit {
        close(sender)
        close(receiver)
    }

    /// One behind the other, in one call, all of `segment` bytes but the last.
    func send(_ bytes: Bytes, segment: Int) throws {
        let taken = bytes.withUnsafeBytes {
            var burst = plexi_burst(
                bytes: $0.baseAddress, count: UInt32($0.count), segment: UInt32(segment), address: address)
            return plexi_send_bursts(sender, &burst, 1)
        }
        try #require(taken == 1)
    }
}

@Suite struct RelayBatchTests {
    /// What the batch holds now, as a shard reads it.
    private func read(_ batch: RelayBatch, _ pair: Pair) -> (datagrams: [Bytes], messages: Int) {
        var datagrams: [Bytes] = []
        let places = batch.receive(pair.receiver)
        for place in places {
            if let joined = batch.joined(place) {
                var start = 0
                while start < joined.count {
                    let end = min(start + joined.segment, joined.count)
                    if !batch.hasRoomApart { batch.resetApart() }
                    if let packet = batch.takeApart(place, start..<end) { datagrams.append(bytes(packet)) }
                    start = end
                }
            } else if let packet = batch.packet(place) {
                datagrams.append(bytes(packet))
            }
        }
        return (datagrams, places.count)
    }

    private func bytes(_ packet: RelayPacket) -> Bytes {
        Bytes(UnsafeRawBufferPointer(start: packet.start, count: packet.count))
    }

    private func cut(_ bytes: Bytes, _ segment: Int) -> [Bytes] {
        stride(from: 0, to: bytes.count, by: segment).map { Bytes(bytes[$0..<min($0 + segment, bytes.count)]) }
    }

    /// The first slot's end lies within one of the datagrams, at its end, and behind all of them.
    @Test(arguments: [
        (1_200, 8 * 1_200), (1_000, 5 * 1_000 + 300), (1_997, 3 * 1_997), (100, 10 * 100), (900, 64 * 900),
    ])
    func `datagrams that came together are told apart`(segment: Int, count: Int) throws {
        let pair = try Pair()
        let batch = try #require(RelayBatch())
        let isJoined = plexi_datagram_join(pair.receiver) == 0
        let sent = Bytes((0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) })
        try pair.send(sent, segment: segment)
        let found = read(batch, pair)
        #expect(found.datagrams == cut(sent, segment))
        #expect(found.messages == (isJoined ? 1 : found.datagrams.count))
        #expect(batch.truncated == 0)
    }

    @Test func `datagrams beyond what is relayed are counted, alone and together`() throws {
        let pair = try Pair()
        let batch = try #require(RelayBatch())
        _ = plexi_datagram_join(pair.receiver)
        try pair.send(Bytes(repeating: 7, count: 1_998), segment: 1_998)
        #expect(read(batch, pair).datagrams == [])
        #expect(batch.truncated == 1)
        batch.reset()
        try pair.send(Bytes(repeating: 7, count: 2 * 2_500), segment: 2_500)
        #expect(read(batch, pair).datagrams == [])
        #expect(batch.truncated == 3)
    }

    @Test func `a socket that joins nothing gives datagrams one by one`() throws {
        let pair = try Pair()
        let batch = try #require(RelayBatch())
        let sent = Bytes((0..<6_000).map { UInt8(truncatingIfNeeded: $0) })
        try pair.send(sent, segment: 1_200)
        let found = read(batch, pair)
        #expect(found.datagrams == cut(sent, 1_200) && found.messages == 5)
    }
}
