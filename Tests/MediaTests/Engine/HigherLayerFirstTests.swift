import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct HigherLayerFirstTests {
    @Test func `a higher layer of simulcast may come first`() throws {
        let world = try EngineWorld(seed: 5)
        // Two sources are announced; only the second, which is the higher layer, ever sends.
        let publisher = try world.join(
            "r", as: .publisher, [.init(.video, .sendOnly)],
            edit: { offer in
                let group = offer.firstRange(of: "a=ssrc-group:FID ").map { offer[$0.upperBound...] } ?? ""
                let own = group.prefix { $0.isNumber }
                return offer.replacing(
                    "a=ssrc-group:FID", with: "a=ssrc-group:SIM 77 \(own)\r\na=ssrc:77 cname:soft\r\na=ssrc-group:FID")
            })
        let viewer = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.milliseconds(500))
        var sequence: SequenceNumber = 100
        for frame in 0..<30 {
            world.peer(publisher).sendFrame(
                section: 0, packets: 4, size: 1_000, timestamp: UInt32(frame) * 3_000, isKeyframe: frame % 10 == 0,
                pictureID: UInt16(frame), sequence: &sequence, now: world.net.now)
            world.run(.milliseconds(33))
        }
        #expect(world.peer(viewer).streams.values.contains { $0.markers >= 20 })
    }

    @Test func `a viewer is looked at once a second when nothing is due`() throws {
        let world = try EngineWorld(seed: 6)
        let viewer = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)])
        world.run(.milliseconds(1_500))
        #expect(world.peer(viewer).phase == .connected)
        var looks = 0
        world.run(.seconds(3)) { now in
            if let deadline = world.engine.deadline, deadline <= now { looks += 1 }
        }
        #expect((3...30).contains(looks))
    }
}
