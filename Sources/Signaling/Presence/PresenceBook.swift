// Who is there: leases that devices take and renew. What is not renewed is over by itself, so that a client that
// vanished is not online for ever.
//
// In memory, because a lease says something of this moment only; the last time that somebody was seen is written to the
// database by `sweep`, a batch at a time, so that a restart forgets a minute at most.

package import Base
package import Store
import Synchronization

package struct PresenceOptions: Sendable {
    /// How long a device counts as there after it was last heard of. Sockets renew more often than this.
    package var lease = Duration.minutes(2)
    /// The longest that a client may ask for.
    package var longestLease = Duration.minutes(15)

    package init() {}
}

package final class PresenceBook: Sendable {
    private struct Lease {
        var status: Presence.Status
        var expiresAt: Timestamp
    }

    private struct Entry {
        var leases: [DeviceID: Lease] = [:]
        var isInCall = false
        var lastSeen: Timestamp
        /// What others were told last.
        var told = Presence.Status.offline

        func status(at now: Timestamp) -> Presence.Status {
            let live = leases.values.filter { $0.expiresAt > now }.map(\.status).max() ?? .offline
            // Somebody who chose to look away is in the call all the same.
            return isInCall ? .inCall : live
        }
    }

    private struct State {
        var entries: [UserID: Entry] = [:]
        /// Seen since the last write.
        var unsaved: [UserID: Timestamp] = [:]
    }

    /// Devices of one user that are remembered at a time; beyond it the lease that ends first makes room.
    package static let devicesPerUser = 32
    /// Rows of one write: a sweep's transaction must not keep others waiting.
    private static let batch = 200

    private let database: any Database
    private let clock: Clock
    private let options: PresenceOptions
    private let tell: @Sendable (UserID, Presence) -> Void
    private let state = Mutex(State())

    /// `tell` is called when a user's status is another one, in no particular order, from whichever thread changed it;
    /// it must not wait.
    package init(
        database: any Database, clock: Clock = .system, options: PresenceOptions = PresenceOptions(),
        tell: @escaping @Sendable (UserID, Presence) -> Void = { _, _ in }
    ) {
        self.database = database
        self.clock = clock
        self.options = options
        self.tell = tell
    }

    // MARK: Writing

    /// A device is there, or still is, and says how. Sockets renew while they are open, REST by each PUT; `offline`
    /// gives the lease back.
    package func renew(_ user: UserID, device: DeviceID, _ status: Presence.Status, for time: Duration? = nil) {
        let now = clock.now()
        let length = min(max(time ?? options.lease, .seconds(1)), options.longestLease)
        change(user, now) { entry in
            guard status > .offline else {
                entry.leases[device] = nil
                return
            }
            if entry.leases[device] == nil, entry.leases.count >= Self.devicesPerUser,
                let first = entry.leases.min(by: { $0.value.expiresAt < $1.value.expiresAt })
            {
                entry.leases[first.key] = nil
            }
            // Being in a call is the call's to say.
            entry.leases[device] = Lease(status: min(status, .busy), expiresAt: now + length)
        }
    }

    /// A device says goodbye.
    package func release(_ user: UserID, device: DeviceID) {
        change(user, clock.now()) { $0.leases[device] = nil }
    }

    /// From the call service.
    func setInCall(_ user: UserID, _ isInCall: Bool) {
        change(user, clock.now()) { $0.isInCall = isInCall }
    }

    private func change(_ user: UserID, _ now: Timestamp, _ body: (inout Entry) -> Void) {
        let told = state.withLock { state -> Presence? in
            var entry = state.entries[user] ?? Entry(lastSeen: now)
            body(&entry)
            entry.lastSeen = max(entry.lastSeen, now)
            state.unsaved[user] = entry.lastSeen
            let status = entry.status(at: now)
            defer { state.entries[user] = entry.leases.isEmpty && !entry.isInCall ? nil : entry }
            guard status != entry.told else { return nil }
            entry.told = status
            return Presence(status: status, lastSeen: entry.lastSeen)
        }
        if let told { tell(user, told) }
    }

    // MARK: Reading

    package func presence(of user: UserID) async throws(StoreError) -> Presence {
        let now = clock.now()
        let known = state.withLock { state -> Presence? in
            if let entry = state.entries[user] {
                let status = entry.status(at: now)
                return Presence(status: status, lastSeen: status > .offline ? now : entry.lastSeen)
            }
            return state.unsaved[user].map { Presence(status: .offline, lastSeen: $0) }
        }
        if let known { return known }
        let rows = try await database.query("SELECT seen_at FROM presence_seen WHERE user_id = \(user)")
        return Presence(status: .offline, lastSeen: try rows.first?.timestamp(0))
    }

    /// Who of these is there now; from memory alone.
    package func online(among users: [UserID]) -> Set<UserID> {
        let now = clock.now()
        return state.withLock { state in
            Set(users.filter { state.entries[$0].map { $0.status(at: now) > .offline } ?? false })
        }
    }

    // MARK: Time

    /// Ends leases that were not renewed, and tells of it. Called every second or so.
    package func advance() {
        let now = clock.now()
        let changed = state.withLock { state -> [(UserID, Presence)] in
            var changed: [(UserID, Presence)] = []
            for (user, entry) in state.entries where entry.leases.contains(where: { $0.value.expiresAt <= now }) {
                var entry = entry
                let last = entry.leases.values.map(\.expiresAt).max() ?? now
                entry.leases = entry.leases.filter { $0.value.expiresAt > now }
                let status = entry.status(at: now)
                if status == .offline { entry.lastSeen = max(entry.lastSeen, min(last, now) - options.lease) }
                if status != entry.told {
                    entry.told = status
                    changed.append((user, Presence(status: status, lastSeen: entry.lastSeen)))
                }
                state.entries[user] = entry.leases.isEmpty && !entry.isInCall ? nil : entry
            }
            return changed
        }
        for (user, presence) in changed { tell(user, presence) }
    }

    /// Writes who was seen. What cannot be written is tried again the next time.
    package func sweep() async throws(StoreError) {
        let now = clock.now()
        let seen = state.withLock { state in
            // Who is there now was seen now.
            for (user, entry) in state.entries where entry.status(at: now) > .offline { state.unsaved[user] = now }
            defer { state.unsaved = [:] }
            return state.unsaved
        }
        var rest = seen.sorted { $0.key < $1.key }[...]
        while !rest.isEmpty {
            let batch = Array(rest.prefix(Self.batch))
            do {
                try await write(batch)
            } catch {
                let unwritten = Array(rest)
                state.withLock { state in
                    for (user, time) in unwritten { state.unsaved[user] = max(state.unsaved[user] ?? time, time) }
                }
                throw error
            }
            rest = rest.dropFirst(batch.count)
        }
    }

    private func write(_ seen: [(key: UserID, value: Timestamp)]) async throws(StoreError) {
        try await database.transaction { (transaction) async throws(StoreError) in
            for (user, time) in seen {
                // From a SELECT: somebody who was deleted meanwhile gets no row.
                try await transaction.execute(
                    """
                    INSERT INTO presence_seen (user_id, seen_at) SELECT id, \(time) FROM users WHERE id = \(user) \
                    ON CONFLICT (user_id) DO UPDATE SET seen_at = excluded.seen_at
                    """)
            }
        }
    }
}
