// The seam with two implementations: SQLite in the process, PostgreSQL beside it.
//
// A repository is written once, in the common subset of SQL, against these two protocols; one conformance suite in
// TestKit runs it over `:memory:`, a file and PostgreSQL.

package enum StoreError: Error, Equatable {
    /// A unique or foreign key, a NOT NULL or a CHECK refused the row. `constraint` is the constraint's or the
    /// columns' name, e.g. `users.username`.
    case conflict(constraint: String)
    /// The disk is full, PostgreSQL is away, or too much is waiting. Nothing of the transaction was kept; try later.
    case unavailable(String)
    /// What was read is not what was written, or the schema is not ours.
    case corrupt(String)
    /// The statement is wrong: a programmer's error that the test suite should have found.
    case misuse(String)
}

extension StoreError {
    /// The sentence alone, for an operator.
    package var words: String {
        switch self {
        case .conflict(let constraint): "the constraint \(constraint) refused a row"
        case .unavailable(let words), .corrupt(let words), .misuse(let words): words
        }
    }
}

/// An error of a domain that can carry a failure of its store.
package protocol StoreFailureConvertible: Error {
    init(_ failure: StoreError)
}

extension StoreError: StoreFailureConvertible {
    package init(_ failure: StoreError) { self = failure }
}

/// Statements that are kept all together or not at all. Valid only inside the body that received it.
///
/// After a statement has failed, the others are refused and nothing is kept, even if the body catches the error: that
/// is PostgreSQL's rule, and SQLite's here too. To try is `INSERT … ON CONFLICT DO NOTHING`.
package protocol Transaction: Sendable {
    /// Rows of a SELECT, or of an INSERT, UPDATE or DELETE with RETURNING.
    func query(_ statement: Statement) async throws(StoreError) -> [Row]

    /// The number of rows that were changed.
    @discardableResult
    func execute(_ statement: Statement) async throws(StoreError) -> Int

    /// Runs at some time between now and the COMMIT, in order with others of its kind: the body does not see what it
    /// does, and does not hear that it failed, but then nothing is kept.
    ///
    /// For what nobody reads inside a transaction and what is cheaper done for many at once: a full text index. On
    /// SQLite it runs behind all bodies that share the COMMIT, so its failure is the failure of all of them. It must
    /// not be something that a row can refuse.
    func executeLast(_ statement: Statement) async throws(StoreError)
}

package protocol Database: Sendable {
    var engine: DatabaseHealth.Engine { get }

    /// Reads on a snapshot, outside any transaction.
    func query(_ statement: Statement) async throws(StoreError) -> [Row]

    /// Runs `body` and commits, durably, before it returns; an error thrown by `body` rolls everything back.
    ///
    /// Transactions run one after another on SQLite and serialisably on PostgreSQL. Both may run `body` again, and the
    /// last run counts: PostgreSQL after a serialisation failure, SQLite when another one that shares its COMMIT failed
    /// after it had written. So it must have no effect but through the transaction. It must not wait for anything else
    /// either: on SQLite every other writer waits for it. Inside it only the transaction may be used; a call of the
    /// database itself throws `misuse`.
    func transaction<Value: Sendable, Failure: StoreFailureConvertible>(
        _ body: @escaping @Sendable (any Transaction) async throws(Failure) -> Value
    ) async throws(Failure) -> Value

    /// What `doctor`, health and metrics say about this database.
    func health() async -> DatabaseHealth

    /// Waits for what was begun and closes. Further calls throw `unavailable`.
    func close() async
}

extension Database {
    /// One statement in a transaction of its own.
    @discardableResult
    package func execute(_ statement: Statement) async throws(StoreError) -> Int {
        try await transaction { (transaction) async throws(StoreError) -> Int in
            try await transaction.execute(statement)
        }
    }
}

package struct DatabaseHealth: Sendable {
    package enum Engine: String, Sendable { case sqlite, postgresql }
    package var engine: Engine
    /// `nil` when all is well, else what is wrong and what to do.
    package var problem: String?
    package var connections: Int
    package var poolSize: Int

    package init(engine: Engine, problem: String?, connections: Int, poolSize: Int) {
        self.engine = engine
        self.problem = problem
        self.connections = connections
        self.poolSize = poolSize
    }
}
