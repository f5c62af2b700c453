// Standing calls: those of places (a channel's voice). Nobody is rung. Who may be in the place may come in, whoever
// comes first begins the call, and it is over some time after the last one has gone; the next one begins another.
//
// Who may be in a place is for who knows places to say: rows bring the question along, and `CallGate` says when the
// answer has changed.

package import Accounts
package import Base
package import Chat

extension CallService {
    /// Enters, or comes back. `mayEnter` throws for who may not; it is asked before, and again when they are in, for they
    /// may have been removed from the place meanwhile.
    package func enter(
        _ place: UUID, by principal: Principal, _ mayEnter: @Sendable () async throws -> Void
    ) async throws -> CallAdmission {
        try Self.requireScope(principal)
        try await mayEnter()
        let id: CallID
        if let known = standing[place] {
            if let other = inCall[principal.user], other != known { throw CallError.alreadyInCall(other) }
            id = known
            try await change(id) { machine, now throws(CallError) in
                try machine.join(principal.user, device: DeviceID(principal), now: now, isMember: true)
            }
        } else {
            id = try await begin(place, by: principal)
        }
        do {
            try await mayEnter()
        } catch {
            await change(id) { machine, now in machine.expel(principal.user, now: now) }
            throw error
        }
        guard let call = live[id]?.machine.call else { throw CallError.over(.ended) }
        return try await admission(id, principal, call)
    }

    private func begin(_ place: UUID, by principal: Principal) async throws(CallError) -> CallID {
        try requireRoom(for: principal.user)
        let now = clock.now()
        let machine = CallMachine(
            CallID.timeOrdered(at: now), NewCall(kind: .video, invited: []), shape: .standing, caller: principal.user,
            device: DeviceID(principal), conversation: place, options: options, now: now)
        let id = machine.call.id
        // Nothing is awaited between the question for the place's call and this: who comes now joins it.
        live[id] = LiveCall(machine: machine)
        standing[place] = id
        liveGauge.add(1)
        inCall[principal.user] = id
        do {
            // Coming into a place is no calling of anybody, and is not counted.
            try await repository.insert(machine.call, limit: nil, since: now, window: .zero)
        } catch {
            // With whoever has come in meanwhile: they are told that the call is over, and come again.
            await change(id) { machine, now in machine.close(.failed, .serverStopped, now: now) }
            forget(id)
            throw error
        }
        live[id]?.isStored = true
        await change(id) { machine, now in machine.begin(busy: [], now: now) }
        return id
    }

    /// Who is not in it has left already.
    package func leave(_ place: UUID, by principal: Principal) async throws(CallError) {
        try Self.requireScope(principal)
        guard let id = standing[place] else { return }
        try await change(id) { machine, now throws(CallError) in
            guard machine.call.participant(principal.user)?.isJoined == true else { return [] }
            return try machine.leave(principal.user, device: DeviceID(principal), now: now)
        }
    }

    /// The call that is on in the place. Who may look has been asked before.
    package func standingCall(of place: UUID) -> CallInfo? { standing[place].flatMap { live[$0]?.machine.call } }
}

extension CallService: CallGate {
    package func cut(_ users: [UserID], from conversation: ConversationID) async {
        guard let id = standing[conversation.uuid] else { return }
        for user in users { await change(id) { machine, now in machine.expel(user, now: now) } }
    }

    package func close(_ conversation: ConversationID) async {
        guard let id = standing[conversation.uuid] else { return }
        await change(id) { machine, now in machine.close(.ended, .endedForAll, now: now) }
    }
}
