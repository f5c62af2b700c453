// What wakes a shard while nothing happens but media: waking up costs as much as forwarding ten packets.

import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct WakingTests {
    /// A publisher and viewers whose networks nobody reports on; one packet every 20 ms.
    private final class Call {
        let world: EngineWorld
        let kind: SoftPeer.Section.Kind
        private var sequence: SequenceNumber = 1
        private var next: Instant

        init(_ kind: SoftPeer.Section.Kind, viewers: Int) throws {
            self.kind = kind
            world = try EngineWorld(seed: 83)
            world.reportsNetwork = false
            try world.join("r", as: .publisher, [.init(kind, .sendOnly)])
            for _ in 0..<viewers { try world.join("r", as: .viewer, [.init(kind, .receiveOnly)]) }
            next = world.net.now
            world.run(.milliseconds(400))
        }

        func talk(_ duration: Duration) {
            next = world.net.now
            world.run(duration) { now in
                guard next <= now else { return }
                next = now + .milliseconds(20)
                let peer = world.peer(0)
                if kind == .video {
                    peer.sendFrame(
                        section: 0, packets: 1, size: 1_000, timestamp: UInt32(sequence) * 1_800,
                        isKeyframe: sequence == 1, pictureID: UInt16(sequence), sequence: &sequence, now: now)
                } else {
                    peer.sendTalk(
                        section: 0, size: 80, timestamp: UInt32(sequence) * 960, sequence: &sequence, now: now)
                }
            }
        }

        /// Sender reports that each viewer got so far.
        var reports: [Int] { world.peers.dropFirst().map(\.peer.senderReportsReceived) }
    }

    @Test(arguments: [SoftPeer.Section.Kind.audio, .video])
    func `Reports and looks go with the packets, and no timer wakes the engine for them`(
        _ kind: SoftPeer.Section.Kind
    ) throws {
        let call = try Call(kind, viewers: 4)
        call.talk(.seconds(1))
        let (timers, reports) = (call.world.timersFired, call.reports)
        call.talk(.seconds(5))
        // What is left are checks of paths and the like; with a timer for each report alone there were twenty.
        #expect(call.world.timersFired - timers <= 5)
        for (before, after) in zip(reports, call.reports) { #expect((4...6).contains(after - before)) }
    }

    @Test func `Reports do not wait for packets that do not come`() throws {
        let call = try Call(.audio, viewers: 2)
        call.talk(.seconds(1))
        let reports = call.reports
        call.world.run(.seconds(5))
        for (before, after) in zip(reports, call.reports) { #expect((4...5).contains(after - before)) }
    }
}
