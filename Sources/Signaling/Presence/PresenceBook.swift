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
        /// Open sockets of each device: while there is one, its lease goes on.
        var sockets: [DeviceID: Int] = [:]
        var isInCall = false
        var lastSeen: Timestamp
        /// What others were told last.
        var told = Presence.Status.offline

        func status(at now: Timestamp) -> Presence.Status {
            let live = leases.values.filter { $0.expiresAt > now }.map(\.status).max() ?? .offline
            // Somebody who chose to look away is in the call all the same.
            return isInCall ? .inCall : live
        }

        var isEmpty: Bool { leases.isEmpty && sockets.isEmpty && !isInCall }

        mutating func set(_ lease: Lease, of device: DeviceID) {
            if leases[device] == nil, leases.count >= PresenceBook.devicesPerUser,
                let first = leases.min(by: { $0.value.expiresAt < $1.value.expiresAt })
            {
                leases[first.key] = nil
            }
            leases[device] = lease
        }

        /// What a device with an open socket shows goes on.
        mutating func renewSockets(_ now: Timestamp, until end: Timestamp) {
            for (device, lease) in leases where lease.expiresAt <= now && sockets[device] != nil {
                leases[device] = Lease(status: lease.status, expiresAt: end)
            }
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
    /// gives the lease back, or is what a device with an open socket shows.
    package func renew(_ user: UserID, device: DeviceID, _ status: Presence.Status, for time: Duration? = nil) {
        let now = clock.now()
        let length = min(max(time ?? options.lease, .seconds(1)), options.longestLease)
        change(user, now) { entry in
            guard status > .offline || entry.sockets[device] != nil else {
                entry.leases[device] = nil
                return
            }
            // Being in a call is the call's to say.
            entry.set(Lease(status: min(status, .busy), expiresAt: now + length), of: device)
        }
    }

    /// A device has a socket: it is there until that closes, and online unless it has said something else.
    func opened(by user: UserID, device: DeviceID) {
        let now = clock.now()
        change(user, now) { entry in
            entry.sockets[device, default: 0] += 1
            guard entry.leases[device] == nil else { return }
            entry.set(Lease(status: .online, expiresAt: now + options.lease), of: device)
        }
    }

    /// After the last one the lease ends by itself, unless the device comes back: a network that changes is not
    /// somebody who goes.
    func closed(by user: UserID, device: DeviceID) {
        let now = clock.now()
        change(user, now) { entry in
            guard let count = entry.sockets[device] else { return }
            entry.sockets[device] = count > 1 ? count - 1 : nil
            guard count == 1, let lease = entry.leases[device] else { return }
            let end = max(lease.expiresAt, now + options.lease)
            entry.leases[device] = lease.status > .offline ? Lease(status: lease.status, expiresAt: end) : nil
        }
    }

    /// A device says goodbye.
    package func release(_ user: UserID, device: DeviceID) {
        change(user, clock.now()) { $0.leases[device] = nil }
    }

    /// Nobody is there any more who could be.
    func forget(_ user: UserID) {
        change(user, clock.now()) { entry in
            entry.leases = [:]
            entry.sockets = [:]
        }
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
            defer { state.entries[user] = entry.isEmpty ? nil : entry }
            guard status != entry.told else { return nil }
            entry.told = status
            return Presence(status: status, lastSeen: entry.lastSeen)
        }
        if let told { tell(user, told) }
    }

    // MARK: Reading

    package func presence(of user: UserID) async throws(StoreError) -> Presence {
        if let known = known(user) { return known }
        let rows = try await database.query("SELECT seen_at FROM presence_seen WHERE user_id = \(user)")
        return Presence(status: .offline, lastSeen: try rows.first?.timestamp(0))
    }

    /// Without the database; `nil` for who was not seen lately.
    func known(_ user: UserID) -> Presence? {
        let now = clock.now()
        return state.withLock { state in
            if let entry = state.entries[user] {
                let status = entry.status(at: now)
                return Presence(status: status, lastSeen: status > .offline ? now : entry.lastSeen)
            }
            return state.unsaved[user].map { Presence(status: .offline, lastSeen: $0) }
        }
    }

    /// Of many at once, with one query at most. Who was never seen, or does not exist, is offline.
    package func presences(of users: [UserID]) async throws(StoreError) -> [UserID: Presence] {
        let absent = state.withLock { state in
            users.filter { state.entries[$0] == nil && state.unsaved[$0] == nil }
        }
        var seen: [UserID: Timestamp] = [:]
        if !absent.isEmpty {
            let rows = try await database.query(
                "SELECT user_id, seen_at FROM presence_seen WHERE user_id IN (\(list: absent))")
            for row in rows { seen[try row.identifier(0)] = try row.timestamp(1) }
        }
        let now = clock.now()
        // Looked at again: who has come while the database was asked is there.
        return state.withLock { state in
            var presences: [UserID: Presence] = [:]
            for user in users {
                let status = state.entries[user]?.status(at: now) ?? .offline
                let lastSeen = state.entries[user]?.lastSeen ?? state.unsaved[user] ?? seen[user]
                presences[user] = Presence(status: status, lastSeen: status > .offline ? now : lastSeen)
            }
            return presences
        }
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
                entry.renewSockets(now, until: now + options.lease)
                let last = entry.leases.values.map(\.expiresAt).max() ?? now
                entry.leases = entry.leases.filter { $0.value.expiresAt > now }
                let status = entry.status(at: now)
                if status == .offline { entry.lastSeen = max(entry.lastSeen, min(last, now) - options.lease) }
                if status != entry.told {
                    entry.told = status
                    changed.append((user, Presence(status: status, lastSeen: entry.lastSeen)))
                }
                state.entries[user] = entry.isEmpty ? nil : entry
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
