// What clients keep for their users: bounds, conditions, and what is told of a change.

import Accounts
import Base
import Store
import Synchronization
import Wire

/// Keeps what would have gone to sockets.
private final class RecordedChanges: ClientSettingEvents {
    private let changes = Mutex<[(ClientSettingsChange, UserID)]>([])

    var all: [(change: ClientSettingsChange, user: UserID)] { changes.withLock { $0 } }

    func clientSettingsChanged(_ change: ClientSettingsChange, of user: UserID) {
        changes.withLock { $0.append((change, user)) }
    }
}

extension AccountConformance {
    private struct Stage: Sendable {
        let accounts: TestAccounts
        let settings: ClientSettings
        let told = RecordedChanges()
        let alice: Principal

        init(_ accounts: TestAccounts, _ change: (inout ClientSettingOptions) -> Void = { _ in }) async throws {
            self.accounts = accounts
            var options = ClientSettingOptions()
            change(&options)
            settings = ClientSettings(accounts.service, options: options)
            settings.setEvents(told)
            alice = try await accounts.principal(try await accounts.register())
        }

        @discardableResult
        func set(
            _ key: String, _ value: JSONValue, if condition: @escaping ClientSettings.Condition = { _ in true }
        ) async throws -> ClientSetting {
            try await settings.set(
                try ClientSettingKey(key), to: value, if: condition, by: alice, origin: AccountConformance.origin)
        }

        func delete(
            _ key: String, if condition: @escaping ClientSettings.Condition = { _ in true }
        ) async throws {
            try await settings.delete(
                try ClientSettingKey(key), if: condition, by: alice, origin: AccountConformance.origin)
        }

        func text(_ key: String) async throws -> String {
            String(decoding: try await settings.setting(try ClientSettingKey(key), of: alice.user).value, as: UTF8.self)
        }

        func audited(_ action: String) async throws -> [AuditEvent] {
            await accounts.service.settle()
            return try await accounts.service.audit.page(AuditFilter(type: action)).items
        }
    }

    static let clientSettings: [Check] =
        [
            Check("a client setting is read as it was set, by its user alone") { accounts in
                let stage = try await Stage(accounts)
                let bob = try await accounts.principal(try await accounts.register("bob"))
                let value = JSONValue.object(
                    JSONObject([("b", .array([.integer(1), .number(0.5), .null])), ("a", .string("\u{0}ü😀"))]))
                let set = try await stage.set("layout.main", value)
                let read = try await stage.settings.setting(try ClientSettingKey("layout.main"), of: stage.alice.user)
                try requireEqual(read, set)
                try requireEqual(try JSONValue(parsing: read.value), value)
                try requireEqual(read.updatedAt, accounts.clock.now)
                let key = try ClientSettingKey("layout.main")
                try await refused(.notFound) { try await stage.settings.setting(key, of: bob.user) }
                try await refused(.notFound) {
                    try await stage.settings.delete(key, by: bob, origin: origin)
                }
                try requireEqual(try await stage.settings.all(of: bob.user), [])
            },
            Check("client settings are listed in the order of their keys") { accounts in
                let stage = try await Stage(accounts)
                for key in ["b", "a.b", "a", "B", "a-b", "a_b"] { try await stage.set(key, .integer(1)) }
                let keys = try await stage.settings.all(of: stage.alice.user).map(\.key.description)
                try requireEqual(keys, ["B", "a", "a-b", "a.b", "a_b", "b"])
            },
            Check("the same value again changes nothing and is told to nobody") { accounts in
                let stage = try await Stage(accounts)
                let first = try await stage.set("theme", .string("dark"))
                accounts.clock.advance(by: .seconds(1))
                try requireEqual(try await stage.set("theme", .string("dark")), first)
                let second = try await stage.set("theme", .string("light"))
                try require(second.version != first.version && second.updatedAt > first.updatedAt, "nothing moved")
                try requireEqual(stage.told.all.count, 2)
                try requireEqual(try await stage.audited("client_setting.created").count, 1)
                try requireEqual(try await stage.audited("client_setting.updated").count, 1)
            },
            Check("each change of a client setting is audited with its key and without its value") { accounts in
                let stage = try await Stage(accounts)
                try await stage.set("draft", .string("very private"))
                try await stage.set("draft", .string("more private"))
                try await stage.delete("draft")
                let events = try await stage.audited("client_setting")
                try requireEqual(
                    events.map(\.action).sorted(),
                    ["client_setting.created", "client_setting.deleted", "client_setting.updated"])
                for event in events {
                    try requireEqual(event.details["keys"], .array([.string("draft")]))
                    try requireEqual(event.actor, stage.alice.user)
                    try require(
                        !"\(JSONValue.object(event.details))".contains("private"), "a value is in the audit log")
                }
            },
            Check("the user's devices are told of what is set and of what is removed") { accounts in
                let stage = try await Stage(accounts)
                let set = try await stage.set("theme", .string("dark"))
                try await stage.delete("theme")
                let told = stage.told.all
                try requireEqual(told.map(\.user), [stage.alice.user, stage.alice.user])
                try requireEqual(told[0].change, ClientSettingsChange(stored: [set]))
                try requireEqual(told[1].change, ClientSettingsChange(deleted: [set.key]))
            },
            Check("a client setting that is removed and set again is in another state") { accounts in
                let stage = try await Stage(accounts)
                let first = try await stage.set("theme", .string("dark"))
                try await stage.delete("theme")
                try await refused(.notFound) { try await stage.text("theme") }
                try await refused(.notFound) { try await stage.delete("theme") }
                try require(try await stage.set("theme", .string("dark")).version != first.version, "the same version")
            },
            Check("a change on a condition is made to that state only") { accounts in
                let stage = try await Stage(accounts)
                let first = try await stage.set("theme", .string("dark"), if: { $0 == nil })
                try await refused(.preconditionFailed) {
                    try await stage.set("theme", .string("light"), if: { $0 == nil })
                }
                let isFirst: ClientSettings.Condition = { $0?.version == first.version }
                try await stage.set("theme", .string("light"), if: isFirst)
                try await refused(.preconditionFailed) { try await stage.set("theme", .string("system"), if: isFirst) }
                try await refused(.preconditionFailed) { try await stage.delete("theme", if: isFirst) }
                try requireEqual(try await stage.text("theme"), "\"light\"")
            },
            Check("of clients that change one state at once, one does") { accounts in
                let stage = try await Stage(accounts)
                let first = try await stage.set("counter", .integer(0))
                let outcomes = await withTaskGroup(of: Bool.self) { group in
                    for number in 1...8 {
                        group.addTask {
                            let condition: ClientSettings.Condition = { $0?.version == first.version }
                            do { try await stage.set("counter", .integer(Int64(number)), if: condition) } catch {
                                return false
                            }
                            return true
                        }
                    }
                    return await group.reduce(into: [Bool]()) { $0.append($1) }
                }
                try requireEqual(outcomes.count { $0 }, 1)
            },
        ] + clientSettingBounds

    private static let clientSettingBounds: [Check] = [
        Check("a value of a client setting has a bound, to the byte") { accounts in
            let stage = try await Stage(accounts) { $0.valueBytesMax = 1_000 }
            try await stage.set("text", .string(String(repeating: "x", count: 998)))
            try await refused(.valueTooLarge(limit: 1_000)) {
                try await stage.set("text", .string(String(repeating: "y", count: 999)))
            }
            try require(try await stage.text("text").hasPrefix("\"x"), "the larger one was kept")
        },
        Check("a user has so many client settings, and another user as many") { accounts in
            let stage = try await Stage(accounts) { $0.countMax = 3 }
            for key in ["a", "b", "c"] { try await stage.set(key, .bool(true)) }
            let usage = ClientSettingUsage(count: 3, bytes: 15, countMax: 3, bytesMax: 1 << 20)
            try await refused(.quotaExceeded(usage)) { try await stage.set("d", .bool(true)) }
            try await stage.set("a", .integer(2))
            try await stage.delete("b")
            try await stage.set("d", .bool(true))
            let bob = try await accounts.principal(try await accounts.register("bob"))
            _ = try await stage.settings.set(try ClientSettingKey("d"), to: .integer(1), by: bob, origin: origin)
        },
        Check("client settings of a user together have a bound, also when many come at once") { accounts in
            let stage = try await Stage(accounts) { $0.totalBytesMax = 10_000 }
            let value = JSONValue.string(String(repeating: "x", count: 996))
            await withTaskGroup(of: Void.self) { group in
                for number in 10..<30 {
                    group.addTask { _ = try? await stage.set("k\(number)", value) }
                }
            }
            let kept = try await stage.settings.all(of: stage.alice.user)
            try requireEqual(kept.count, 9)
            try require(kept.reduce(0) { $0 + $1.value.count + $1.key.description.utf8.count } <= 10_000, "too much")
        },
        Check("who is over a bound that was lowered may make it less") { accounts in
            let stage = try await Stage(accounts)
            for key in ["a", "b", "c"] { try await stage.set(key, .string(String(repeating: "x", count: 1_000))) }
            var options = ClientSettingOptions()
            (options.countMax, options.totalBytesMax) = (2, 1_000)
            let narrow = ClientSettings(accounts.service, options: options)
            _ = try await narrow.set(try ClientSettingKey("a"), to: .integer(1), by: stage.alice, origin: origin)
            let usage = ClientSettingUsage(count: 3, bytes: 2_008, countMax: 2, bytesMax: 1_000)
            try await refused(.quotaExceeded(usage)) {
                try await narrow.set(try ClientSettingKey("a"), to: .integer(10), by: stage.alice, origin: origin)
            }
        },
        Check("a bulk update sets what can be set and names the rest") { accounts in
            let stage = try await Stage(accounts) { $0.countMax = 3 }
            try await stage.set("theme", .string("light"))
            let update = try await stage.settings.update(
                [
                    ("theme", .string("dark")), ("language", .string("en-US")), ("no key", .integer(1)),
                    ("notifications.enabled", .string("yes")), ("one", .integer(1)), ("two", .integer(2)),
                ], by: stage.alice, origin: origin)
            try requireEqual(update.stored.map(\.key.description), ["theme", "language", "one"])
            try requireEqual(update.failures.map(\.key), ["no key", "notifications.enabled", "two"])
            guard case .quotaExceeded(let usage)? = update.failures.last?.reason else {
                throw ConformanceFailure(description: "found \(update.failures)")
            }
            try requireEqual(usage.count, 3)
            try requireEqual(try await stage.settings.all(of: stage.alice.user).count, 3)
            let created = try await stage.audited("client_setting.created")
            // Events of one moment have no order.
            let keys = created.map { $0.details["keys"] }
            try requireEqual(keys.count, 2)
            try requireEqual(keys.contains(.array([.string("language"), .string("one")])), true)
            try requireEqual(stage.told.all.count, 2)
            try requireEqual(stage.told.all.last?.change.stored.count, 3)
        },
        Check("client settings go with their account") { accounts in
            let stage = try await Stage(accounts)
            try await stage.set("theme", .string("dark"))
            try await accounts.service.deleteUser(stage.alice.user, by: .console, origin: origin)
            try requireEqual(try await stage.settings.all(of: stage.alice.user), [])
            try await refused(.account(.notFound)) { try await stage.set("theme", .string("dark")) }
        },
    ]

    private static func refused(
        _ expected: ClientSettingError, line: Int = #line, _ body: () async throws -> some Any
    ) async throws {
        try await requireError(ClientSettingError.self, line: line, { _ = try await body() }) { $0 == expected }
    }
}
