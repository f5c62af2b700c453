// Sessions that were revoked, and names that were announced: the little that the server remembers of credentials.

import Base
import Wire

/// Revoked sessions, each until no credential of it can be valid any more.
struct RevokedSessions {
    /// Beyond, the one that would be forgotten first is forgotten now: its credentials have the shortest time left.
    static let countMax = 65_536

    private var ends: [Bytes: Int64] = [:]
    private var nextSweep: Int64 = 0
    /// Between two looks for what can be forgotten.
    private static let sweepSeconds: Int64 = 600

    var count: Int { ends.count }

    mutating func insert(_ session: Bytes, until end: Int64, now: Int64) {
        sweep(now)
        if ends.count >= Self.countMax, ends[session] == nil, let first = ends.min(by: { $0.value < $1.value }) {
            ends[first.key] = nil
        }
        ends[session] = max(end, ends[session] ?? 0)
    }

    func contains(_ session: Bytes) -> Bool { ends[session] != nil }

    private mutating func sweep(_ now: Int64) {
        guard now >= nextSweep else { return }
        nextSweep = now + Self.sweepSeconds
        ends = ends.filter { $0.value > now }
    }
}

/// Names behind the hashes that clients may send instead (USERHASH), each until its own expiry.
struct AnnouncedNames {
    /// Beyond, a name is not remembered: its client gets 401 and, being told by the name's absence that hashes are not
    /// understood, may send the name.
    static let countMax = 65_536

    private var names: [Bytes: Bytes] = [:]
    private var nextSweep: Int64 = 0
    /// Between two looks for what can be forgotten, which are walks.
    private static let sweepSeconds: Int64 = 60

    var count: Int { names.count }

    mutating func insert(_ name: Bytes, hash: Bytes, now: Int64) {
        if now >= nextSweep {
            nextSweep = now + Self.sweepSeconds
            names = names.filter { (CredentialName(parsing: $0.value.span.bytes)?.expiry ?? 0) > now }
        }
        if names.count < Self.countMax { names[hash] = name }
    }

    func name(of hash: Bytes) -> Bytes? { names[hash] }
}
