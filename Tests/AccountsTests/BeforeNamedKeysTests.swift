import Accounts
import Base
import Crypto
import Glibc
import Store
import TestKit
import Testing
import Vault
import Wire

/// A database that an older release made, opened by this one: `Tests/Vectors/vault/SOURCE.txt`.
@Suite struct BeforeNamedKeysTests {
    private let facts: [String: String]

    init() throws {
        let text = String(decoding: try Vectors.bytes("vault/accounts-before-named-keys.txt"), as: UTF8.self)
        facts = Dictionary(
            uniqueKeysWithValues: text.split(separator: "\n").map { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                return (String(parts[0]), String(parts[1].dropFirst()))
            })
    }

    private func fact(_ name: String) throws -> String { try #require(facts[name]) }

    private func opened(_ body: (TestAccounts, SQLiteDatabase) async throws -> Void) async throws {
        let folder = try TemporaryFolder()
        try write(try Vectors.bytes("vault/accounts-before-named-keys.db"), to: folder.path + "/accounts.db")
        try write(try #require(Hex.decode(try fact("root"))), to: folder.path + "/root.key")
        let database = try SQLiteDatabase(.file(folder.path + "/accounts.db"))
        let now = Timestamp(microsecondsSinceEpoch: try #require(Int64(try fact("now"))))
        let vault = try Vault.open(
            .file(folder.path + "/root.key"), storedCheck: Hex.decode(try fact("check")))
        let accounts = try await TestAccounts.make(database, vault: vault, clock: TestClock(now))
        try await body(accounts, database)
        try await accounts.finish()
        await accounts.service.stop()
        await database.close()
    }

    private func write(_ bytes: Bytes, to path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        try #require(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
    }

    @Test func `tokens of the old signing keys count, and the current one signs on`() async throws {
        try await opened { accounts, database in
            let alice = try await accounts.principal(Secret(text: try fact("alice token")))
            let carol = try await accounts.principal(Secret(text: try fact("carol token")))
            #expect(alice.user != carol.user)
            let keys = try await accounts.service.signingKeys(by: .console)
            #expect(keys.map(\.kid) == (try fact("kids").split(separator: " ").map(String.init)))
            #expect(keys.first?.retiredAt == nil && keys.last?.retiredAt != nil && keys.last?.verifyUntil != nil)
            let fresh = try await accounts.register("dora").tokens.accessToken
            #expect(try JWT.parse(fresh.exposedText).kid == (try fact("current")))
            let left = try await database.query("SELECT COUNT(*) FROM signing_keys")
            #expect(try left.first?.integer(0) == 0)
        }
    }

    @Test func `a second factor opens, and is sealed by the named key from then on`() async throws {
        try await opened { accounts, database in
            await accounts.service.settle()
            let generations = try await database.query("SELECT sealed FROM mfa_factors WHERE sealed IS NOT NULL")
                .map { VaultKeys.generation(of: try $0.blob(0)) }
            #expect(generations.count == 2 && generations.allSatisfy { $0 == 1 })
            accounts.clock.advance(by: .seconds(60))
            let secret = Secret(try #require(Hex.decode(try fact("totp"))))
            _ = try await accounts.login("alice", code: accounts.totp(secret))
            let events = try await accounts.service.audit.page(AuditFilter(type: "key.rewrapped"))
            #expect(events.items.first?.details["count"] == .string("2"))
        }
    }

    @Test func `a start that was broken off after the keys were taken over takes nothing twice`() async throws {
        try await opened { accounts, database in
            // As the kill left it: the rows are still there.
            try await insertOldRows(into: database)
            let again = try await accounts.another()
            let keys = try await again.service.signingKeys(by: .console)
            #expect(keys.map(\.kid) == (try fact("kids").split(separator: " ").map(String.init)))
            _ = try await again.principal(Secret(text: try fact("alice token")))
            let left = try await database.query("SELECT COUNT(*) FROM signing_keys")
            #expect(try left.first?.integer(0) == 0)
            await again.service.stop()
        }
    }

    private func insertOldRows(into database: SQLiteDatabase) async throws {
        let folder = try TemporaryFolder()
        try write(try Vectors.bytes("vault/accounts-before-named-keys.db"), to: folder.path + "/old.db")
        let old = try SQLiteDatabase(.file(folder.path + "/old.db"))
        for row in try await old.query(
            "SELECT kid, public_key, sealed_seed, created_at, retired_at, verify_until FROM signing_keys")
        {
            try await database.execute(
                """
                INSERT INTO signing_keys (kid, public_key, sealed_seed, created_at, retired_at, verify_until) VALUES \
                (\(row.values[0]), \(row.values[1]), \(row.values[2]), \(row.values[3]), \(row.values[4]), \
                \(row.values[5]))
                """)
        }
        await old.close()
    }
}
