// What is kept of the vault's keys, as values: docs/formats/vault.md, "Named keys". A book is small (some keys with some
// versions each), so it is read and compared whole; what may be done with it is in `KeyBook+Changes.swift`.

package import Base
import Crypto

package enum KeyKind: String, Sendable, CaseIterable {
    /// Seals values: AES-256-GCM.
    case data
    /// Opens age files that were written for it: ML-KEM-768 with X25519.
    case hybrid = "mlkem768x25519"
    case ed25519
    /// Authenticates, and has other keys derived from it: HMAC-SHA256, HKDF-SHA256.
    case hmac

    /// Of the material of each kind: a key, or a seed.
    static let materialCount = 32
}

package enum KeyState: String, Sendable, CaseIterable {
    /// Seals, signs, receives; one version of a key is.
    case active
    /// Opens and verifies what it once made.
    case opening = "opening-only"
    /// Nothing, until it is enabled again.
    case disabled
    /// Nothing, and destroyed at a time that is set; until then that can be taken back.
    case scheduled = "destroy-scheduled"
    /// The material is gone; the row stays as a record.
    case destroyed

    package var mayOpen: Bool { self == .active || self == .opening }
}

package struct KeyVersion: Sendable, Equatable {
    package let number: UInt32
    package var state: KeyState
    package let createdAt: Timestamp
    package var changedAt: Timestamp
    /// Nothing that it made counts after this: it is destroyed then, without further waiting.
    package var opensUntil: Timestamp?
    package var destroyAt: Timestamp?
    /// Tells the version from others, and nothing about it.
    package let fingerprint: String
    /// `nil` once it is destroyed.
    package var wrapped: Bytes?

    package init(
        number: UInt32, state: KeyState, createdAt: Timestamp, changedAt: Timestamp, opensUntil: Timestamp? = nil,
        destroyAt: Timestamp? = nil, fingerprint: String, wrapped: Bytes?
    ) {
        self.number = number
        self.state = state
        self.createdAt = createdAt
        self.changedAt = changedAt
        self.opensUntil = opensUntil
        self.destroyAt = destroyAt
        self.fingerprint = fingerprint
        self.wrapped = wrapped
    }
}

package struct NamedKey: Sendable, Equatable {
    package let name: String
    package let kind: KeyKind
    package let createdAt: Timestamp
    /// As `KeySchedule` reads it; `nil`: as the policy of the configuration says.
    package var schedule: String?
    package var rotatesAt: Timestamp?
    /// By number.
    package var versions: [KeyVersion]

    package init(
        name: String, kind: KeyKind, createdAt: Timestamp, schedule: String? = nil, rotatesAt: Timestamp? = nil,
        versions: [KeyVersion] = []
    ) {
        self.name = name
        self.kind = kind
        self.createdAt = createdAt
        self.schedule = schedule
        self.rotatesAt = rotatesAt
        self.versions = versions
    }

    package var active: KeyVersion? { versions.last { $0.state == .active } }
}

/// What belongs to the root key.
package struct RootRecord: Sendable, Equatable {
    /// Counts the changes of the whole book. A change that was prepared from another one is not applied.
    package var revision: Int64
    /// Counts root keys.
    package var epoch: UInt32
    package var check: Bytes
    /// The base key, wrapped; `nil` while it is the root key itself.
    package var base: Bytes?
    /// Salt and costs, for a root key that comes from a passphrase.
    package var passphrase: String?
    /// `nil` where there are no named keys yet.
    package var mac: Bytes?

    package init(
        revision: Int64 = 0, epoch: UInt32 = 0, check: Bytes, base: Bytes? = nil, passphrase: String? = nil,
        mac: Bytes? = nil
    ) {
        self.revision = revision
        self.epoch = epoch
        self.check = check
        self.base = base
        self.passphrase = passphrase
        self.mac = mac
    }
}

package struct KeyBook: Sendable, Equatable {
    package var root: RootRecord
    package var keys: [String: NamedKey]

    package init(root: RootRecord, keys: [String: NamedKey] = [:]) {
        self.root = root
        self.keys = keys
    }

    package func version(_ number: UInt32, of name: String) -> KeyVersion? {
        keys[name]?.versions.first { $0.number == number }
    }

    /// What is authenticated of it: every field behind its length, so that no two books have one form.
    var canonical: Bytes {
        var form = CanonicalForm("plexichat vault book 1")
        form.append(root.revision)
        form.append(Int64(root.epoch))
        form.append(root.check)
        form.append(root.base)
        form.append(root.passphrase.map { Bytes($0.utf8) })
        form.append(Int64(keys.count))
        for key in keys.values.sorted(by: { $0.name < $1.name }) {
            form.append(Bytes(key.name.utf8))
            form.append(Bytes(key.kind.rawValue.utf8))
            form.append(key.createdAt.microsecondsSinceEpoch)
            form.append(key.schedule.map { Bytes($0.utf8) })
            form.append(key.rotatesAt)
            form.append(Int64(key.versions.count))
            for version in key.versions { form.append(version) }
        }
        return form.bytes
    }
}

private struct CanonicalForm {
    private(set) var bytes: Bytes

    init(_ title: String) { bytes = Bytes(title.utf8) }

    mutating func append(_ number: Int64) {
        let word = UInt64(bitPattern: number)
        append((0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) })
    }

    mutating func append(_ field: Bytes) {
        let count = UInt64(field.count)
        bytes += (0..<8).map { UInt8(truncatingIfNeeded: count >> UInt64(56 - 8 * $0)) }
        bytes += field
    }

    mutating func append(_ field: Bytes?) {
        bytes.append(field == nil ? 0 : 1)
        append(field ?? [] as Bytes)
    }

    mutating func append(_ time: Timestamp?) {
        bytes.append(time == nil ? 0 : 1)
        append(time?.microsecondsSinceEpoch ?? 0)
    }

    mutating func append(_ version: KeyVersion) {
        append(Int64(version.number))
        append(Bytes(version.state.rawValue.utf8))
        append(version.createdAt.microsecondsSinceEpoch)
        append(version.changedAt.microsecondsSinceEpoch)
        append(version.opensUntil)
        append(version.destroyAt)
        append(Bytes(version.fingerprint.utf8))
        append(version.wrapped.map { SHA256.hash($0) })
    }
}
