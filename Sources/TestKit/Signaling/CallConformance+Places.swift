// Calls of places: nobody is rung, who may be there comes and goes.

import Accounts
import Base
import Chat
import Signaling

extension CallConformance {
    private static func enter(
        _ place: ConversationID, _ principal: Principal, _ calls: TestCalls
    ) async throws -> CallInfo {
        try await calls.service.enter(place.uuid, by: principal) {}.call
    }

    private static func found(_ id: CallID?) throws -> CallID {
        guard let id else { throw ConformanceFailure(description: "there is no call") }
        return id
    }

    static let places: [Check] = [
        Check("a place has one call, in which members come and go") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let place = ConversationID(.random())
            calls.world.connect(bob.user)
            let first = try await enter(place, alice, calls)
            try requireEqual(first.shape, .standing)
            try requireEqual(first.state, .ongoing)
            try require(calls.world.told(bob.user).isEmpty, "somebody is rung")
            try requireEqual(try await enter(place, bob, calls).id, first.id)
            try requireEqual(Set(calls.world.admitted(first.id).keys), [alice.user, bob.user])
            try await calls.service.leave(place.uuid, by: alice)
            try requireEqual(Set(calls.world.admitted(first.id).keys), [bob.user])
            try requireEqual(await calls.service.standingCall(of: place.uuid)?.joined, [bob.user])
            try requireEqual(try await enter(place, alice, calls).id, first.id)
            try await calls.service.leave(place.uuid, by: alice)
            try await calls.service.leave(place.uuid, by: bob)
            try await calls.service.leave(place.uuid, by: bob)
            await calls.advance(calls.service.options.emptyGrace + .seconds(1))
            try requireEqual(try await calls.service.call(first.id, for: bob).state, .ended)
            try require(await calls.service.standingCall(of: place.uuid) == nil, "the call goes on")
            try require(try await enter(place, bob, calls).id != first.id, "a call that is over is entered")
            let history = try await calls.service.history(
                of: alice.user, conversation: place.uuid, offset: 0, limit: 10)
            try requireEqual(history.items.map(\.id), [first.id])
        },
        Check("coming into places is no calling, and is not counted") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            for _ in 0..<12 {
                let place = ConversationID(.random())
                _ = try await enter(place, alice, calls)
                try await calls.service.leave(place.uuid, by: alice)
            }
            _ = try await calls.call(alice, bob)
        },
        Check("who loses the place is cut before that returns, and comes back as a member only") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let place = ConversationID(.random())
            let id = try await enter(place, alice, calls).id
            _ = try await enter(place, bob, calls)
            await calls.service.cut([bob.user], from: place)
            try requireEqual(Set(calls.world.admitted(id).keys), [alice.user])
            try await requireCallRefusal(.notJoined) { try await calls.service.join(id, by: bob) }
            try await requireCallRefusal(.notJoined) { try await calls.service.attach(id, by: bob) }
            _ = try await enter(place, bob, calls)
            try requireEqual(Set(calls.world.admitted(id).keys), [alice.user, bob.user])
            await calls.service.close(place)
            try require(calls.world.admitted(id).isEmpty && calls.world.isClosed(id), "media goes on")
            try requireEqual(try await calls.service.call(id, for: bob).state, .ended)
        },
        Check("who may not enter does not, and whose right goes while they enter is taken out") { calls in
            struct Refused: Error {}
            let alice = try await calls.person("alice")
            let place = ConversationID(.random())
            try await requireError(
                Refused.self, { _ = try await calls.service.enter(place.uuid, by: alice) { throw Refused() } },
                matches: { _ in true })
            try requireEqual(await calls.service.liveCount, 0)
            let times = Gauge()
            try await requireError(
                Refused.self,
                {
                    _ = try await calls.service.enter(place.uuid, by: alice) {
                        times.add(1)
                        if times.current > 1 { throw Refused() }
                    }
                }, matches: { _ in true })
            let id = try found(await calls.service.standingCall(of: place.uuid)?.id)
            try require(calls.world.admitted(id).isEmpty, "they are still in it")
        },
        Check("two who come first at once are in one call") { calls in
            var people: [Principal] = []
            for number in 0..<6 { people.append(try await calls.person("person\(number)")) }
            let place = ConversationID(.random())
            let ids = try await withThrowingTaskGroup(of: CallID.self) { group in
                for person in people { group.addTask { try await enter(place, person, calls).id } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            try requireEqual(ids.count, 1)
            let id = try found(ids.first)
            try requireEqual(Set(calls.world.admitted(id).keys), Set(people.map(\.user)))
            for person in people { try await calls.service.leave(place.uuid, by: person) }
            await calls.advance(calls.service.options.emptyGrace + .seconds(1))
            try requireEqual(try await calls.service.call(id, for: people[5]).participants.count, 6)
        },
        Check("who is in another call is told so, and not let in") { calls in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let id = try await calls.call(alice, bob)
            let place = ConversationID(.random())
            try await requireCallRefusal(.alreadyInCall(id)) { _ = try await enter(place, alice, calls) }
            _ = try await enter(place, bob, calls)
            try await requireCallRefusal(.alreadyInCall(id)) { _ = try await enter(place, alice, calls) }
        },
    ]
}
