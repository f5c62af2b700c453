// What may be done with a key and when: docs/formats/vault.md, "States". Pure: the time is an argument, new material comes
// from a closure, and what came of it is kept by others.

import Base

/// A new version's material as it is kept.
struct WrappedMaterial {
    let fingerprint: String
    let wrapped: Bytes
}

extension KeyBook {
    /// Each is a name that the program or its operator chose; a book is read whole.
    static let keysMax = 64
    /// Destroyed ones are counted: a row a day is three years.
    static let versionsMax = 1_000
    static let destructionWaits: ClosedRange<Duration> = .hours(1) ... .days(365)

    mutating func add(_ key: NamedKey) throws(KeyError) {
        guard keys.count < Self.keysMax else { throw .limitReached("there are \(Self.keysMax) keys already") }
        guard Self.isName(key.name) else {
            throw .invalid("a key's name has 1 to 64 of `a-z`, `0-9`, `.`, `-` and `_`; `\(key.name)` has not")
        }
        keys[key.name] = key
    }

    static func isName(_ name: String) -> Bool {
        (1...64).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2E || $0 == 0x2D || $0 == 0x5F
            }
    }

    /// Adds a version and makes it the active one; the one before opens on, until `oldOpensUntil` where that is said.
    mutating func rotate(
        _ name: String, at now: Timestamp, oldOpensUntil: Timestamp? = nil,
        material: (KeyKind, UInt32) throws(KeyError) -> WrappedMaterial
    ) throws(KeyError) -> UInt32 {
        guard var key = keys[name] else { throw .unknownKey(name) }
        guard key.versions.count < Self.versionsMax else {
            throw .limitReached("the key `\(name)` has had \(Self.versionsMax) versions; that is all it may have")
        }
        for index in key.versions.indices where key.versions[index].state == .active {
            key.versions[index].state = .opening
            key.versions[index].changedAt = now
            key.versions[index].opensUntil = oldOpensUntil
        }
        let number = (key.versions.last?.number ?? 0) + 1
        let made = try material(key.kind, number)
        key.versions.append(
            KeyVersion(
                number: number, state: .active, createdAt: now, changedAt: now, fingerprint: made.fingerprint,
                wrapped: made.wrapped))
        keys[name] = key
        return number
    }

    mutating func disable(_ name: String, _ number: UInt32, at now: Timestamp) throws(KeyError) {
        try change(name, number) { version throws(KeyError) in
            switch version.state {
            case .opening: break
            case .active: throw .state("version \(number) of `\(name)` is the active one; rotate the key first")
            case .disabled: throw .state("version \(number) of `\(name)` is disabled already")
            case .scheduled, .destroyed: throw Self.gone(name, version)
            }
            version.state = .disabled
            version.changedAt = now
        }
    }

    mutating func enable(_ name: String, _ number: UInt32, at now: Timestamp) throws(KeyError) {
        try change(name, number) { version throws(KeyError) in
            switch version.state {
            case .disabled: break
            case .active, .opening: throw .state("version \(number) of `\(name)` is not disabled")
            case .scheduled, .destroyed: throw Self.gone(name, version)
            }
            version.state = .opening
            version.changedAt = now
        }
    }

    /// From now on it opens nothing; at `time` its material goes.
    mutating func scheduleDestruction(
        _ name: String, _ number: UInt32, at now: Timestamp, after wait: Duration
    ) throws(KeyError) -> Timestamp {
        guard Self.destructionWaits.contains(wait) else {
            throw .invalid("the time before a key is destroyed is an hour to 365 days")
        }
        var time = now
        try change(name, number) { version throws(KeyError) in
            switch version.state {
            case .opening, .disabled: break
            case .active: throw .state("version \(number) of `\(name)` is the active one; rotate the key first")
            case .scheduled, .destroyed: throw Self.gone(name, version)
            }
            time = now + wait
            version.state = .scheduled
            version.changedAt = now
            version.destroyAt = time
        }
        return time
    }

    /// It is disabled then: whoever wants it back says so.
    mutating func cancelDestruction(_ name: String, _ number: UInt32, at now: Timestamp) throws(KeyError) {
        try change(name, number) { version throws(KeyError) in
            guard version.state == .scheduled else {
                throw .state("version \(number) of `\(name)` is not to be destroyed: it is \(version.state.rawValue)")
            }
            version.state = .disabled
            version.changedAt = now
            version.destroyAt = nil
        }
    }

    /// Takes the material of all versions whose time has come.
    mutating func destroyDue(at now: Timestamp) -> [(name: String, version: UInt32)] {
        var destroyed: [(name: String, version: UInt32)] = []
        for name in keys.keys.sorted() {
            guard var key = keys[name] else { continue }
            for index in key.versions.indices where key.versions[index].isDue(at: now) {
                key.versions[index].state = .destroyed
                key.versions[index].changedAt = now
                key.versions[index].wrapped = nil
                key.versions[index].destroyAt = nil
                destroyed.append((name, key.versions[index].number))
            }
            keys[name] = key
        }
        return destroyed
    }

    private mutating func change(
        _ name: String, _ number: UInt32, _ body: (inout KeyVersion) throws(KeyError) -> Void
    ) throws(KeyError) {
        guard var key = keys[name] else { throw .unknownKey(name) }
        guard let index = key.versions.firstIndex(where: { $0.number == number }) else {
            throw .unknownVersion(name, number)
        }
        try body(&key.versions[index])
        keys[name] = key
    }

    private static func gone(_ name: String, _ version: KeyVersion) -> KeyError {
        version.state == .destroyed
            ? .state("version \(version.number) of `\(name)` is destroyed")
            : .state("version \(version.number) of `\(name)` is to be destroyed; cancel that first")
    }
}

extension KeyVersion {
    fileprivate func isDue(at now: Timestamp) -> Bool {
        switch state {
        case .scheduled: destroyAt.map { now >= $0 } ?? false
        case .opening, .disabled: opensUntil.map { now >= $0 } ?? false
        case .active, .destroyed: false
        }
    }
}
