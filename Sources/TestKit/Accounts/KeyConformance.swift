// What named keys must do on every database. Each check gets an empty one, with a root key in a file.

package import Accounts
import Base
import Crypto
package import Store
package import Vault

/// Named keys with their root key, their time and their database in the test's hand.
package final class TestKeys: Sendable {
    package let database: FaultyDatabase
    package let folder: TemporaryFolder
    package let clock = TestClock()
    package var rootPath: String { folder.path + "/root.key" }

    package static let definitions = [
        KeyDefinition("test.data", .data, "seals", lifetime: .days(90)),
        KeyDefinition("test.tokens", .ed25519, "signs", lifetime: .days(30), verifiesFor: .days(60)),
        KeyDefinition("test.mac", .hmac, "authenticates"),
        KeyDefinition("test.files", .hybrid, "receives"),
    ]

    package static func make(_ database: any Database) async throws -> TestKeys {
        try await Migrations(AccountsSchema.migrations).apply(to: database)
        return TestKeys(FaultyDatabase(database), try TemporaryFolder())
    }

    private init(_ database: FaultyDatabase, _ folder: TemporaryFolder) {
        self.database = database
        self.folder = folder
    }

    package var repository: SQLKeyRepository { SQLKeyRepository(database: database, clock: clock.clock) }

    /// As a process that starts: with what the database and the file hold.
    package func start(
        _ source: Vault.RootKeySource? = nil, definitions: [KeyDefinition] = TestKeys.definitions
    ) async throws -> VaultKeys {
        let record = try await repository.load()?.root
        let vault = try Vault.open(source ?? .file(rootPath), record: record)
        let keys = VaultKeys(vault: vault, repository: repository, definitions: definitions, clock: clock.clock)
        try await keys.start()
        return keys
    }

    func events() async throws -> [String] {
        try await database.query("SELECT action FROM audit_events ORDER BY time, id").map { try $0.text(0) }
    }
}

/// Values in memory that a key seals.
final class TestValues: KeyUser {
    let key = "test.data"
    let what = "test values"
    private let keys: VaultKeys
    private let state: TestCell<[Bytes]>

    init(_ count: Int, _ keys: VaultKeys) throws {
        self.keys = keys
        let sealed = try (0..<count).map {
            try keys.seal(Secret(text: "value \($0)"), with: "test.data", purpose: "test", context: [UInt8($0)])
        }
        state = TestCell(sealed)
    }

    func count(of version: KeyVersion, at now: Timestamp) async throws(KeyError) -> Int {
        state.value.count { VaultKeys.generation(of: $0) == version.number }
    }

    func countToRewrap(_ keys: VaultKeys) async throws(KeyError) -> Int {
        let active = try keys.activeVersion(of: key)
        return state.value.count { VaultKeys.generation(of: $0) != active }
    }

    func rewrap(_ keys: VaultKeys, limit: Int) async throws(KeyError) -> Int {
        let active = try keys.activeVersion(of: key)
        var (values, done) = (state.value, 0)
        for (index, sealed) in values.enumerated() where VaultKeys.generation(of: sealed) != active && done < limit {
            let plain = try keys.open(sealed, with: key, purpose: "test", context: [UInt8(index)])
            values[index] = try keys.seal(plain, with: key, purpose: "test", context: [UInt8(index)])
            done += 1
        }
        state.value = values
        return done
    }
}

package enum KeyConformance {
    package typealias Check = ConformanceCheck<TestKeys>

    package static let checks: [Check] = use + states + rotation + safety

    static func requireFailure(
        line: Int = #line, _ matches: (KeyError) -> Bool, _ body: () async throws -> some Any
    ) async throws {
        try await requireError(KeyError.self, line: line, { _ = try await body() }, matches: matches)
    }

    private static let use: [Check] = [
        Check("keys are made once, and each kind does its work after a restart") { test in
            let keys = try await test.start()
            let sealed = try keys.seal(Secret(text: "x"), with: "test.data", purpose: "test", context: [7])
            let signature = try keys.sign([1, 2, 3], with: "test.tokens")
            let code = try keys.authenticate([4], with: "test.mac")
            let file = try Age.encrypt([5, 6], to: try keys.recipients(of: "test.files"))
            let derived = try keys.derive(from: "test.mac", purpose: "test", count: 32)
            let again = try await test.start()
            try requireEqual(
                try again.open(sealed, with: "test.data", purpose: "test", context: [7]).exposedText, "x")
            try require(try again.verify(signature, of: [1, 2, 3], with: "test.tokens"), "the signature")
            try require(try !again.verify(signature, of: [1, 2], with: "test.tokens"), "another message")
            try require(try again.isAuthentic(code, for: [4], with: "test.mac"), "the code")
            try require(try !again.isAuthentic(code, for: [5], with: "test.mac"), "another message's code")
            try requireEqual(try Age.decrypt(file, with: try again.identities(of: "test.files")), [5, 6])
            try requireEqual(
                try again.derive(from: "test.mac", purpose: "test", count: 32).map(\.exposedBytes),
                derived.map(\.exposedBytes))
            try requireEqual(try again.book().keys.values.map(\.versions.count), [1, 1, 1, 1])
            try requireEqual(try await test.events(), [])
            let more = TestKeys.definitions + [KeyDefinition("test.new", .data, "comes with a release")]
            _ = try await test.start(definitions: more)
            try requireEqual(try await test.events(), ["key.created"])
        },
        Check("a value opens for its purpose, its context and its key only") { test in
            let keys = try await test.start()
            let sealed = try keys.seal(Secret(text: "x"), with: "test.data", purpose: "test", context: [7])
            for (purpose, context) in [("other" as StaticString, [7] as Bytes), ("test", [8])] {
                try await requireFailure({ $0 == .vault(.authenticationFailed) }) {
                    try keys.open(sealed, with: "test.data", purpose: purpose, context: context)
                }
            }
            try await requireFailure({ if case .kind = $0 { true } else { false } }) {
                try keys.open(sealed, with: "test.mac", purpose: "test", context: [7])
            }
            try await requireFailure({ $0 == .unknownKey("no.such") }) { try keys.sign([], with: "no.such") }
        },
        Check("what was sealed before the key had a name opens") { test in
            let keys = try await test.start()
            let vault = try Vault.open(.file(test.rootPath), record: try await test.repository.load()?.root)
            let sealed = vault.seal(Secret(text: "old"), purpose: "test", context: [1])
            try requireEqual(
                try keys.open(sealed, with: "test.data", purpose: "test", context: [1]).exposedText, "old")
        },
    ]

    private static let states: [Check] = [
        Check("an older version opens, a disabled one does not, an enabled one does again") { test in
            let keys = try await test.start()
            let sealed = try keys.seal(Secret(text: "x"), with: "test.data", purpose: "test", context: [])
            try await requireFailure({ if case .state = $0 { true } else { false } }) {
                try await keys.disable("test.data", 1)
            }
            try requireEqual(try await keys.rotate("test.data"), 2)
            let plain = { () throws(KeyError) -> String in
                try keys.open(sealed, with: "test.data", purpose: "test", context: []).exposedText
            }
            try requireEqual(try plain(), "x")
            try await keys.disable("test.data", 1)
            try await requireFailure({ $0 == .vault(.unknownGeneration(1)) }) { try plain() }
            try await keys.enable("test.data", 1)
            try requireEqual(try plain(), "x")
        },
        Check("what still opens something is destroyed by force only, and can be had back until its time") { test in
            let keys = try await test.start()
            let values = try TestValues(3, keys)
            keys.register(values)
            try await keys.rotate("test.data")
            try await requireFailure({ $0 == .inUse(count: 3, what: "test values") }) {
                try await keys.destroy("test.data", 1)
            }
            let time = try await keys.destroy("test.data", 1, force: true)
            try requireEqual(time, test.clock.now + .days(30))
            try await requireFailure({ $0 == .vault(.unknownGeneration(1)) }) {
                try await values.rewrap(keys, limit: 1)
            }
            try await keys.cancelDestruction("test.data", 1)
            try await keys.enable("test.data", 1)
            try requireEqual(try await keys.rewrap("test.data"), 3)
            try await keys.destroy("test.data", 1)
            test.clock.advance(by: .days(29))
            try await keys.advance()
            try requireEqual(try keys.book().version(1, of: "test.data")?.state, .scheduled)
            test.clock.advance(by: .days(2))
            try await keys.advance()
            let gone = try keys.book().version(1, of: "test.data")
            try require(gone?.state == .destroyed && gone?.wrapped == nil, "the version is still there")
            try await requireFailure({ if case .state = $0 { true } else { false } }) {
                try await keys.cancelDestruction("test.data", 1)
            }
            let rows = try await test.database.query(
                "SELECT wrapped FROM vault_key_versions WHERE name = 'test.data' AND version = 1")
            try require(rows.first?.isNull(0) == true, "its material is still in the database")
        },
        Check("a state that cannot follow is refused and changes nothing") { test in
            let keys = try await test.start()
            let before = try keys.book()
            for attempt in [
                { try await keys.enable("test.data", 1) }, { try await keys.cancelDestruction("test.data", 1) },
                { _ = try await keys.destroy("test.data", 1, force: true) },
            ] as [() async throws -> Void] {
                try await requireFailure({ if case .state = $0 { true } else { false } }) { try await attempt() }
            }
            try await requireFailure({ $0 == .unknownVersion("test.data", 9) }) {
                try await keys.disable("test.data", 9)
            }
            try requireEqual(try await test.start().book(), before)
        },
    ]

    private static let rotation: [Check] = [
        Check("keys are replaced by policy and by schedule, and old signatures count for their time") { test in
            let keys = try await test.start()
            let signature = try keys.sign([1], with: "test.tokens")
            try await keys.schedule("test.files", "0 3 1 * *")
            test.clock.advance(by: .days(29))
            try await keys.advance()
            try requireEqual(try keys.activeVersion(of: "test.tokens"), 1)
            test.clock.advance(by: .days(2))
            try await keys.advance()
            try requireEqual(try keys.activeVersion(of: "test.tokens"), 2)
            try requireEqual(try keys.activeVersion(of: "test.files"), 2)
            try requireEqual(try keys.activeVersion(of: "test.data"), 1)
            try requireEqual(try keys.activeVersion(of: "test.mac"), 1)
            try require(try keys.verify(signature, of: [1], with: "test.tokens"), "the old signature")
            test.clock.advance(by: .days(61))
            try require(try !keys.verify(signature, of: [1], with: "test.tokens"), "counts for ever")
            try await keys.advance()
            try requireEqual(try keys.book().version(1, of: "test.tokens")?.state, .destroyed)
            try requireEqual(try keys.identities(of: "test.files").count, 3)
        },
        Check("a node knows another node's version when it meets it") { test in
            let (one, two) = (try await test.start(), try await test.start())
            try await one.rotate("test.data")
            let sealed = try one.seal(Secret(text: "x"), with: "test.data", purpose: "test", context: [])
            test.clock.advance(by: .seconds(2))
            try await two.know(2, of: "test.data")
            try requireEqual(
                try two.open(sealed, with: "test.data", purpose: "test", context: []).exposedText, "x")
        },
        Check("of rotations at once each makes a version") { test in
            let nodes = [try await test.start(), try await test.start(), try await test.start()]
            let made = try await withThrowingTaskGroup(of: UInt32.self) { group in
                for node in nodes { group.addTask { try await node.rotate("test.data") } }
                return try await group.reduce(into: [UInt32]()) { $0.append($1) }
            }
            try requireEqual(made.sorted(), [2, 3, 4])
            let states = try await test.start().book().keys["test.data"]?.versions.map(\.state)
            try requireEqual(states, [.opening, .opening, .opening, .active])
        },
        Check("values are sealed anew in batches, and a broken off run goes on") { test in
            let keys = try await test.start()
            let values = try TestValues(250, keys)
            keys.register(values)
            try await keys.rotate("test.data")
            try requireEqual(try await values.rewrap(keys, limit: VaultKeys.rewrapBatch), 100)
            let progress = TestCell<[[Int]]>([])
            try requireEqual(try await keys.rewrap("test.data") { progress.value.append([$0, $1]) }, 150)
            try requireEqual(progress.value, [[100, 150], [150, 150]])
            try requireEqual(try await keys.rewrap("test.data"), 0)
        },
    ]

    private static let safety: [Check] = [
        Check("another root key is refused before anything is done") { test in
            _ = try await test.start()
            let other = test.folder.path + "/other.key"
            _ = try Vault.open(.file(other))
            try await requireError(VaultError.self, { _ = try await test.start(.file(other)) }) {
                if case .wrongRootKey = $0 { true } else { false }
            }
        },
        Check("a book that was changed behind our back is refused") { test in
            let keys = try await test.start()
            try await keys.rotate("test.data")
            try await keys.disable("test.data", 1)
            let attacks: [Statement] = [
                "UPDATE vault_key_versions SET state = 'opening-only' WHERE state = 'disabled'",
                """
                UPDATE vault_key_versions SET wrapped = (SELECT v.wrapped FROM vault_key_versions v \
                WHERE v.name = 'test.mac') WHERE name = 'test.data' AND version = 2
                """,
                "UPDATE vault_keys SET rotates_at = NULL WHERE name = 'test.data'",
                "DELETE FROM vault_key_versions WHERE name = 'test.data' AND version = 1",
                "UPDATE vault_root SET mac = NULL",
            ]
            guard let before = try await test.repository.load() else {
                throw ConformanceFailure(description: "no book")
            }
            for attack in attacks {
                try await test.database.execute(attack)
                try await requireFailure({ if case .corrupt = $0 { true } else { false } }) { try await test.start() }
                for table in ["vault_key_versions", "vault_keys", "vault_root"] {
                    try await test.database.execute(Statement(text: "DELETE FROM \(table)"))
                }
                let empty = KeyBook(root: before.root)
                try require(try await test.repository.begin(empty), "the record was not put back")
                try require(
                    try await test.repository.replace(empty, with: before, noting: [], by: nil), "nor the keys")
                _ = try await test.start()
            }
        },
        Check("killed at any moment, a rotation has happened or has not") { test in
            let first = try await test.start()
            let sealed = try first.seal(Secret(text: "x"), with: "test.data", purpose: "test", context: [])
            try await killing(test) {
                try await $0.rotate("test.data")
            } then: { keys, before in
                let active = try keys.activeVersion(of: "test.data")
                try require(active == before || active == before + 1, "the active version is \(active)")
                try requireEqual(
                    try keys.open(sealed, with: "test.data", purpose: "test", context: []).exposedText, "x")
                let noted = try await test.events().count { $0 == "key.rotated" }
                try requireEqual(noted, Int(active) - 1)
            }
        },
        Check("killed at any moment, the root key is the old one or the new one, and fits") { test in
            let first = try await test.start()
            let sealed = try first.seal(Secret(text: "x"), with: "test.data", purpose: "test", context: [])
            let file = try Age.encrypt([5], to: try first.recipients(of: "test.files"))
            let derived = try Vault.open(.file(test.rootPath), record: nil).derive("test", count: 32).exposedBytes
            try await killing(test) {
                try await $0.replaceRoot(by: .sameFile)
            } then: { keys, _ in
                try requireEqual(
                    try keys.open(sealed, with: "test.data", purpose: "test", context: []).exposedText, "x")
                try requireEqual(try Age.decrypt(file, with: try keys.identities(of: "test.files")), [5])
                let record = try await test.repository.load()?.root
                let vault = try Vault.open(.file(test.rootPath), record: record)
                try requireEqual(vault.derive("test", count: 32).exposedBytes, derived)
            }
            let epoch = try await test.repository.load()?.root.epoch ?? 0
            try require(epoch > 0, "the root key was never replaced")
        },
        Check("killed at any moment of sealing anew, second factors work and none is left behind in the end") { test in
            let accounts = try await TestAccounts.make(test.database)
            await accounts.service.settle()
            var secrets: [String: Secret] = [:]
            for name in ["alice", "bob", "carol"] {
                let principal = try await accounts.principal(try await accounts.register(name))
                secrets[name] = try await accounts.enrolTOTP(principal).secret
            }
            let keys = accounts.service.keys
            var (moment, wasKilled) = (0, true)
            try await keys.rotate(KeyNames.factors)
            while wasKilled {
                test.database.kill(after: moment)
                do { try await keys.rewrap(KeyNames.factors) } catch { try require(error is KeyError, "\(error)") }
                wasKilled = test.database.revive()
                accounts.clock.advance(by: .seconds(30))
                for (name, secret) in secrets { _ = try await accounts.login(name, code: accounts.totp(secret)) }
                moment += 1
                try require(moment < 100, "it never comes through")
            }
            try require(moment > 5, "there were only \(moment) moments")
            try requireEqual(try await keys.uses(of: KeyNames.factors, 1).map(\.count), [])
            try requireEqual(try await keys.uses(of: KeyNames.factors, 2).map(\.count), [3])
            try await accounts.finish()
            await accounts.service.stop()
        },
        Check("a running node takes up a root key that was replaced beside it") { test in
            let (running, command) = (try await test.start(), try await test.start())
            let sealed = try running.seal(Secret(text: "x"), with: "test.data", purpose: "test", context: [])
            try await command.replaceRoot(by: .sameFile)
            try requireEqual(try await running.rotate("test.data"), 2)
            try requireEqual(
                try running.open(sealed, with: "test.data", purpose: "test", context: []).exposedText, "x")
            let old = test.folder.path + "/root.key.old"
            try await requireError(VaultError.self, { _ = try await test.start(.file(old)) }) {
                if case .wrongRootKey = $0 { true } else { false }
            }
        },
        Check("shares bring the root key back, too few or foreign ones do not") { test in
            let keys = try await test.start()
            let shares = try await keys.recoveryShares(needed: 3, of: 5)
            guard let record = try await test.repository.load()?.root else {
                throw ConformanceFailure(description: "no record")
            }
            let path = test.folder.path + "/recovered.key"
            try await requireError(
                VaultError.self, { _ = try Vault.recover(Array(shares.prefix(2)), record: record, to: path) },
                matches: { "\($0)".contains("3 different recovery shares are needed") })
            let read = try shares.dropFirst(2).map { try RecoveryShare(parsing: $0.text) }
            _ = try Vault.recover(read, record: record, to: path)
            _ = try await test.start(.file(path))
            try requireEqual(try await test.events().count { $0 == "vault.shares_made" }, 1)
        },
    ]

    /// Has `change` killed at its first moment, at its second, and so on until it comes through; after each a new process
    /// starts and `then` looks. It gets the version of `test.data` from before.
    private static func killing(
        _ test: TestKeys, _ change: (VaultKeys) async throws -> some Any,
        then check: (VaultKeys, UInt32) async throws -> Void
    ) async throws {
        var (moment, wasKilled) = (0, true)
        while wasKilled {
            let keys = try await test.start()
            let before = try keys.activeVersion(of: "test.data")
            test.database.kill(after: moment)
            do { _ = try await change(keys) } catch { try require(error is KeyError, "found the error \(error)") }
            wasKilled = test.database.revive()
            try await check(try await test.start(), before)
            moment += 1
            try require(moment < 200, "it never comes through")
        }
        try require(moment > 5, "there were only \(moment) moments")
    }
}
