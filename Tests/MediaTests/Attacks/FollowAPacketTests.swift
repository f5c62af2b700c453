// The packet of docs/follow-a-packet.md, and a look in at each of its steps.

import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct FollowAPacketTests {
    private let payload: Bytes = [0x90, 0x80, 0x80, 1, 0x10] + (5..<1_000).map { UInt8(truncatingIfNeeded: $0) }

    @Test func `One packet goes from a publisher's datagram to a viewer's`() throws {
        let world = try EngineWorld(seed: 81)
        let publishing = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let viewing = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.milliseconds(300))
        let (engine, now) = (world.engine, world.net.now)
        let publisher = try #require(engine.participants[world.peers[publishing].id])
        let viewer = try #require(engine.participants[world.peers[viewing].id])
        let peer = world.peer(publishing)
        let plain = peer.plainPacket(payload, ssrc: peer.ssrc(0), type: SoftPeer.vp8, sequence: 100, timestamp: 9_000)
        let datagram = try #require(peer.protectedRaw(plain, index: 100))

        // 1, 2: a slot of the slab, and what its first bytes say.
        let free = engine.slab.allocate()
        let slot = try #require(free)
        engine.slab[slot].copyBytes(from: datagram)
        #expect(DatagramKind(datagram.span.bytes) == .rtp)
        // 3: whose path it is.
        let path = MediaPath(remote: world.peers[publishing].address, socket: 0)
        #expect(engine.paths.find(path) == publisher.id.index)
        // 4 to 8: authenticated, noted, read, kept. The socket gets another slot.
        #expect(publisher.sources.count == 0)
        let other = engine.receive(slot, datagram.count, from: path, now: now)
        #expect(other != slot)
        #expect(publisher.sources.count == 1)
        let layer = try #require(publisher.tracks.first?.layers.first)
        #expect(layer.ssrc == peer.ssrc(0))
        #expect(layer.counters.packets == 1)
        #expect(layer.keyframes.keyframeCount == 1)
        #expect(publisher.feedback?.deadline != nil)
        try look(layer, slot, engine)
        // 9 to 13: nothing has gone out yet; then the viewer's own packet has.
        #expect(viewer.sending?.packets == 0)
        engine.outbox.removeAll()
        engine.endBatch(now: now)
        #expect(viewer.sending?.packets == 1)
        // 14: one datagram, which the viewer can read.
        var sent: [(Bytes, TransportAddress)] = []
        engine.outbox.visitDatagrams { bytes, path in sent.append((Bytes(bytes), path.remote)) }
        #expect(sent.map(\.1) == [world.peers[viewing].address])
        try check(sent[0].0, from: datagram, at: world.peer(viewing), now)
        engine.slab.release(other)
    }

    private func look(_ layer: PublishedLayer, _ slot: PacketSlab.Slot, _ engine: MediaEngine) throws {
        let found = layer.ring.find(layer.reception.highestSequence)
        let record = try #require(found).pointee
        #expect(record.slot == slot)
        #expect(record.payloadType == SoftPeer.vp8)
        #expect(record.input.frame.isKeyframe && record.input.frame.startsFrame)
        #expect(record.input.payloadLength == payload.count)
        let start = Int(record.payloadStart)
        #expect(Bytes(engine.slab[slot][start..<(start + payload.count)]) == payload)
    }

    private func check(_ out: Bytes, from datagram: Bytes, at viewer: SoftPeer, _ now: Instant) throws {
        #expect(out != datagram)
        var seen: [(header: RTPHeader, packet: Bytes)] = []
        viewer.onPacket = { header, packet in seen.append((header, packet)) }
        viewer.receive(out, now: now)
        #expect(viewer.unreadable == 0)
        let (header, packet) = try #require(seen.first)
        #expect(header.payloadType == SoftPeer.vp8)
        #expect(header.sequenceNumber == 100)
        #expect(header.hasExtension)
        #expect(Bytes(packet.dropFirst(Int(header.headerLength))) == payload)
    }
}
