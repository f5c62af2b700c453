// Simulcast through the whole engine: which layer a viewer gets for its network and its wishes.

import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct SimulcastCallTests {
    static let sending: [SoftPeer.Section] = [
        .init(.video, .sendOnly, rids: ["q", "h", "f"]), .init(.audio, .sendOnly),
    ]
    static let receiving: [SoftPeer.Section] = [.init(.video, .receiveOnly), .init(.audio, .receiveOnly)]

    struct Call {
        let world: EngineWorld
        let publisher: SimulcastPublisher
        let watcher: SimulcastWatcher
        let viewer: Int
        let events: Events

        final class Events {
            var all: [MediaEvent] = []
        }

        init(seed: UInt64 = 1, link: SimLink? = nil, settings: MediaSettings = MediaSettings()) throws {
            let world = try EngineWorld(seed: seed, settings: settings)
            let events = Events()
            world.engine.onEvent = { events.all.append($0) }
            let down = link.map { [world.net.add($0)] } ?? []
            let sender = try world.join("r", as: .publisher, SimulcastCallTests.sending)
            viewer = try world.join("r", as: .viewer, SimulcastCallTests.receiving, down: down)
            world.run(.milliseconds(500))
            publisher = SimulcastPublisher(world.peer(sender), now: world.net.now)
            watcher = SimulcastWatcher(world.peer(viewer)) { world.net.elapsed.inSeconds }
            self.world = world
            self.events = events
        }

        /// Until a time since the start of the network.
        func run(until seconds: Double) {
            let left = seconds - world.net.elapsed.inSeconds
            if left > 0 { world.run(.milliseconds(Int64(left * 1_000))) { publisher.work($0) } }
        }

        var viewerID: ParticipantID { world.peers[viewer].id }
    }

    @Test(arguments: [UInt64(1), 2]) func `a viewer gets the layer that its link carries`(seed: UInt64) throws {
        var link = SimLink(steps: [(0, 2_000_000), (20, 500_000), (40, 2_000_000)], delay: .milliseconds(25))
        link.jitter = .milliseconds(2)
        let call = try Call(seed: seed, link: link)
        call.run(until: 60)
        let watcher = call.watcher
        let statistics = try #require(call.world.engine.statistics(of: call.viewerID, now: call.world.net.now))
        print(
            "simulcast seed \(seed): f from \(watcher.first(2, after: 0) ?? -1), q or h after 20:",
            watcher.first(1, after: 20.2) ?? -1, watcher.first(0, after: 20.2) ?? -1,
            "f again \(watcher.first(2, after: 42) ?? -1)",
            "shares", watcher.share(of: 2, 8, 20), watcher.share(of: 2, 24, 40), watcher.share(of: 2, 50, 60),
            "switches \(watcher.switches) bad \(watcher.badSwitches) gaps \(watcher.gaps) audio \(watcher.audio)",
            "of \(call.publisher.audioSent) repairs \(watcher.repairs)",
            statistics.subscriptions.map { ($0.mid, $0.counters, $0.lossShare, $0.freezes, $0.frozen, $0.opinion) },
            statistics.bandwidth.map { "\($0)" } ?? "")
        #expect(watcher.share(of: 2, 8, 20) >= 0.9)
        #expect(watcher.share(of: 2, 24, 40) == 0)
        #expect(watcher.packets(24, 40) > 400)
        #expect(watcher.share(of: 2, 50, 60) >= 0.9)
        #expect(watcher.badSwitches == 0)
        #expect(Double(watcher.audio) >= 0.97 * Double(call.publisher.audioSent))
    }

    @Test func `on a wide link nothing is missing and every switch begins with a keyframe`() throws {
        let call = try Call(link: SimLink(bitsPerSecond: 20_000_000, delay: .milliseconds(10)))
        call.run(until: 6)
        for wish in [UInt8(0), 1, .max, 0, .max] {
            var preference = StreamPreference()
            preference.largestLayer = wish
            try call.world.engine.setPreference(preference, of: "0", for: call.viewerID, now: call.world.net.now)
            let from = call.world.net.elapsed.inSeconds
            call.run(until: from + 4)
            #expect(call.watcher.share(of: min(Int(wish), 2), from + 3, from + 4) == 1, "wish \(wish)")
        }
        #expect(call.watcher.switches >= 5)
        #expect(call.watcher.badSwitches == 0)
        #expect(call.watcher.gaps == 0)
        #expect(call.watcher.audio >= call.publisher.audioSent - 5)
    }

    @Test func `a viewer pauses and resumes`() throws {
        let call = try Call()
        call.run(until: 5)
        var preference = StreamPreference()
        preference.isPaused = true
        try call.world.engine.setPreference(preference, of: "0", for: call.viewerID, now: call.world.net.now)
        call.run(until: 8)
        #expect(call.watcher.packets(5.2, 8) == 0)
        #expect(call.events.all.contains(.streamPaused(call.viewerID, mid: "0", .preference)))
        preference.isPaused = false
        try call.world.engine.setPreference(preference, of: "0", for: call.viewerID, now: call.world.net.now)
        call.run(until: 11)
        #expect(call.watcher.packets(8, 9) > 20)
        #expect(call.watcher.share(of: 2, 10, 11) == 1)
        #expect(call.events.all.contains(.streamResumed(call.viewerID, mid: "0")))
        #expect(call.watcher.gaps == 0 && call.watcher.badSwitches == 0)
        #expect(call.watcher.audio >= call.publisher.audioSent - 5)
    }

    @Test func `layers that nobody wants are told, and wanted again`() throws {
        let call = try Call()
        call.run(until: 4)
        let publisherID = call.world.peers[0].id
        var preference = StreamPreference()
        preference.largestLayer = 0
        try call.world.engine.setPreference(preference, of: "0", for: call.viewerID, now: call.world.net.now)
        call.run(until: 10)
        #expect(call.events.all.contains(.unwatchedLayers(publisherID, mid: "0", layers: 0b110)))
        call.publisher.layers[1].isPaused = true
        call.publisher.layers[2].isPaused = true
        call.run(until: 14)
        try call.world.engine.setPreference(StreamPreference(), of: "0", for: call.viewerID, now: call.world.net.now)
        call.run(until: 14.5)
        #expect(call.events.all.last == .unwatchedLayers(publisherID, mid: "0", layers: 0))
        call.publisher.layers[1].isPaused = false
        call.publisher.layers[2].isPaused = false
        call.run(until: 19)
        #expect(call.watcher.share(of: 2, 18, 19) == 1)
    }

    @Test func `a layer that stops is replaced by the best that flows`() throws {
        let call = try Call()
        call.run(until: 6)
        #expect(call.watcher.share(of: 2, 5, 6) == 1)
        call.publisher.layers[2].isPaused = true
        call.run(until: 10)
        #expect(call.watcher.share(of: 1, 9, 10) == 1)
        call.publisher.layers[2].isPaused = false
        call.run(until: 15)
        #expect(call.watcher.share(of: 2, 14, 15) == 1)
    }
}
