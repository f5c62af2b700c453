// Whole conferences with everybody's estimate: on links that carry everything, everything must come, and soon.

import Base
import TestKit
import Testing

@testable import Media

@Suite struct ConferenceTests {
    private func wide(_ delay: Int = 20) -> SimLink { SimLink(bitsPerSecond: 100_000_000, delay: .milliseconds(delay)) }

    @Test(arguments: [(8, 10), (3, 100)]) func `Everybody gets every video within five seconds on wide links`(
        count: Int, delay: Int
    ) throws {
        let conference = try Conference(count, downlink: wide(delay))
        conference.run(seconds: 5)
        let delivery = conference.deliver(seconds: 2)
        print("conference of \(count), \(delay) ms: \(delivery) \(conference.describe())")
        #expect(delivery.video >= 0.98)
        #expect(delivery.audio >= 0.98)
        #expect(delivery.latest <= .milliseconds(delay + 60))
    }

    @Test func `Who gets all that is wanted is not probed`() throws {
        let conference = try Conference(3, downlink: wide())
        conference.run(seconds: 6)
        let delivery = conference.deliver(seconds: 6)
        print("conference at rest: \(delivery) \(conference.describe())")
        #expect(delivery.video >= 0.98)
        #expect(delivery.probes == 0)
    }

    @Test func `Cameras that were off for ten seconds come back at once`() throws {
        let conference = try Conference(4, downlink: wide())
        conference.run(seconds: 6)
        for camera in conference.cameras { camera.isPaused = true }
        conference.run(seconds: 10)
        for camera in conference.cameras { camera.isPaused = false }
        conference.run(seconds: 1)
        let delivery = conference.deliver(seconds: 2)
        print("conference with cameras off and on: \(delivery) \(conference.describe())")
        #expect(delivery.video >= 0.98)
    }

    @Test func `A shared screen of seven megabits is taken up within three seconds`() throws {
        let conference = try Conference(4, downlink: wide())
        for camera in conference.cameras {
            camera.packetsPerFrame = 1
            camera.size = 700
        }
        conference.run(seconds: 8)
        let small = try #require(conference.statistics(0)?.bandwidth)
        conference.cameras[1].packetsPerFrame = 25
        conference.cameras[1].size = 1_200
        conference.run(seconds: 3)
        let delivery = conference.deliver(seconds: 2)
        print("conference with a screen: from \(small.target): \(delivery) \(conference.describe())")
        #expect(delivery.video >= 0.98)
        #expect(delivery.audio >= 0.98)
    }

    @Test func `When all video has been paused for long, probes of padding find that the network has grown`() throws {
        let conference = try Conference(4, downlink: SimLink(bitsPerSecond: 600_000, delay: .milliseconds(20)))
        conference.run(seconds: 10)
        let narrow = conference.deliver(seconds: 2)
        print("conference on narrow links: \(narrow) \(conference.describe())")
        // Nothing of the video fits, and nothing of it is left that could be sent again.
        #expect(narrow.video < 0.05)
        #expect(narrow.audio >= 0.95)
        conference.changeDownlinks { $0 = wide() }
        conference.run(seconds: 8)
        let delivery = conference.deliver(seconds: 2)
        print("conference on links that widened: \(delivery) \(conference.describe()) \(conference.counts[0])")
        // The aim is all of it; see docs/media/bandwidth.md.
        for member in 0..<4 {
            let bandwidth = try #require(conference.statistics(member)?.bandwidth)
            #expect(bandwidth.target > 1_000_000)
        }
        #expect(conference.counts.allSatisfy { $0.padding > 0 })
        #expect((0..<4).allSatisfy { conference.world.peer($0).unreadable == 0 })
    }
}
