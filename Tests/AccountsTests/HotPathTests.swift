// What an authenticated request costs the database: nothing, until something changed or the time is over.

import Accounts
import Base
import Store
import Synchronization
import TestKit
import Testing

/// Counts what it passes on.
private final class CountingDatabase: Database {
    private let inner: any Database
    private let reads = Atomic<Int>(0)
    private let writes = Atomic<Int>(0)

    init(_ inner: any Database) { self.inner = inner }

    var engine: DatabaseHealth.Engine { inner.engine }
    var counts: [Int] { [reads.load(ordering: .relaxed), writes.load(ordering: .relaxed)] }

    func query(_ statement: Statement) async throws(StoreError) -> [Row] {
        reads.wrappingAdd(1, ordering: .relaxed)
        return try await inner.query(statement)
    }

    func transaction<Value: Sendable, Failure: StoreFailureConvertible>(
        _ body: @escaping @Sendable (any Transaction) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        writes.wrappingAdd(1, ordering: .relaxed)
        return try await inner.transaction(body)
    }

    func health() async -> DatabaseHealth { await inner.health() }
    func close() async { await inner.close() }
}

@Suite struct HotPathTests {
    private static func with(
        _ body: (TestAccounts, CountingDatabase) async throws -> Void
    ) async throws {
        let database = CountingDatabase(try SQLiteDatabase(.memory))
        let accounts = try await TestAccounts.make(database)
        try await body(accounts, database)
        try await accounts.finish()
        await accounts.service.stop()
        await database.close()
    }

    @Test func `a credential and a profile that were seen cost no database`() async throws {
        try await Self.with { accounts, database in
            let alice = try await accounts.register(session: SessionRequest(wantsCookie: true))
            let principal = try await accounts.principal(alice)
            let key = try await accounts.service.createAPIKey(
                principal, name: "k", permissions: ["read"], expiresAt: nil, origin: TestAccounts.origin())
            let cookie = try #require(alice.tokens.cookie)
            let credentials: [Credential] = [
                .bearer(alice.tokens.accessToken.exposedText), .apiKey(key.token.exposedText),
                .cookie(cookie.value.exposedText),
            ]
            let authenticator = accounts.service.authenticator
            for credential in credentials { _ = try await authenticator.authenticate(credential) }
            await accounts.service.settle()
            let before = database.counts
            for _ in 0..<100 {
                for credential in credentials {
                    let principal = try await authenticator.authenticate(credential)
                    #expect(authenticator.remembered(credential) == principal)
                    _ = try await accounts.service.profile(principal)
                }
            }
            #expect(database.counts == before)
        }
    }

    @Test func `a change of the user costs one read for each credential`() async throws {
        try await Self.with { accounts, database in
            let principal = try await accounts.principal(try await accounts.register())
            let credential = Credential.bearer(try await accounts.login().tokens.accessToken.exposedText)
            let authenticator = accounts.service.authenticator
            _ = try await authenticator.authenticate(credential)
            var changes = ProfileChanges()
            changes.displayName = "Somebody else"
            _ = try await accounts.service.updateProfile(principal, changes, origin: TestAccounts.origin())
            await accounts.service.settle()
            #expect(authenticator.remembered(credential) == nil)
            let before = database.counts[0]
            for _ in 0..<10 { _ = try await authenticator.authenticate(credential) }
            #expect(database.counts[0] == before + 1)
            #expect(try await accounts.service.profile(principal).displayName.exposed == "Somebody else")
            #expect(database.counts[0] == before + 1)
        }
    }

    @Test func `invented tokens of a right form cost no database until their signature is right`() async throws {
        try await Self.with { accounts, database in
            let token = try await accounts.register().tokens.accessToken.exposedText
            let forged =
                token.split(separator: ".").dropLast().joined(separator: ".") + "."
                + String(
                    repeating: "A", count: 86)
            _ = try await accounts.principal(try await accounts.login())
            await accounts.service.settle()
            let before = database.counts
            for _ in 0..<50 {
                await #expect(throws: AccountError.tokenInvalid) {
                    _ = try await accounts.service.authenticator.authenticate(.bearer(forged))
                }
                await #expect(throws: AccountError.tokenInvalid) {
                    _ = try await accounts.service.authenticator.authenticate(.apiKey("plx_short"))
                }
            }
            #expect(database.counts == before)
        }
    }

    @Test func `throttled logins cost no database and no hash`() async throws {
        try await Self.with { accounts, database in
            for _ in 0..<5 { _ = try? await accounts.login("nobody") }
            await accounts.service.settle()
            let before = database.counts
            for _ in 0..<100 {
                await #expect(throws: AccountError.throttled(retryAfter: .seconds(1))) {
                    _ = try await accounts.login("nobody")
                }
            }
            #expect(database.counts == before)
        }
    }
}
