// Keys in manual.md's clothes: bare objects, and nothing secret.

import Base
import Vault
import Wire

enum ManualKeyPresenter {
    static func list(_ book: KeyBook, _ keys: VaultKeys, into json: inout JSONWriter) {
        json.array("keys") { json in
            for key in book.keys.values.sorted(by: { $0.name < $1.name }) {
                json.object { Self.key(key, keys, into: &$0) }
            }
        }
        json.field("root_key_epoch", Int64(book.root.epoch))
    }

    static func key(_ key: NamedKey, _ keys: VaultKeys, into json: inout JSONWriter) {
        let definition = keys.definitions.first { $0.name == key.name }
        let active = key.active
        json.field("key_id", key.name)
        json.field("kind", key.kind.rawValue)
        json.field("algorithm", key.kind.algorithm)
        json.field("use", definition?.use)
        json.field("is_in_use", keys.isUsed(key.name))
        json.field("is_post_quantum", key.kind.protection != .classical)
        json.field("active_version", active.map { Int64($0.number) })
        json.field("fingerprint", active?.fingerprint)
        json.field("created_at", key.createdAt)
        json.field("last_rotated_at", active?.createdAt)
        json.field("next_rotation_at", key.rotatesAt)
        json.field("schedule", key.schedule)
        json.field("version_count", key.versions.count)
    }

    static func version(_ version: KeyVersion, of name: String, _ uses: Int, into json: inout JSONWriter) {
        json.field("key_id", "\(name):\(version.number)")
        json.field("version", Int64(version.number))
        json.field("state", version.state.rawValue)
        json.field("fingerprint", version.fingerprint)
        json.field("created_at", version.createdAt)
        json.field("changed_at", version.changedAt)
        json.field("opens_until", version.opensUntil)
        json.field("destroy_at", version.destroyAt)
        json.field("uses", uses)
    }

    private static let keyMembers: [Property] = [
        .required("key_id", .text), .required("kind", .choice(KeyKind.allCases.map(\.rawValue))),
        .required("algorithm", .text), .required("use", .nullable(.text)),
        .required("is_in_use", .boolean, "Something in this process asks for it"),
        .required("is_post_quantum", .boolean, "No quantum computer that is known of breaks it"),
        .required("active_version", .nullable(.count)), .required("fingerprint", .nullable(.text)),
        .required("created_at", .dateTime), .required("last_rotated_at", .nullable(.dateTime)),
        .required("next_rotation_at", .nullable(.dateTime)),
        .required("schedule", .nullable(.text), "null: as the configuration says"),
        .required("version_count", .count),
    ]

    private static let versionSchema = Schema.object([
        .required("key_id", .text), .required("version", .count),
        .required("state", .choice(KeyState.allCases.map(\.rawValue))), .required("fingerprint", .text),
        .required("created_at", .dateTime), .required("changed_at", .dateTime),
        .required("opens_until", .nullable(.dateTime)), .required("destroy_at", .nullable(.dateTime)),
        .required("uses", .count, "How many things still need this version"),
    ])

    static let keySchema = Schema.named(
        "Key", .object(keyMembers + [.required("versions", .array(versionSchema, limit: 1_000))]))

    static let listSchema = Schema.object([
        .required("keys", .array(.named("KeySummary", .object(keyMembers)), limit: 64)),
        .required("root_key_epoch", .count, "How often the root key was replaced"),
    ])
}

/// What a quantum computer would do to it.
enum QuantumProtection: String, CaseIterable {
    /// Safe while either half of it is.
    case hybrid
    /// Keys of 256 bits and hashes: halved at worst.
    case symmetric
    /// Broken, if ever one is large enough.
    case classical
}

extension KeyKind {
    var algorithm: String {
        switch self {
        case .data: "AES-256-GCM"
        case .hybrid: "X-Wing (ML-KEM-768 with X25519)"
        case .ed25519: "Ed25519"
        case .hmac: "HMAC-SHA256"
        }
    }

    var protection: QuantumProtection {
        switch self {
        case .data, .hmac: .symmetric
        case .hybrid: .hybrid
        case .ed25519: .classical
        }
    }
}
