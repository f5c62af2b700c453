// Calls while the database is away: they go on, and are written when it is back.

import Accounts
import Base
import Signaling
import Store
import Synchronization
import TestKit
import Testing

/// A database that can be taken away.
private final class SwitchedDatabase: Database {
    private let inner: any Database
    private let isAway = Mutex(false)

    init(_ inner: any Database) { self.inner = inner }

    func setAway(_ away: Bool) { isAway.withLock { $0 = away } }

    private func requireThere() throws(StoreError) {
        if isAway.withLock({ $0 }) { throw .unavailable("taken away by the test") }
    }

    var engine: DatabaseHealth.Engine { inner.engine }

    func query(_ statement: Statement) async throws(StoreError) -> [Row] {
        try requireThere()
        return try await inner.query(statement)
    }

    func transaction<Value: Sendable, Failure: StoreFailureConvertible>(
        _ body: @escaping @Sendable (any Transaction) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        do { try requireThere() } catch { throw Failure(error) }
        return try await inner.transaction(body)
    }

    func health() async -> DatabaseHealth { await inner.health() }
    func close() async { await inner.close() }
}

@Suite struct CallOutageTests {
    private func run(_ body: (TestCalls, SwitchedDatabase) async throws -> Void) async throws {
        let database = SwitchedDatabase(try SQLiteDatabase(.memory))
        let calls = try await TestCalls.make(database)
        try await body(calls, database)
        database.setAway(false)
        await calls.service.stop()
        await calls.domain.service.stop()
        await database.close()
    }

    @Test func `a call that ends while the database is away is in the history when it is back`() async throws {
        try await run { calls, database in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            let id = try await calls.call(alice, bob)
            for person in [alice, bob] { _ = try await calls.service.attach(id, by: person) }
            database.setAway(true)
            calls.clock.advance(by: .seconds(20))
            try await calls.service.end(id, by: alice)
            #expect(calls.world.isClosed(id) && calls.world.admitted(id).isEmpty)
            let ended = calls.clock.now
            await calls.advance(.seconds(1))
            #expect(await calls.service.liveCount == 1)
            database.setAway(false)
            await calls.advance(.seconds(1))
            #expect(await calls.service.liveCount == 0)
            let stored = try await calls.service.call(id, for: bob)
            #expect(stored.state == .ended && stored.endedAt == ended)
            #expect(stored.duration == .seconds(20))
        }
    }

    @Test func `a call that cannot be stored does not begin, and nobody rings`() async throws {
        try await run { calls, database in
            let (alice, bob) = (try await calls.person("alice"), try await calls.person("bob"))
            // Read before, so that only the row is missing.
            _ = try await calls.domain.service.user(bob.user)
            database.setAway(true)
            await #expect(throws: CallError.store(.unavailable("taken away by the test"))) {
                try await calls.call(alice, bob)
            }
            #expect(calls.world.told(bob.user).isEmpty)
            #expect(await calls.service.liveCount == 0)
            database.setAway(false)
            _ = try await calls.call(alice, bob)
        }
    }
}
