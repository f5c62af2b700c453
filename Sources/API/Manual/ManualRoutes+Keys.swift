// manual.md, "Key Management & Rotation" and "Quantum-Ready Encryption Status". The documents name the rows; what stands in
// them is ours: docs/protocol/keys.md.

import Accounts
import Base
import Vault
import Wire

extension ManualRoutes {
    static var keys: [Route] {
        [
            .get(
                "/security/keys", .scope(.securityAdmin), "All keys, without what is secret about them",
                limit: .admin, answer: ManualKeyPresenter.listSchema
            ) { call in
                let book = try await call.accounts.keyBook(by: .principal(try call.principal))
                let keys = call.accounts.keys
                return ManualCallPresenter.reply { ManualKeyPresenter.list(book, keys, into: &$0) }
            },
            .post(
                "/security/keys/rotate", .scope(.securityAdmin), "Rotate a key, now or by a schedule", limit: .admin,
                body: .json(
                    .object([
                        .required("key_id", .text(1...64), "The key's name"),
                        .optional(
                            "schedule", .nullable(.text(1...200)),
                            "`90d`, or five fields as cron has them, in UTC; null: as the configuration says"),
                        .optional("rotate_at", .dateTime, "The first rotation, where it is not the schedule's next"),
                        .optional(
                            "now", .boolean, "Rotate now as well; true where neither schedule nor rotate_at is given"),
                    ])), answer: ManualKeyPresenter.keySchema
            ) { call in try await rotate(call) },
            .get(
                "/security/keys/{key_id}", .scope(.securityAdmin), "One key with its versions, or one version",
                limit: .admin, answer: ManualKeyPresenter.keySchema
            ) { call in try await describe(try KeyReference(call.parameter("key_id")), call) },
            .delete(
                "/security/keys/{key_id}", .scope(.securityAdmin), "Have a version of a key destroyed", limit: .admin,
                query: [
                    Parameter("force", .boolean, "Also when it still opens something, which is lost with it"),
                    Parameter("wait_days", .integer(1...365), "Days until then; else as the configuration says"),
                ]
            ) { call in
                let reference = try KeyReference(call.parameter("key_id"))
                guard let version = reference.version else {
                    throw KeyFault.key(
                        .state(
                            "a key as a whole is not destroyed; destroy its older versions, as \(reference.name):1"))
                }
                let days = call.queryInteger("wait_days", default: 0)
                try await call.accounts.destroyKey(
                    reference.name, version, force: call.queryFlag("force") ?? false,
                    after: days > 0 ? .days(days) : nil, by: .principal(try call.principal), origin: call.origin)
                return .empty
            },
            .get(
                "/security/quantum/status", .scope(.securityAdmin),
                "Which parts are safe from quantum computers, and since when", limit: .admin,
                answer: QuantumStatus.schema
            ) { call in
                let book = try await call.accounts.keyBook(by: .principal(try call.principal))
                let status = QuantumStatus(book, call.accounts.keys)
                return ManualCallPresenter.reply { status.write(into: &$0) }
            },
        ]
    }

    private static func rotate(_ call: Call) async throws -> Reply {
        let name = try call.text("key_id")
        let (actor, accounts) = (Actor.principal(try call.principal), call.accounts)
        let first = call.optionalText("rotate_at").flatMap { Timestamp(rfc3339: $0) }
        let isScheduled = call.mentions("schedule") || first != nil
        if isScheduled {
            let schedule =
                call.mentions("schedule")
                ? call.optionalText("schedule")
                : try await accounts.keyBook(by: actor).keys[name]?.schedule
            try await accounts.scheduleKey(name, schedule, first: first, by: actor, origin: call.origin)
        }
        if call.body["now"]?.boolValue ?? !isScheduled {
            try await accounts.rotateKey(name, by: actor, origin: call.origin)
        }
        return try await describe(KeyReference(name: name, version: nil), call)
    }

    private static func describe(_ reference: KeyReference, _ call: Call) async throws -> Reply {
        let book = try await call.accounts.keyBook(by: .principal(try call.principal))
        guard let key = book.keys[reference.name] else { throw KeyFault.key(.unknownKey(reference.name)) }
        if let number = reference.version, book.version(number, of: key.name) == nil {
            throw KeyFault.key(.unknownVersion(key.name, number))
        }
        let wanted = key.versions.filter { reference.version == nil || $0.number == reference.version }
        let uses = try await call.accounts.keyUses(key.name, wanted.map(\.number))
        let keys = call.accounts.keys
        return ManualCallPresenter.reply { json in
            ManualKeyPresenter.key(key, keys, into: &json)
            json.array("versions") { json in
                for version in wanted.reversed() {
                    json.object { json in
                        ManualKeyPresenter.version(version, of: key.name, uses[version.number] ?? 0, into: &json)
                    }
                }
            }
        }
    }
}

/// `backup`, or one version of it: `backup:3`.
struct KeyReference {
    /// A name and a number.
    private static let textMax = 64 + 1 + 10

    let name: String
    let version: UInt32?

    init(name: String, version: UInt32?) {
        self.name = name
        self.version = version
    }

    /// What no key can be called names nothing that exists.
    init(_ text: String) throws(RequestFault) {
        guard text.utf8.count <= Self.textMax else { throw .notFound }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        name = String(parts.first ?? "")
        guard parts.count == 2 else {
            version = nil
            return
        }
        guard let number = UInt32(parts[1]), "\(number)" == parts[1] else { throw .notFound }
        version = number
    }
}
