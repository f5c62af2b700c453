// Of which streams a tap hears, and what it says beside their packets: layers, sources that change, clocks, speakers, and
// header extensions that a picture cannot do without.

import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct TapStreamTests {
    /// Somebody who sends three layers and voice, and is recorded.
    struct Call {
        let world: EngineWorld
        let publisher: SimulcastPublisher
        let listener: TapListener
        let owner: UUID
        let events = Events()
        final class Events {
            var all: [MediaEvent] = []
        }

        init(viewers: Int = 0, isTapped: Bool = true, seed: UInt64 = 41) throws {
            world = try EngineWorld(seed: seed)
            let events = events
            world.engine.onEvent = { events.all.append($0) }
            try world.join("r", as: .publisher, SimulcastCallTests.sending)
            for _ in 0..<viewers { try world.join("r", as: .viewer, SimulcastCallTests.receiving) }
            owner = world.own(0)
            listener = world.tap("r")
            if isTapped { world.setTapped(owner, true, in: "r") }
            world.run(.milliseconds(500))
            publisher = SimulcastPublisher(world.peer(0), now: world.net.now)
        }

        func run(_ duration: Duration) {
            world.run(duration) { now in
                publisher.work(now)
                listener.read()
            }
            listener.read()
        }

        /// Of the picture, in the order in which it was heard.
        var video: [TapListener.Heard] {
            guard let track = listener.track(.video) else { return [] }
            return listener.packets(of: track.number)
        }

        /// The layers that were heard in a time, one number for each run.
        func layers(since: Instant) -> [UInt8] {
            video.filter { $0.packet.arrival >= since }.reduce(into: []) { runs, heard in
                if runs.last != heard.packet.layer { runs.append(heard.packet.layer) }
            }
        }
    }

    @Test func `of simulcast the best layer is heard, and changes with a keyframe`() throws {
        let call = try Call()
        call.run(.seconds(3))
        #expect(call.listener.track(.video)?.layerCount == 3)
        #expect(call.layers(since: .init(nanoseconds: 0)).last == 2)
        var last: UInt8?
        for heard in call.video {
            // The sixth byte says what the publisher meant it to be.
            #expect(heard.payload[5] == heard.packet.layer)
            if heard.packet.layer != last { #expect(heard.packet.flags.isSuperset(of: [.keyframe, .startsFrame])) }
            last = heard.packet.layer
        }
        // All of it, without a hole.
        let best = call.video.filter { $0.packet.layer == 2 }.map(\.packet.sequence)
        let first = try #require(best.first)
        #expect(best == Array(first..<first + UInt64(best.count)))
        #expect(best.count > 250)
    }

    @Test func `a layer that stops gives way to the next, and comes back`() throws {
        let call = try Call()
        call.run(.seconds(3))
        let stopped = call.world.net.now
        call.publisher.layers[2].isPaused = true
        call.run(.seconds(4))
        #expect(call.layers(since: stopped + .milliseconds(100)) == [1])
        let back = call.world.net.now
        call.publisher.layers[2].isPaused = false
        call.run(.seconds(3))
        #expect(call.layers(since: back) == [1, 2])
        #expect(Set(call.video.map { UInt64($0.packet.stream) << 32 | $0.packet.sequence }).count == call.video.count)
    }

    @Test func `while somebody records, no layer is unwatched`() throws {
        for isTapped in [true, false] {
            let call = try Call(viewers: 1, isTapped: isTapped)
            call.run(.seconds(2))
            var preference = StreamPreference()
            preference.largestLayer = 0
            try call.world.engine.setPreference(preference, of: "0", for: call.world.id(1), now: call.world.net.now)
            call.run(.seconds(6))
            let told = MediaEvent.unwatchedLayers(call.world.id(0), mid: "0", layers: 0b110)
            #expect(call.events.all.contains(told) == !isTapped)
            guard isTapped else { continue }
            call.world.setTapped(call.owner, false, in: "r")
            call.run(.seconds(6))
            #expect(call.events.all.contains(told))
        }
    }

    @Test func `of a call under way the best layer is heard from the beginning, and a keyframe asked for`() throws {
        let call = try Call(isTapped: false)
        call.run(.seconds(3))
        let asked = call.world.peer(0).keyframesWanted[call.world.peer(0).ssrc(0, layer: 2)] ?? 0
        call.world.setTapped(call.owner, true, in: "r")
        call.run(.seconds(1))
        #expect(Set(call.video.map(\.packet.layer)) == [2])
        #expect(call.video.contains { $0.packet.flags.contains(.keyframe) })
        #expect(call.world.peer(0).keyframesWanted[call.world.peer(0).ssrc(0, layer: 2)] == asked + 1)
    }

    @Test func `a publisher that begins anew has another stream`() throws {
        let world = try EngineWorld(seed: 43)
        let sections: [SoftPeer.Section] = [.init(.audio, .sendOnly)]
        try world.join("r", as: .publisher, sections)
        let listener = world.tap("r")
        world.setTapped(world.own(0), true, in: "r")
        world.run(.milliseconds(500))
        let peer = world.peer(0)
        for number in 0..<10 {
            let packet = peer.plainPacket(
                [1, 2, UInt8(number)], ssrc: number < 5 ? 7_001 : 7_002, type: SoftPeer.opus,
                sequence: number < 5 ? 500 + UInt16(number) : 20 + UInt16(number), timestamp: UInt32(number) * 960)
            peer.sendRaw(packet, index: number < 5 ? 500 + UInt64(number) : 20 + UInt64(number))
            world.run(.milliseconds(20))
        }
        listener.read()
        #expect(listener.packets.map(\.packet.stream) == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
        #expect(
            listener.packets.map { UInt16(truncatingIfNeeded: $0.packet.sequence) }.suffix(5) == [25, 26, 27, 28, 29])
        #expect(listener.packets.map { $0.payload[2] } == Array(0..<10))
    }

    @Test func `the publisher's clock is told with its reports, and again when a stream begins`() throws {
        let world = try EngineWorld(seed: 44)
        try world.join("r", as: .publisher, [.init(.audio, .sendOnly), .init(.video, .sendOnly)])
        let listener = world.tap("r")
        let owner = world.own(0)
        world.run(.milliseconds(500))
        let person = SyncedPublisher(world.peer(0), seed: 5, now: world.net.now)
        world.run(.seconds(2)) { now in person.work(now) }
        world.setTapped(owner, true, in: "r")
        listener.read()
        #expect(listener.reports.isEmpty)
        world.run(.milliseconds(200)) { now in person.work(now) }
        listener.read()
        // Those of before, with the first packets.
        #expect(listener.reports.count == 2)
        let asked = world.net.now
        #expect(listener.reports.allSatisfy { $0.arrival + .milliseconds(400) < asked })
        world.run(.seconds(2)) { now in person.work(now) }
        listener.read()
        let audio = try #require(listener.track(.audio))
        let reports = listener.reports.filter { $0.track == audio.number }
        #expect(reports.count == 3)
        for (one, next) in zip(reports, reports.dropFirst()) {
            #expect(next.ntpTime &- one.ntpTime == NTPTime.duration(.seconds(1)))
            #expect(next.timestamp &- one.timestamp == 48_000)
        }
    }

    @Test func `only those who are recorded are said to speak`() throws {
        let world = try EngineWorld(seed: 45)
        for _ in 0..<2 { try world.join("r", as: .publisher, [.init(.audio, .sendOnly)]) }
        let owners = (0..<2).map { world.own($0) }
        let listener = world.tap("r")
        world.setTapped(owners[0], true, in: "r")
        world.run(.milliseconds(500))
        var sequence: SequenceNumber = 1
        for turn in [1, 0, 1] {
            for number in 0..<150 {
                for peer in 0..<2 {
                    world.peer(peer).sendAudio(
                        section: 0, level: peer == turn ? 15 : 120, sequence: sequence,
                        timestamp: UInt32(sequence) * 960, now: world.net.now)
                }
                sequence += 1
                world.run(.milliseconds(20))
                if number % 10 == 0 { listener.read() }
            }
        }
        listener.read()
        let speakers = listener.events.compactMap { event -> UUID?? in
            if case .speaks(let owner, _, _) = event { .some(owner) } else { nil }
        }
        #expect(speakers == [nil, owners[0], nil])
        #expect(Set(listener.packets.map(\.packet.audioLevel)) == [15, 120])
    }

    @Test func `the rotation of a picture comes along`() throws {
        let world = try EngineWorld(seed: 46)
        try world.join("r", as: .publisher, [.init(.video, .sendOnly)]) { peer in
            peer.offer().replacing(
                "a=rtcp-mux\r\n", with: "a=rtcp-mux\r\na=extmap:9 \(RTPExtensionKind.videoOrientation.uri)\r\n")
        }
        let listener = world.tap("r")
        world.setTapped(world.own(0), true, in: "r")
        world.run(.milliseconds(500))
        let peer = world.peer(0)
        let payload: Bytes = [0x10, 0x10, 1, 2, 3, 4, 5]
        for (number, block) in [[0x90, 0x02, 0, 0], [], [0x90, 0x00, 0, 0]].enumerated() {
            let plain = peer.plainPacket(
                payload, ssrc: peer.ssrc(0), type: SoftPeer.vp8, sequence: 50 + UInt16(number), timestamp: 1)
            // The one-byte form, with an element of our own in place of the transport-wide number.
            peer.sendRaw(
                plain[..<12] + [0xBE, 0xDE, 0, UInt8(block.count / 4)] + block.map { UInt8($0) } + payload,
                index: 50 + UInt64(number))
            world.run(.milliseconds(20))
        }
        listener.read()
        #expect(listener.packets.map(\.packet.orientation) == [2, TapPacket.noOrientation, 0])
        #expect(listener.packets.allSatisfy { $0.payload == payload && $0.descriptor.isEmpty })
    }

    @Test func `the dependency descriptor comes along, with all layers of one stream`() throws {
        let world = try EngineWorld(seed: 47)
        try world.join("r", as: .publisher, [.init(.video, .sendOnly)]) { LayeredVideo.edit($0.offer()) }
        let listener = world.tap("r")
        world.setTapped(world.own(0), true, in: "r")
        world.run(.milliseconds(500))
        var video = LayeredVideo(world.peer(0))
        for _ in 0..<30 {
            video.send()
            world.run(.milliseconds(33))
        }
        listener.read()
        #expect(listener.packets.count >= 90)
        #expect(Set(listener.packets.map(\.packet.spatial)) == [0, 1, 2])
        #expect(listener.packets.first?.packet.flags.contains(.keyframe) == true)
        var structure = DependencyStructure()
        for heard in listener.packets {
            let descriptor = try DependencyDescriptor(parsing: heard.descriptor.span.bytes, structure: &structure)
            #expect(descriptor.spatial == heard.packet.spatial)
            #expect(descriptor.temporal == heard.packet.temporal)
        }
    }
}
