// What a participant can do to the others: its packets are authentic, and made to harm.

import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct InsiderAttackTests {
    // MARK: Sources

    @Test func `A publisher cannot have more sources than the limit, nor make layers without end`() throws {
        let call = try AttackedCall(seed: 21)
        let villain = try call.world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        call.world.run(.milliseconds(300))
        let peer = call.world.peer(villain)
        let participant = try #require(call.participant(villain))
        var ssrc: SSRC = 0x1000_0000
        call.play(40) { _ in
            for type in [SoftPeer.vp8, SoftPeer.rtx, SoftPeer.rtx] {
                ssrc += 1
                peer.sendRaw(
                    peer.plainPacket(
                        [0x90, 0x80, 0x80, 1, 0x10] + Bytes(repeating: 7, count: 40), ssrc: ssrc, type: type,
                        sequence: 5, timestamp: 9), index: 5)
            }
        }
        call.expectUndisturbed()
        #expect(participant.sources.count <= call.engine.settings.limits.sourcesPerParticipant)
        #expect(participant.tracks.allSatisfy { $0.layers.count <= 1 })
        #expect(participant.counters.unknownSource > 1_000)
        #expect(participant.tracks.flatMap(\.layers).reduce(0) { $0 + $1.ring.count } < 10)
    }

    @Test func `A source that is announced twice harms only who announced it later`() throws {
        let call = try AttackedCall(seed: 22)
        let stolen = call.publisherPeer.ssrc(0)
        let villain = try call.world.join("r", as: .publisher, [.init(.video, .sendOnly)]) { peer in
            peer.offer().replacing("\(peer.ssrc(0))", with: "\(stolen)")
                .replacing("\(peer.ssrc(0) + 1)", with: "\(stolen + 1)")
        }
        call.world.run(.milliseconds(300))
        let peer = call.world.peer(villain)
        var sequence: SequenceNumber = 0
        call.play(30) { _ in
            for ssrc in [stolen, stolen + 1] {
                peer.sendRaw(
                    peer.plainPacket(
                        Self.keyframe, ssrc: ssrc, type: ssrc == stolen ? SoftPeer.vp8 : SoftPeer.rtx,
                        sequence: sequence, timestamp: 9), index: ExtendedSequence(sequence))
            }
            sequence += 1
        }
        call.expectUndisturbed()
    }

    static let keyframe: Bytes = [0x90, 0x80, 0x80, 1, 0x10] + Bytes(repeating: 7, count: 100)

    @Test func `A stream goes on when its source begins anew under another number`() throws {
        let call = try AttackedCall(seed: 23)
        let peer = call.publisherPeer
        // What waits in the pacer is of the old source, and goes with it.
        call.world.run(.seconds(1))
        let before = call.stream?.packets ?? 0
        // Lower numbers than before, so that nothing of the old stream's arithmetic fits.
        for index in 0..<40 {
            peer.sendRaw(
                peer.plainPacket(
                    index == 0 ? Self.keyframe : [0x90, 0x80, 0x80, UInt8(index), 0x11, 5, 6, 7], ssrc: 0x2222_2222,
                    type: SoftPeer.vp8, sequence: SequenceNumber(3 + index), timestamp: UInt32(index) * 3_000,
                    marker: true), index: ExtendedSequence(3 + index))
            call.world.run(.milliseconds(33))
        }
        #expect(call.stream?.packets == before + 40)
        #expect(call.viewerPeer.unreadable == 0)
        #expect(call.stream?.duplicates == 0)
        #expect(Self.holes(call.stream) == 0)
    }

    /// Numbers that a stream left out.
    static func holes(_ stream: SoftPeer.ReceivedStream?) -> Int {
        guard let stream, let first = stream.sequences.min() else { return -1 }
        return Int(stream.highest) - Int(first) + 1 - stream.sequences.count
    }

    @Test func `No number is sent twice by one who says goodbye and begins again with the same numbers`() throws {
        let call = try AttackedCall(seed: 24)
        let peer = call.publisherPeer
        let ssrc = peer.ssrc(0)
        for round in 0..<20 {
            for index in 0..<6 {
                peer.sendRaw(
                    peer.plainPacket(
                        index == 0 ? Self.keyframe : [0x80, 0x80, 0x80, UInt8(round), 0x11, UInt8(index)], ssrc: ssrc,
                        type: SoftPeer.vp8, sequence: SequenceNumber(120 + index), timestamp: UInt32(round) * 3_000,
                        marker: index == 5), index: ExtendedSequence(120 + index))
            }
            call.world.run(.milliseconds(20))
            var goodbye: Bytes = []
            RTCPGoodbye.write([ssrc].span, into: &goodbye)
            peer.sendReports(goodbye)
            call.world.run(.milliseconds(20))
        }
        // A number used twice is a replay to the viewer.
        #expect(call.viewerPeer.unreadable == 0)
        #expect(call.viewerPeer.streams.values.allSatisfy { $0.duplicates == 0 })
    }

    @Test func `A goodbye in the batch of its own packets does not harm`() throws {
        let call = try AttackedCall(seed: 25)
        let villain = try call.world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let watcher = try call.world.join("r", as: .viewer, [.init(.video, .receiveOnly), .init(.video, .receiveOnly)])
        call.world.run(.milliseconds(300))
        let peer = call.world.peer(villain)
        var sequence: SequenceNumber = 0
        call.play(10) { _ in
            peer.sendRaw(
                peer.plainPacket(
                    Self.keyframe, ssrc: peer.ssrc(0), type: SoftPeer.vp8, sequence: sequence, timestamp: 0),
                index: ExtendedSequence(sequence))
            sequence += 1
            var goodbye: Bytes = []
            RTCPGoodbye.write([peer.ssrc(0)].span, into: &goodbye)
            peer.sendReports(goodbye)
        }
        #expect(call.world.peer(watcher).phase == .connected)
        call.expectUndisturbed()
    }

    // MARK: Requests

    @Test func `A flood of NACKs is answered with a bounded number of bytes`() throws {
        let call = try AttackedCall(seed: 26)
        let villain = try call.world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        call.world.run(.milliseconds(300))
        call.play(60)
        let peer = call.world.peer(villain)
        let ssrc = try #require(peer.mediaStream?.key)
        let highest = try #require(peer.streams[ssrc]?.highest)
        let transport = try #require(call.participant(villain)?.sending)
        let start = transport.bytes
        let media = peer.streams[ssrc]?.bytes ?? 0
        call.play(60) { _ in
            var nack: Bytes = []
            let numbers = (0..<200).map { highest &- SequenceNumber(199 - $0) }
            RTCPNACK.write(from: 1, to: ssrc, lost: numbers.span, into: &nack)
            for _ in 0..<4 { peer.sendReports(nack) }
        }
        let sent = transport.bytes - start
        let played = UInt64((peer.streams[ssrc]?.bytes ?? 0) - media)
        // 1.6 GB were asked for.
        #expect(sent < played + played * RepairBudget.share / 100 + RepairBudget.burst + 50_000)
        #expect(sent > played + RepairBudget.burst / 2)
        #expect((call.participant(villain)?.repairs.refused ?? 0) > 100_000)
        call.expectUndisturbed()
    }

    @Test func `A flood of requests for keyframes reaches the publisher at its own pace`() throws {
        let call = try AttackedCall(seed: 27)
        let asked = call.publisherPeer.keyframeRequests
        let ssrc = call.streamSSRC
        let time = call.now
        call.play(60) { _ in
            for number in 0..<10 {
                var requests: Bytes = []
                RTCPPictureLoss(senderSSRC: 1, mediaSSRC: ssrc).write(into: &requests)
                RTCPFullIntraRequest.write(
                    from: 1, RTCPFullIntraRequest.Entry(ssrc: ssrc, number: UInt8(number)), into: &requests)
                call.viewerPeer.sendReports(requests)
            }
        }
        let intervals = (call.now - time).nanoseconds / KeyframeRequester.shortestInterval.nanoseconds
        #expect(call.publisherPeer.keyframeRequests - asked <= Int(intervals) + 2)
        #expect(call.publisherPeer.keyframeRequests > asked)
        call.expectUndisturbed()
    }

    @Test func `Garbage about arrivals and rates harms only who sends it`() throws {
        let call = try AttackedCall(seed: 28)
        let villain = try call.world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        call.world.run(.milliseconds(300))
        let peer = call.world.peer(villain)
        var random = SplitMix(seed: 8)
        call.play(60) { _ in
            var reports = Self.longFeedback(UInt16(truncatingIfNeeded: random.next()))
            let statuses = (0..<40).map { _ in Int32(Int16(truncatingIfNeeded: random.next())) }
            RTCPTransportFeedbackWriter.write(
                from: 1, to: 2, baseSequence: SequenceNumber(truncatingIfNeeded: random.next()),
                referenceTime: Int32(truncatingIfNeeded: random.next()) >> 8, feedbackCount: 1, packets: statuses.span,
                into: &reports)
            RTCPReceiverEstimate.write(
                from: 1, bitsPerSecond: random.next() >> (random.next() & 63), sources: [1].span, into: &reports)
            peer.sendReports(reports)
        }
        #expect((call.participant(villain)?.counters.excessive ?? 0) > 1_000)
        call.expectUndisturbed()
    }

    /// Says of 16,384 packets, in 28 bytes, that they did not come; as often as fits.
    static func longFeedback(_ base: UInt16) -> Bytes {
        var block: Bytes = [0x8F, 205, 0, 6, 0, 0, 0, 1, 0, 0, 0, 2]
        block.append(bigEndian: base)
        block.append(bigEndian: UInt16(16_384))
        block += [0, 0, 1, 0, 0x1F, 0xFF, 0x1F, 0xFF, 0x1F, 0xFF, 0, 0]
        return (0..<40).reduce(into: Bytes()) { all, _ in all += block }
    }

    @Test func `Malformed packets of an authenticated peer end nothing`() throws {
        let call = try AttackedCall(seed: 29)
        let villain = try call.world.join(
            "r", as: .publisher, [.init(.video, .sendReceive), .init(.audio, .sendReceive)])
        call.world.run(.milliseconds(300))
        let peer = call.world.peer(villain)
        let media = try Self.vectors("malformed-rtp.json") + Self.vectors("rtp-vectors.json")
        let reports = try Self.vectors("malformed-rtcp.json")
        #expect(media.count > 10 && reports.count > 10)
        var index: ExtendedSequence = 0
        var queue = (media + reports).flatMap { vector in Self.variants(vector, peer) }
        call.play(min(200, queue.count / 60 + 2)) { _ in
            for _ in 0..<2 where !queue.isEmpty {
                let packet = queue.removeLast()
                index += 1
                if RTCPReader.isRTCP(packet.span.bytes), packet.count >= 8 {
                    peer.sendReports(packet)
                } else if !peer.sendRaw(packet, index: index) {
                    peer.sendDatagram(packet)
                }
            }
        }
        #expect(queue.isEmpty)
        #expect(peer.phase == .connected)
        call.expectUndisturbed()
    }

    private static func vectors(_ file: String) throws -> [Bytes] {
        let value = try RTPVectors.json(file)
        let list: [JSONValue] = value.arrayValue ?? []
        return list.compactMap { RTPVectors.packet($0) }
    }

    /// As it is, and in the name of each of the peer's own streams.
    private static func variants(_ packet: Bytes, _ peer: SoftPeer) -> [Bytes] {
        guard packet.count >= 12, !RTCPReader.isRTCP(packet.span.bytes) else { return [packet] }
        return [packet]
            + [(SoftPeer.vp8, peer.ssrc(0)), (SoftPeer.rtx, peer.ssrc(0) + 1), (SoftPeer.opus, peer.ssrc(1))].map {
                type, ssrc in
                var changed = packet
                changed[1] = changed[1] & 0x80 | type
                changed.replaceSubrange(8..<12, with: (0..<4).map { UInt8(truncatingIfNeeded: ssrc >> (24 - 8 * $0)) })
                return changed
            }
    }

    // MARK: Memory for packets

    @Test func `One who fills the packet memory leaves room for the others`() throws {
        var settings = MediaSettings()
        settings.limits.packetSlots = 2_048
        let call = try AttackedCall(seed: 30, settings: settings)
        let sections = [SoftPeer.Section](repeating: .init(.video, .sendOnly), count: 12)
        let villain = try call.world.join("r", as: .publisher, sections)
        call.world.run(.milliseconds(300))
        let peer = call.world.peer(villain)
        var sequence: SequenceNumber = 0
        call.play(60) { _ in
            for section in sections.indices {
                peer.sendRaw(
                    peer.plainPacket(
                        Self.keyframe, ssrc: peer.ssrc(section), type: SoftPeer.vp8, sequence: sequence, timestamp: 0),
                    index: ExtendedSequence(sequence))
            }
            sequence += 1
        }
        #expect(call.engine.slab.freeCount > 0)
        call.expectUndisturbed()
        // What is old is given back, though nothing takes its place.
        call.world.run(.seconds(3))
        #expect(call.engine.slab.freeCount == 2_048)
    }
}
