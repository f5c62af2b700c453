import Base
import Glibc
import TestKit
import Testing
import Wire

@testable import Media

/// Beginnings and ends of associations, and packets that do not mean well.
@Suite struct SCTPHandshakeTests {
    /// All packets that a side has to send now.
    private func packets(_ side: SCTPSide, _ now: Instant) -> [Bytes] {
        var list: [Bytes] = []
        var packet: Bytes = []
        while side.association.nextPacket(into: &packet, now: now) { list.append(packet) }
        return list
    }

    private func firstChunk(_ packet: Bytes) -> UInt8? { packet.count > 12 ? packet[12] : nil }

    @Test(arguments: [(false, 0.0), (true, 0.0), (false, 0.3), (true, 0.3)], [UInt64(1), 2, 3, 4])
    func `two sides connect, whoever begins, also when packets are lost`(network: (Bool, Double), seed: UInt64) {
        let (both, loss) = network
        let pair = SCTPPair(seed: seed, network: .init(loss: loss, duplication: 0.2, jitter: 30))
        pair.connect(both: both)
        pair.run(.seconds(30))
        #expect(pair.left.events == [.connected])
        #expect(pair.right.events == [.connected])
        #expect(pair.left.send([1], on: 0, protocolID: 51, now: pair.now) == .accepted)
        #expect(pair.run(.seconds(60)) { pair.right.messages.count == 1 })
    }

    @Test func `nobody answers: eight tries, then the end`() {
        let side = SCTPSide(seed: 1)
        var now = Instant(nanoseconds: 1)
        side.association.connect(now: now)
        var sent = packets(side, now).count
        while let deadline = side.association.deadline {
            now = deadline
            side.association.handleTimeout(now: now)
            sent += packets(side, now).count
        }
        side.takeEvents()
        #expect(sent == 1 + SCTPLimits.handshakeTries)
        #expect(side.closeReason == .handshakeTimeout)
        #expect(side.send([1], on: 0, protocolID: 51, now: now) == .notConnected)
    }

    @Test func `a flood of INITs makes no state, and at most a few answers wait`() {
        let asker = SCTPSide(seed: 1)
        let side = SCTPSide(seed: 2)
        let now = Instant(nanoseconds: 1)
        asker.association.connect(now: now)
        let initiation = packets(asker, now)[0]
        for number in 0..<10_000 {
            var forged = initiation
            forged[16] = UInt8(truncatingIfNeeded: number)
            forged[17] = UInt8(truncatingIfNeeded: number >> 8) | 1
            forged.sealSCTPPacket()
            side.association.receive(forged.span.bytes, now: now)
        }
        let waiting = side.association.ownPackets.count
        #expect(waiting == SCTPLimits.ownPackets)
        let isUntouched =
            side.association.phase == .fresh && side.association.peer == nil && side.association.deadline == nil
        #expect(isUntouched)
        #expect(packets(side, now).count == SCTPLimits.ownPackets)
    }

    @Test func `a cookie is good for one association, for a minute, and unchanged`() {
        let asker = SCTPSide(seed: 1)
        let now = Instant(nanoseconds: 1)
        func freshWithEcho() -> (SCTPSide, Bytes) {
            let side = SCTPSide(seed: 2)
            let asker = SCTPSide(seed: 1)
            asker.association.connect(now: now)
            for packet in packets(asker, now) { side.association.receive(packet.span.bytes, now: now) }
            for packet in packets(side, now) { asker.association.receive(packet.span.bytes, now: now) }
            return (side, packets(asker, now)[0])
        }
        _ = asker
        let (good, echo) = freshWithEcho()
        #expect(firstChunk(echo) == SCTPChunk.cookieEcho)
        good.association.receive(echo.span.bytes, now: now + .seconds(59))
        #expect(good.isConnected)
        // Again: answered, and nothing begins anew.
        good.association.receive(echo.span.bytes, now: now + .seconds(59))
        good.takeEvents()
        #expect(good.events == [.connected])
        #expect(packets(good, now).count == 1)

        let (late, lateEcho) = freshWithEcho()
        late.association.receive(lateEcho.span.bytes, now: now + .seconds(61))
        #expect(!late.isConnected && late.counters.badCookie == 1)

        let (other, otherEcho) = freshWithEcho()
        for place in [16, 24, 30, 50, 60] {
            var changed = otherEcho
            changed[place] ^= 1
            changed.sealSCTPPacket()
            other.association.receive(changed.span.bytes, now: now)
        }
        #expect(!other.isConnected && other.counters.badCookie == 5)

        // Another association has another key.
        let stranger = SCTPSide(seed: 3)
        var moved = echo
        for index in 0..<4 {
            moved[4 + index] = UInt8(truncatingIfNeeded: stranger.association.localTag >> (24 - 8 * UInt32(index)))
        }
        moved.sealSCTPPacket()
        stranger.association.receive(moved.span.bytes, now: now)
        #expect(!stranger.isConnected && stranger.counters.badCookie == 1)

        // After the end nothing begins again.
        good.association.abort(now: now)
        good.association.receive(echo.span.bytes, now: now)
        good.takeEvents()
        let isClosed = good.association.isClosed
        #expect(isClosed)
        #expect(good.events == [.connected, .closed(.abortedLocally)])
    }

    @Test func `crafted packets change nothing`() throws {
        for vector in try VectorFile.malformed() {
            for isConnected in [false, true] {
                let pair = SCTPPair(seed: 9)
                if isConnected { pair.connect() }
                pair.left.association.receive(vector.bytes.span.bytes, now: pair.now)
                pair.left.takeEvents()
                #expect(pair.left.isConnected == isConnected, "\(vector.name)")
                #expect(pair.left.closeReason == nil && pair.left.messages.isEmpty, "\(vector.name)")
                #expect(packets(pair.left, pair.now).isEmpty, "\(vector.name)")
            }
        }
    }

    @Test func `crafted packets with the right tag end an association only where they must`() throws {
        for vector in try VectorFile.malformed()
        where vector.bytes.count > 16 && vector.name != "ABORT with T bit wrong tag" {
            let pair = SCTPPair(seed: 9)
            pair.connect()
            var packet: Bytes = []
            packet.appendSCTPHeader(
                source: 5_000, destination: 5_000,
                verificationTag: vector.bytes[4..<8].allSatisfy { $0 == 0 } ? 0 : pair.left.association.localTag)
            packet += vector.bytes.dropFirst(12)
            packet.sealSCTPPacket()
            pair.left.association.receive(packet.span.bytes, now: pair.now)
            pair.left.takeEvents()
            let mustEnd = vector.name == "DATA with no user data"
            #expect(pair.left.isConnected == !mustEnd, "\(vector.name)")
            #expect(pair.left.messages.isEmpty, "\(vector.name)")
            #expect(packets(pair.left, pair.now).count <= 1, "\(vector.name)")
        }
    }

    /// A connected pair, and what the left answers to chunks that look as if they came from the right.
    private func answer(_ chunks: Bytes, tag: UInt32? = nil, seed: UInt64 = 5) -> (SCTPPair, [Bytes]) {
        let pair = SCTPPair(seed: seed)
        pair.connect()
        pair.run(.seconds(1))
        var packet: Bytes = []
        packet.appendSCTPHeader(
            source: 5_000, destination: 5_000, verificationTag: tag ?? pair.left.association.localTag)
        packet += chunks
        packet.sealSCTPPacket()
        pair.left.association.receive(packet.span.bytes, now: pair.now)
        pair.left.takeEvents()
        return (pair, packets(pair.left, pair.now))
    }

    @Test func `unknown chunks are answered as their bits say`() {
        let (_, stop) = answer([0x3F, 0, 0, 4, 4, 0, 0, 8, 0, 1, 0, 4])
        #expect(stop.isEmpty)
        let (_, report) = answer([0x7F, 0, 0, 4, 4, 0, 0, 8, 0, 1, 0, 4])
        #expect(report.count == 1 && firstChunk(report[0]) == SCTPChunk.error)
        let (_, skip) = answer([0xBF, 0, 0, 4, 4, 0, 0, 8, 0, 1, 0, 4])
        #expect(skip.count == 1 && firstChunk(skip[0]) == SCTPChunk.heartbeatAck)
        let (_, both) = answer([0xFF, 0, 0, 4, 4, 0, 0, 8, 0, 1, 0, 4])
        #expect(both.count == 1 && firstChunk(both[0]) == SCTPChunk.error && both[0].count > 24)
    }

    @Test func `a thousand small chunks are bounded work and a bounded answer`() {
        var heartbeats: Bytes = []
        for _ in 0..<1_000 { heartbeats += [4, 0, 0, 8, 0, 1, 0, 4] }
        let (pair, answers) = answer(heartbeats)
        #expect(answers.reduce(0) { $0 + $1.count } < SCTPLimits.controlBytes + 12 * 8)
        #expect(pair.left.counters.controlDropped == 1_000 - SCTPLimits.controlBytes / 8)
    }

    @Test func `data without data ends the association, and the peer is told why`() {
        var chunk: Bytes = []
        chunk.appendSCTPDataHeader(
            flags: .whole, tsn: 1, streamID: 0, streamSequence: 0, protocolID: 51, payloadCount: 0)
        let (pair, answers) = answer(chunk)
        #expect(pair.left.closeReason == .violation(cause: SCTPCause.noUserData))
        #expect(answers.count == 1 && firstChunk(answers[0]) == SCTPChunk.abort)
        let abort = answers[0]
        pair.right.association.receive(abort.span.bytes, now: pair.now)
        pair.right.takeEvents()
        #expect(pair.right.closeReason == .abortedByPeer(cause: SCTPCause.noUserData))
    }

    @Test func `stale and far TSNs are answered with a SACK and kept nowhere`() {
        for distance in [UInt32.max, UInt32.max - 1_000, SCTPLimits.trackedTSNs, SCTPLimits.trackedTSNs + 5, 1 << 30] {
            let pair = SCTPPair(seed: 6)
            pair.connect()
            var packet: Bytes = []
            packet.appendSCTPHeader(
                source: 5_000, destination: 5_000, verificationTag: pair.left.association.localTag)
            packet.appendSCTPDataHeader(
                flags: .whole, tsn: pair.right.association.initialTSN &- 1 &+ distance, streamID: 0, streamSequence: 0,
                protocolID: 51, payloadCount: 4)
            packet += [1, 2, 3, 4]
            packet.sealSCTPPacket()
            pair.left.association.receive(packet.span.bytes, now: pair.now)
            pair.left.takeEvents()
            #expect(pair.left.messages.isEmpty)
            let answers = packets(pair.left, pair.now)
            #expect(answers.count == 1 && firstChunk(answers[0]) == SCTPChunk.selectiveAck)
        }
    }

    @Test func `a message beyond what we offered ends the association`() {
        var small = SCTPConfiguration()
        small.longestReceived = 10_000
        let pair = SCTPPair(seed: 7, left: .init(), right: small)
        pair.connect()
        #expect(pair.left.send(Bytes(repeating: 1, count: 10_000), on: 0, protocolID: 53, now: pair.now) == .accepted)
        #expect(pair.run(.seconds(5)) { pair.right.messages.count == 1 })
        _ = pair.left.send(Bytes(repeating: 1, count: 10_001), on: 0, protocolID: 53, now: pair.now)
        pair.run(.seconds(5))
        #expect(pair.right.closeReason == .messageTooLong)
        #expect(pair.left.closeReason == .abortedByPeer(cause: SCTPCause.userAbort))
    }

    @Test func `what cannot be sent is refused`() {
        let pair = SCTPPair(seed: 8)
        #expect(pair.left.send([1], on: 0, protocolID: 51, now: pair.now) == .notConnected)
        pair.connect()
        #expect(pair.left.send([], on: 0, protocolID: 51, now: pair.now) == .refused)
        #expect(pair.left.send([1], on: UInt16(SCTPLimits.streams), protocolID: 51, now: pair.now) == .refused)
        let long = Bytes(repeating: 1, count: SCTPConfiguration().longestSent + 1)
        #expect(pair.left.send(long, on: 0, protocolID: 51, now: pair.now) == .refused)
    }

    @Test func `an ABORT counts only with one of the two tags`() {
        let (wrong, _) = answer([6, 0, 0, 4], tag: 77)
        #expect(wrong.left.isConnected && wrong.left.counters.badTag == 1)
        let (reflected, _) = answer([6, 1, 0, 4])
        #expect(reflected.left.isConnected && reflected.left.counters.badTag == 1)
        let (right, _) = answer([6, 0, 0, 8, 0, 12, 0, 4])
        #expect(right.left.closeReason == .abortedByPeer(cause: 12))
    }

    @Test(arguments: [UInt64(1), 2, 3])
    func `a shutdown first delivers everything, also when both ask for it`(seed: UInt64) {
        let pair = SCTPPair(seed: seed, network: .init(loss: 0.1, jitter: 10))
        pair.connect()
        for number in 0..<50 {
            _ = pair.left.send(Bytes(repeating: 1, count: 3_000), on: 1, protocolID: UInt32(number), now: pair.now)
        }
        pair.left.association.shutdown(now: pair.now)
        if seed == 2 { pair.right.association.shutdown(now: pair.now) }
        #expect(pair.left.send([1], on: 1, protocolID: 1, now: pair.now) == .notConnected)
        pair.run(.seconds(120))
        #expect(pair.right.messages.count == 50)
        #expect(pair.left.closeReason == .shutdown || pair.left.closeReason == .unreachable)
        #expect(pair.right.closeReason == .shutdown || pair.right.closeReason == .unreachable)
        #expect(pair.left.closeReason == .shutdown || pair.right.closeReason == .shutdown)
    }

    @Test func `a peer that vanishes is found out, with data under way and without`() {
        for hasData in [true, false] {
            let pair = SCTPPair(seed: 3)
            pair.connect()
            pair.filter = { _, _ in true }
            if hasData { _ = pair.left.send([1], on: 0, protocolID: 51, now: pair.now) }
            pair.run(.seconds(300))
            #expect(pair.left.closeReason == .unreachable)
            let deadline = pair.left.association.deadline
            #expect(deadline == nil)
        }
    }

    @Test func `silence costs a heartbeat each half minute, and measures the round trip`() throws {
        let pair = SCTPPair(seed: 4, network: .init(delay: 40))
        pair.connect()
        pair.run(.seconds(1))
        let before = pair.left.packetsSent
        pair.run(.seconds(300))
        #expect((5...21).contains(pair.left.packetsSent - before))
        #expect(pair.left.isConnected && pair.right.isConnected)
        let roundTrip = try #require(pair.left.association.roundTrip ?? pair.right.association.roundTrip)
        #expect(roundTrip == .milliseconds(80))
    }
}

/// The crafted packets of `Tests/Vectors/sctp`.
enum VectorFile {
    static func malformed(from file: String = #filePath) throws -> [(name: String, bytes: Bytes)] {
        let tests = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        let text = try #require(contents(tests + "/Vectors/sctp/malformed.json"))
        let json = try JSONValue(parsing: text, limits: JSONLimits(depth: 32, values: 1_000_000))
        return (json.arrayValue ?? []).map { ($0["name"]?.stringValue ?? "", hex($0["hex"]?.stringValue ?? "")) }
    }

    static func contents(_ path: String) -> Bytes? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes: Bytes = []
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    static func hex(_ text: String) -> Bytes {
        let digits = text.utf8.map { $0 >= 97 ? $0 - 87 : $0 - 48 }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
