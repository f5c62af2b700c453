// Publishers that know nothing of transport-wide numbers, and receivers that ask for their round trip.

import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct ReceiverEstimateCallTests {
    /// A publisher of 1.5 Mbit/s, or less when it is told less; what it was told.
    private func limits(over link: SimLink?, stampsSendTimes: Bool) throws -> [UInt64] {
        var settings = MediaSettings()
        settings.publisherBitrateMax = 3_000_000
        let world = try EngineWorld(seed: 51, settings: settings)
        let peer = try SoftPeer([.init(.video, .sendOnly)], identity: DTLSIdentity.make(), seed: 7)
        peer.stampsSendTimes = stampsSendTimes
        peer.offersTransportFeedback = false
        let publisher = try world.join("r", as: .publisher, peer, up: link.map { [world.net.add($0)] } ?? [])
        world.run(.milliseconds(500))
        var sequence: SequenceNumber = 1
        for frame in 0..<240 {
            // 30 frames of 860 bytes a packet on the wire.
            let allowed = (world.peer(publisher).limitsReceived.last ?? .max) / (30 * 860 * 8)
            world.peer(publisher).sendFrame(
                section: 0, packets: Int(min(7, max(1, allowed))), size: 800, timestamp: UInt32(frame) * 3_000,
                isKeyframe: frame == 0,
                pictureID: UInt16(frame), sequence: &sequence, now: world.net.now)
            world.run(.milliseconds(33))
        }
        return world.peer(publisher).limitsReceived
    }

    @Test func `a publisher that adapts to REMB is told what its path carries`() throws {
        let told = try limits(over: SimLink(bitsPerSecond: 1_000_000), stampsSendTimes: true)
        let least = try #require(told.min())
        #expect(told.first == 3_000_000)
        // Less than the link, so that its queue goes down; not much less, and growing again afterwards.
        #expect((500_000..<1_000_000).contains(least), "\(told)")
        #expect(told.last ?? 0 > least && told.count < 40, "\(told)")
    }

    @Test func `a path with room is not told less than the cap`() throws {
        let told = try limits(over: SimLink(bitsPerSecond: 20_000_000), stampsSendTimes: true)
        #expect(told.count >= 7 && told.allSatisfy { $0 == 3_000_000 }, "\(told)")
    }

    @Test func `without send times the cap is told, each second`() throws {
        let told = try limits(over: SimLink(bitsPerSecond: 1_000_000), stampsSendTimes: false)
        #expect((7...9).contains(told.count) && told.allSatisfy { $0 == 3_000_000 }, "\(told)")
    }

    @Test func `a receiver that asks for its round trip can reckon it`() throws {
        let world = try EngineWorld(seed: 52)
        let path = SimLink(delay: .milliseconds(40))
        let viewer = try world.join(
            "r", as: .viewer, [.init(.audio, .receiveOnly)], up: [world.net.add(path)], down: [world.net.add(path)],
            edit: { $0.replacing("a=rtcp-fb:111 transport-cc", with: "a=rtcp-fb:111 rrtr") })
        world.run(.milliseconds(800))
        #expect(world.peer(viewer).remoteDescription?.media[0].feedback.map(\.value) == ["rrtr"])
        let asked = NTPTime.duration(world.net.now - SimClock.start)
        var bytes: [UInt8] = []
        RTCPExtendedReport.writeReferenceTime(from: 9, ntp: asked, into: &bytes)
        world.peer(viewer).sendReports(bytes)
        #expect(world.run(upTo: .seconds(3)) { !world.peer(viewer).referenceDelays.isEmpty })
        let arrived = NTPTime.middle(NTPTime.duration(world.net.now - SimClock.start))
        let delay = try #require(world.peer(viewer).referenceDelays.first)
        #expect(delay.ssrc == 9 && delay.lastReferenceTime == NTPTime.middle(asked))
        // Both ways, in units of 1/65536 s; a step of the simulation is a millisecond.
        let roundTrip = Double(arrived &- delay.lastReferenceTime &- delay.delay) / 65.536
        #expect((79...83).contains(roundTrip), "\(roundTrip) ms")
        world.run(.seconds(3))
        #expect(world.peer(viewer).referenceDelays.count == 1)
    }
}
