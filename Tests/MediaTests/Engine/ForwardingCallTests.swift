import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct ForwardingCallTests {
    @Test func `who agrees to send estimates and never does is not held back`() throws {
        let world = try EngineWorld(seed: 2)
        world.reportsNetwork = false
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let viewer = try world.join(
            "r", as: .viewer, [.init(.video, .receiveOnly)],
            edit: { offer in
                offer.replacing("a=rtcp-fb:96 nack pli", with: "a=rtcp-fb:96 goog-remb\r\na=rtcp-fb:96 nack pli")
            })
        world.run(.milliseconds(500))
        var sequence: SequenceNumber = 100
        // Ten times what an estimate begins with.
        for frame in 0..<60 {
            world.peer(publisher).sendFrame(
                section: 0, packets: 12, size: 1_000, timestamp: UInt32(frame) * 3_000, isKeyframe: frame == 0,
                pictureID: UInt16(frame), sequence: &sequence, now: world.net.now)
            world.run(.milliseconds(33))
        }
        let held = world.peer(viewer).streams.values
        #expect(held.contains { $0.packets == 720 })
    }

    @Test func `two peers connect, and one sees the other's video`() throws {
        let world = try EngineWorld(seed: 1)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let viewer = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.milliseconds(500))
        #expect(world.peer(publisher).phase == .connected)
        #expect(world.peer(viewer).phase == .connected)
        var sequence: SequenceNumber = 100
        for frame in 0..<60 {
            let isKeyframe = frame == 0 || world.peer(publisher).keyframeRequests > 0 && frame == 10
            world.peer(publisher).sendFrame(
                section: 0, packets: 4, size: 1_000, timestamp: UInt32(frame) * 3_000, isKeyframe: isKeyframe,
                pictureID: UInt16(frame), sequence: &sequence, now: world.net.now)
            world.run(.milliseconds(33))
        }
        let stream = try #require(world.peer(viewer).streams.values.first { $0.markers == 60 })
        #expect(stream.markers == 60)
        #expect(stream.packets == 240)
        #expect(world.peer(viewer).unreadable == 0)
        #expect(world.peer(publisher).feedbackReceived > 5)
    }
}
