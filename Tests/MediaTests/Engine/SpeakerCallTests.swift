// Speakers of a room: who is heard, who is dominant, and whose video last-N leaves.

import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct SpeakerCallTests {
    /// People who send audio and one simulcast layer each, and a listener with a section for everybody.
    private struct Meeting {
        let world: EngineWorld
        var people: [SimulcastPublisher] = []
        let listener: Int
        let events = Events()
        final class Events {
            var all: [MediaEvent] = []
        }

        init(_ count: Int, settings: MediaSettings) throws {
            world = try EngineWorld(seed: 5, settings: settings)
            let events = events
            world.engine.onEvent = { events.all.append($0) }
            for _ in 0..<count {
                try world.join("m", as: .publisher, SimulcastCallTests.sending)
            }
            let sections = (0..<count).flatMap { _ in SimulcastCallTests.receiving }
            listener = try world.join("m", as: .viewer, sections)
            world.run(.milliseconds(500))
            for index in 0..<count {
                let person = SimulcastPublisher(world.peer(index), now: world.net.now)
                person.layers = [person.layers[0]]
                person.level = 127
                people.append(person)
            }
        }

        func run(_ seconds: Int) {
            world.run(.seconds(seconds)) { now in
                for person in people { person.work(now) }
            }
        }

        var listenerID: ParticipantID { world.peers[listener].id }

        /// Packets that went to the listener from each person since the start, of a kind.
        func sent(_ kind: MediaKind) -> [UInt64] {
            let subscriptions = world.engine.statistics(of: listenerID, now: world.net.now)?.subscriptions ?? []
            return people.indices.map { index in
                let tracks = world.engine.statistics(of: world.peers[index].id, now: world.net.now)?.tracks ?? []
                return subscriptions.first { one in
                    one.kind == kind && tracks.contains { $0.id == one.track }
                }?.counters.packets ?? 0
            }
        }
    }

    @Test func `in a large room only the loudest are heard, and the dominant one is told`() throws {
        var settings = MediaSettings()
        settings.loudestN = 2
        let meeting = try Meeting(4, settings: settings)
        meeting.run(1)
        meeting.people[1].level = 20
        meeting.people[2].level = 30
        let before = meeting.sent(.audio)
        meeting.run(4)
        let after = meeting.sent(.audio)
        let heard = zip(before, after).map { $1 - $0 }
        print("heard", heard)
        #expect(heard[1] > 190 && heard[2] > 190)
        #expect(heard[0] == 0 && heard[3] == 0)
        #expect(meeting.events.all.contains(.dominantSpeaker(room: "m", meeting.world.peers[1].id)))
        meeting.people[1].level = 127
        meeting.people[2].level = 127
        meeting.people[3].level = 15
        meeting.run(4)
        #expect(meeting.world.engine.dominantSpeaker(ofRoom: "m") == meeting.world.peers[3].id)
        #expect(meeting.sent(.audio)[3] - after[3] > 190)
    }

    @Test func `in a small room everybody is heard`() throws {
        var settings = MediaSettings()
        settings.loudestN = 4
        let meeting = try Meeting(4, settings: settings)
        meeting.run(3)
        #expect(meeting.sent(.audio).allSatisfy { $0 > 140 })
    }

    @Test func `last-N leaves the video of who spoke last, and of who is pinned`() throws {
        var settings = MediaSettings()
        settings.lastN = 1
        let meeting = try Meeting(3, settings: settings)
        meeting.people[2].level = 20
        meeting.run(4)
        let before = meeting.sent(.video)
        meeting.run(2)
        let shown = zip(before, meeting.sent(.video)).map { $1 - $0 }
        print("shown", shown)
        #expect(shown[0] == 0 && shown[1] == 0 && shown[2] > 50)
        // Sections are filled in the order of the people.
        var preference = StreamPreference()
        preference.isPinned = true
        try meeting.world.engine.setPreference(preference, of: "0", for: meeting.listenerID, now: meeting.world.net.now)
        let second = meeting.sent(.video)
        meeting.run(2)
        let pinned = zip(second, meeting.sent(.video)).map { $1 - $0 }
        #expect(pinned.count { $0 > 50 } == 2)
    }
}
