// A recorder hears what people send, through the whole engine: every byte of those who agreed, and nothing of others.

import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct TapCallTests {
    static let sections: [SoftPeer.Section] = [.init(.audio, .sendReceive), .init(.video, .sendReceive)]

    /// People in one room, and who listens.
    struct Call {
        let world: EngineWorld
        let people: [RecordedPerson]
        let owners: [UUID]
        let listener: TapListener

        init(_ count: Int, seed: UInt64, link: SimLink? = nil, capacity: Int = TapPipe.capacity) throws {
            let world = try EngineWorld(seed: seed)
            for _ in 0..<count {
                let up = link.map { [world.net.add($0)] } ?? []
                try world.join("r", as: .publisher, TapCallTests.sections, up: up)
            }
            owners = (0..<count).map { _ in .random() }
            for number in 0..<count { world.own(number, by: owners[number]) }
            listener = world.tap("r", capacity: capacity)
            world.run(.milliseconds(800))
            people = (0..<count).map { RecordedPerson(world.peer($0), seed: seed &+ UInt64($0), now: world.net.now) }
            self.world = world
        }

        func run(_ duration: Duration, reading: Bool = true) {
            world.run(duration) { now in
                for person in people { person.work(now) }
                if reading { listener.read() }
            }
            // What is under way comes.
            world.run(.milliseconds(300))
            if reading { listener.read() }
        }

        func setTapped(_ number: Int, _ isTapped: Bool) { world.setTapped(owners[number], isTapped, in: "r") }

        /// The track of a person that began last.
        func track(_ number: Int, _ kind: MediaKind) -> TapTrack? {
            listener.tracks.last { $0.owner == owners[number] && $0.kind == kind }
        }

        /// What was heard of somebody, by sequence number, and whether anything came twice.
        func heard(_ number: Int, _ kind: MediaKind) -> (packets: [UInt64: Bytes], repeated: Int) {
            var packets: [UInt64: Bytes] = [:]
            var repeated = 0
            let tracks = listener.tracks.filter { $0.owner == owners[number] && $0.kind == kind }.map(\.number)
            for heard in listener.packets where tracks.contains(heard.packet.track) {
                if packets.updateValue(heard.payload, forKey: heard.packet.sequence) != nil { repeated += 1 }
            }
            return (packets, repeated)
        }
    }

    @Test func `a publisher whom nobody watches is heard to the last byte`() throws {
        let call = try Call(1, seed: 31)
        call.setTapped(0, true)
        call.run(.seconds(4))
        for kind in [MediaKind.audio, .video] {
            let (packets, repeated) = call.heard(0, kind)
            #expect(packets == (kind == .audio ? call.people[0].audio : call.people[0].video))
            #expect(packets.count > 190)
            #expect(repeated == 0)
        }
        let video = try #require(call.track(0, .video))
        #expect(video.mid == "1" && video.trackID == "track1" && video.layerCount == 1 && !video.isHeld)
        #expect(video.codecs.contains { $0.codec == .vp8 && $0.clockRate == 90_000 && $0.payloadType == SoftPeer.vp8 })
        let frames = call.listener.packets(of: video.number)
        #expect(frames.allSatisfy { $0.packet.payloadType == SoftPeer.vp8 && $0.packet.stream == 0 })
        #expect(frames.count { $0.packet.flags.contains(.marker) } == frames.count / RecordedPerson.packetsOfFrame)
        #expect(frames.first?.packet.flags == [.keyframe, .startsFrame])
        #expect(frames.first?.packet.timestamp == 0)
        #expect(zip(frames, frames.dropFirst()).allSatisfy { $0.packet.arrival <= $1.packet.arrival })
        #expect(call.listener.gaps.isEmpty)
    }

    @Test(arguments: [UInt64(1), 2, 3]) func `what is lost on the way is asked for and heard`(seed: UInt64) throws {
        var link = SimLink(delay: .milliseconds(20))
        link.loss = .random(0.1)
        link.reorder = 0.05
        link.duplicate = 0.05
        let call = try Call(1, seed: seed, link: link)
        try #require(call.world.peer(0).phase == .connected)
        call.setTapped(0, true)
        call.run(.seconds(6))
        let (video, repeated) = call.heard(0, .video)
        #expect(repeated == 0)
        #expect(call.world.peer(0).nacksReceived > 30)
        for (sequence, payload) in video { #expect(call.people[0].video[sequence] == payload) }
        // The very last ones are overtaken by nobody, and never known to be missing.
        let sent = call.people[0].video.keys.sorted().dropLast(4)
        #expect(sent.allSatisfy { video[$0] != nil })
        // Audio is not repaired: what came is heard.
        let (audio, twice) = call.heard(0, .audio)
        #expect(twice == 0)
        #expect(audio.count > call.people[0].audio.count * 8 / 10)
        for (sequence, payload) in audio { #expect(call.people[0].audio[sequence] == payload) }
    }

    @Test func `nobody is heard who was not named, and whoever was, from then on`() throws {
        let call = try Call(2, seed: 32)
        call.run(.seconds(1))
        #expect(call.listener.tracks.isEmpty)
        #expect(call.listener.packets.isEmpty)
        call.setTapped(1, true)
        let before = call.people[1].video.count
        let asked = call.people[1].peer.keyframeRequests
        call.run(.seconds(1))
        #expect(Set(call.listener.tracks.map(\.owner)) == [call.owners[1]])
        #expect(call.heard(1, .video).packets.count == call.people[1].video.count - before)
        #expect(call.heard(0, .video).packets.isEmpty)
        // It began in the middle: a keyframe was asked for, of him alone.
        #expect(call.people[1].peer.keyframeRequests == asked + 1)
        #expect(call.listener.packets.contains { $0.packet.flags.contains(.keyframe) })
    }

    @Test func `nothing is heard of somebody who takes it back, and of the others everything`() throws {
        let call = try Call(2, seed: 33)
        for number in 0..<2 { call.setTapped(number, true) }
        call.run(.seconds(1))
        call.setTapped(0, false)
        let end = call.listener.pipe.unread
        call.listener.read()
        #expect(end > 0)
        let heard = call.heard(0, .video).packets.count
        let ended = call.listener.tracks.filter { $0.owner == call.owners[0] }.map(\.number)
        #expect(ended.count == 2)
        #expect(ended.allSatisfy { call.listener.ends[$0] == .withdrawn })
        call.run(.seconds(1))
        #expect(call.heard(0, .video).packets.count == heard)
        #expect(call.heard(1, .video).packets == call.people[1].video)
        // And agrees again: other tracks.
        call.setTapped(0, true)
        call.run(.seconds(1))
        #expect(call.listener.tracks.count { $0.owner == call.owners[0] } == 4)
        #expect(call.heard(0, .video).packets.count > heard + 50)
        #expect(Set(call.listener.tracks.map(\.number)).count == call.listener.tracks.count)
    }

    @Test func `somebody who agreed before is heard when he comes, on every device`() throws {
        let call = try Call(1, seed: 34)
        let owner = UUID.random()
        call.world.setTapped(owner, true, in: "r")
        var people: [RecordedPerson] = []
        for _ in 0..<2 {
            let number = try call.world.join("r", as: .publisher, Self.sections)
            call.world.own(number, by: owner)
            people.append(RecordedPerson(call.world.peer(number), seed: 9, now: call.world.net.now))
        }
        call.world.run(.milliseconds(500))
        call.world.run(.seconds(1)) { now in for person in people { person.work(now) } }
        call.listener.read()
        let tracks = call.listener.tracks.filter { $0.kind == .video }
        #expect(tracks.map(\.owner) == [owner, owner])
        #expect(Set(tracks.map(\.session)).count == 2)
        for track in tracks { #expect(call.listener.packets(of: track.number).count > 80) }
    }

    @Test func `somebody leaves, and the recorder is told`() throws {
        let call = try Call(2, seed: 35)
        for number in 0..<2 { call.setTapped(number, true) }
        call.run(.milliseconds(500))
        call.world.engine.leave(call.world.id(0), now: call.world.net.now)
        call.listener.read()
        for kind in [MediaKind.audio, .video] {
            let track = try #require(call.track(0, kind))
            #expect(call.listener.ends[track.number] == .unpublished)
            let other = try #require(call.track(1, kind))
            #expect(call.listener.ends[other.number] == nil)
        }
        #expect(call.heard(0, .video).packets == call.people[0].video)
        // The room ends with the last; the tap does not.
        call.world.engine.leave(call.world.id(1), now: call.world.net.now)
        #expect(call.world.engine.rooms["r"] == nil)
        #expect(call.world.engine.taps.count == 1)
        call.world.engine.stopTap(ofRoom: "r", now: call.world.net.now)
        call.listener.read()
        #expect(call.listener.end == .stopped)
        #expect(call.world.engine.taps.isEmpty)
    }

    @Test func `the end of a tap ends its tracks, and packets cost nothing more`() throws {
        let call = try Call(1, seed: 36)
        call.setTapped(0, true)
        call.run(.milliseconds(500))
        call.world.engine.stopTap(ofRoom: "r", now: call.world.net.now)
        let tracks = call.world.engine.rooms["r"]?.participants.flatMap(\.tracks) ?? []
        #expect(tracks.count == 2 && tracks.allSatisfy { $0.tap == nil })
        call.run(.milliseconds(500))
        #expect(call.listener.end == .stopped)
        #expect(Array(call.listener.ends.values) == [.stopped, .stopped])
        #expect(call.heard(0, .video).packets.count < call.people[0].video.count)
        // Another one may follow.
        let second = call.world.tap("r")
        call.setTapped(0, true)
        call.world.run(.milliseconds(500)) { now in call.people[0].work(now) }
        second.read()
        #expect(second.packets.count > 40)
        #expect(second.tracks.map(\.number) == [1, 2])
    }

    @Test func `who is muted is not heard, and begins again with a keyframe`() throws {
        let call = try Call(1, seed: 37)
        let engine = call.world.engine
        call.setTapped(0, true)
        call.run(.milliseconds(500))
        try engine.hold(.video, of: call.world.id(0), now: call.world.net.now)
        let (held, asked) = (call.people[0].video.count, call.people[0].peer.keyframeRequests)
        call.run(.milliseconds(500))
        try engine.hold([], of: call.world.id(0), now: call.world.net.now)
        let resumed = call.people[0].video.count
        #expect(resumed > held)
        call.run(.milliseconds(500))
        let (video, _) = call.heard(0, .video)
        let sent = call.people[0].video.keys.sorted()
        #expect(sent.allSatisfy { (video[$0] != nil) == ($0 < sent[held] || $0 >= sent[resumed]) })
        #expect(call.heard(0, .audio).packets == call.people[0].audio)
        #expect(call.people[0].peer.keyframeRequests == asked + 1)
        let track = try #require(call.track(0, .video))
        let holds = call.listener.events.compactMap { event -> Bool? in
            if case .held(track.number, let isHeld, _) = event { isHeld } else { nil }
        }
        #expect(holds == [true, false])
    }

    @Test func `a reader that is too slow is told what it missed, and the call goes on`() throws {
        let call = try Call(2, seed: 38, capacity: 1 << 17)
        call.setTapped(0, true)
        call.run(.seconds(3), reading: false)
        let asked = call.people[0].peer.keyframeRequests
        call.listener.read()
        let (first, repeated) = call.heard(0, .video)
        #expect(repeated == 0)
        #expect(first.count > 50)
        #expect(first.count < call.people[0].video.count / 2)
        call.run(.seconds(1))
        let video = try #require(call.track(0, .video))
        let audio = try #require(call.track(0, .audio))
        for (track, kind) in [(video, MediaKind.video), (audio, .audio)] {
            let missed = call.listener.gaps.filter { $0.track == track.number }.reduce(0) { $0 + Int($1.packets) }
            let sent = kind == .video ? call.people[0].video : call.people[0].audio
            let (heard, repeated) = call.heard(0, kind)
            #expect(repeated == 0)
            #expect(missed > 50)
            #expect(heard.count + missed == sent.count)
        }
        // The picture has a hole: it begins anew.
        #expect(call.people[0].peer.keyframeRequests > asked)
        // Who watches did not notice.
        let viewer = call.world.peer(1)
        #expect(viewer.streams.values.contains { $0.markers >= 110 && $0.duplicates == 0 })
    }

    @Test func `a gap that nothing follows is told with the end of its track`() throws {
        let call = try Call(1, seed: 39, capacity: 1 << 17)
        call.setTapped(0, true)
        call.run(.seconds(2), reading: false)
        call.world.engine.leave(call.world.id(0), now: call.world.net.now)
        call.listener.read()
        let unsaid = call.listener.events.reduce(into: [UInt32: Int]()) { unsaid, event in
            if case .trackEnded(let track, .unpublished, let count, _) = event { unsaid[track] = Int(count) }
        }
        for kind in [MediaKind.audio, .video] {
            let track = try #require(call.track(0, kind))
            let gaps = call.listener.gaps.filter { $0.track == track.number }.reduce(0) { $0 + Int($1.packets) }
            let sent = kind == .video ? call.people[0].video : call.people[0].audio
            #expect(call.heard(0, kind).packets.count + gaps + unsaid[track.number, default: 0] == sent.count)
            #expect(unsaid[track.number, default: 0] > 0)
        }
    }
}
