// The certificate of new sessions changes from time to time; that of a session never does.

import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct IdentityCallTests {
    /// As the last description of the server named it.
    private func certificate(_ peer: SoftPeer) throws -> [String] {
        let description = try #require(peer.remoteDescription)
        let media = try #require(description.media.first)
        return description.transport(of: media).fingerprints.map(\.text)
    }

    @Test func `a new certificate is for new sessions, and old ones renegotiate with theirs`() throws {
        let world = try EngineWorld(seed: 61)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        world.run(.milliseconds(500))
        #expect(world.peer(publisher).phase == .connected)
        let early = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        let before = try certificate(world.peer(publisher))

        // One is connected, one has its answer and has not begun.
        world.engine.renew(try DTLSIdentity.make())
        let late = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        #expect(try certificate(world.peer(late)) != before)
        #expect(try certificate(world.peer(early)) == before)
        world.run(.milliseconds(500))
        #expect(world.peer(early).phase == .connected && world.peer(late).phase == .connected)

        // An offer of the peer, with an ICE restart, and one of ours.
        world.peer(publisher).add(.init(.audio, .sendOnly))
        world.peer(publisher).renewCredentials()
        try world.reoffer(publisher)
        #expect(try certificate(world.peer(publisher)) == before)
        try world.engine.restartICE(of: world.id(publisher), now: world.net.now)
        #expect(try world.takeOffer(publisher))
        #expect(try certificate(world.peer(publisher)) == before)
        world.run(.milliseconds(500))

        var sequence: SequenceNumber = 100
        for frame in 0..<20 {
            world.peer(publisher).sendFrame(
                section: 0, packets: 2, size: 900, timestamp: UInt32(frame) * 3_000, isKeyframe: frame == 0,
                pictureID: UInt16(frame), sequence: &sequence, now: world.net.now)
            world.run(.milliseconds(33))
        }
        for viewer in [early, late] {
            #expect(world.peer(viewer).streams.values.contains { $0.markers == 20 })
            #expect(world.peer(viewer).unreadable == 0)
        }
    }
}
