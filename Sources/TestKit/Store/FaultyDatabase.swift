// A database whose process is killed at a chosen moment: before a statement, or after a COMMIT whose news never arrives.

package import Store
import Synchronization

package final class FaultyDatabase: Database {
    private let base: any Database
    /// Moments that are still let pass; `nil`: all.
    private let remaining = Mutex<Int?>(nil)
    private let fired = Mutex(false)

    package init(_ base: any Database) { self.base = base }

    package var engine: DatabaseHealth.Engine { base.engine }

    /// From now on `count` moments pass, and then nothing works until `revive`.
    package func kill(after count: Int) {
        remaining.withLock { $0 = count }
        fired.withLock { $0 = false }
    }

    /// A new process. True when the old one was killed.
    package func revive() -> Bool {
        remaining.withLock { $0 = nil }
        return fired.withLock { $0 }
    }

    fileprivate func pass(_ moment: StaticString) throws(StoreError) {
        let isDead = remaining.withLock { remaining in
            guard let count = remaining else { return false }
            remaining = max(0, count - 1)
            return count == 0
        }
        guard isDead else { return }
        fired.withLock { $0 = true }
        throw .unavailable("killed \(moment)")
    }

    package func query(_ statement: Statement) async throws(StoreError) -> [Row] {
        try pass("before a query")
        return try await base.query(statement)
    }

    package func transaction<Value: Sendable, Failure: StoreFailureConvertible>(
        _ body: @escaping @Sendable (any Transaction) async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        let value = try await base.transaction { (transaction) async throws(Failure) -> Value in
            let value = try await body(FaultyTransaction(base: transaction, database: self))
            do throws(StoreError) { try self.pass("before a commit") } catch { throw Failure(error) }
            return value
        }
        do throws(StoreError) { try pass("after a commit") } catch { throw Failure(error) }
        return value
    }

    package func health() async -> DatabaseHealth { await base.health() }
    package func close() async { await base.close() }
}

private struct FaultyTransaction: Transaction {
    let base: any Transaction
    let database: FaultyDatabase

    func query(_ statement: Statement) async throws(StoreError) -> [Row] {
        try database.pass("before a query in a transaction")
        return try await base.query(statement)
    }

    func execute(_ statement: Statement) async throws(StoreError) -> Int {
        try database.pass("before a statement")
        return try await base.execute(statement)
    }

    func executeLast(_ statement: Statement) async throws(StoreError) {
        try database.pass("before a last statement")
        try await base.executeLast(statement)
    }
}
