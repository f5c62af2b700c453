// One attempt at one transaction, on a connection that it has to itself.

import Base

/// `@unchecked`: used on the loop's thread only; a statement from elsewhere is brought there first.
final class PostgreSQLTransaction: Transaction, @unchecked Sendable {
    enum Outcome {
        case asTheBodySays
        /// Met others, or lost its connection before it was to be committed: nothing of it was kept.
        case again(because: PostgreSQLFailure)
        case failed(StoreError)
        /// The connection was lost during COMMIT. The number is the transaction's on the server.
        case unknown(number: String)
    }

    let connection: PostgreSQLConnection
    private let loop: any EventLoop
    private var isOpen = true
    /// The first failure of a statement; PostgreSQL refuses all that follow.
    private var failure: PostgreSQLFailure?
    /// What the server calls this transaction, once it has written something.
    private var number: String?
    private var wasAskedForNumber = false

    init(_ connection: PostgreSQLConnection, on loop: any EventLoop) {
        self.connection = connection
        self.loop = loop
    }

    func query(_ statement: Statement) async throws(StoreError) -> [Row] { try await perform(statement).rows }

    func execute(_ statement: Statement) async throws(StoreError) -> Int { try await perform(statement).changes }

    /// At once: there is nobody to share it with.
    func executeLast(_ statement: Statement) async throws(StoreError) { _ = try await perform(statement) }

    private func perform(_ statement: Statement) async throws(StoreError) -> PostgreSQLConnection.Answer {
        if loop.isCurrent { return try await performHere(statement) }
        // A body that is bound to an actor runs there, not here.
        return try await withTaskExecutorPreference(loop) {
            () async throws(StoreError) -> PostgreSQLConnection.Answer in
            try await performThere(statement)
        }
    }

    @concurrent private func performThere(
        _ statement: Statement
    ) async throws(StoreError) -> PostgreSQLConnection.Answer {
        try await performHere(statement)
    }

    private func performHere(_ statement: Statement) async throws(StoreError) -> PostgreSQLConnection.Answer {
        guard isOpen else { throw .misuse("a transaction is used outside of its body") }
        guard failure == nil else {
            throw .misuse("a statement of this transaction failed before: it can only be rolled back")
        }
        switch await send(statement, askingForNumber: !statement.sql.hasPrefix("SELECT")) {
        case .success(let answer): return answer
        case .failure(let found):
            if failure == nil { failure = found }
            throw found.error
        }
    }

    private func send(
        _ statement: Statement, askingForNumber: Bool = false
    ) async -> Result<PostgreSQLConnection.Answer, PostgreSQLFailure> {
        await withCheckedContinuation { continuation in
            connection.request(statement) { continuation.resume(returning: SendableAnswer($0)) }
            if askingForNumber, !wasAskedForNumber { askForNumber() }
        }.outcome
    }

    /// Right behind the first statement that may have written, in the same flight: it costs no waiting.
    private func askForNumber() {
        wasAskedForNumber = true
        connection.request("SELECT CAST(pg_current_xact_id_if_assigned() AS TEXT)") { [self] answer in
            guard case .success(let answer) = answer, let row = answer.rows.first else { return }
            number = try? row.text(0)
            // It wrote nothing, but a later one may.
            if number == nil { wasAskedForNumber = false }
        }
    }

    /// Goes out together with the first statement; nobody waits for its answer.
    func begin() {
        connection.request("BEGIN ISOLATION LEVEL SERIALIZABLE") { [self] answer in
            if case .failure(let found) = answer, failure == nil { failure = found }
        }
    }

    func finish(keeping: Bool) async -> Outcome {
        isOpen = false
        if keeping, failure == nil { return await commit() }
        _ = await send("ROLLBACK")
        guard let failure else { return .asTheBodySays }
        if failure.remedy != .none { return .again(because: failure) }
        return keeping ? .failed(failure.error) : .asTheBodySays
    }

    private func commit() async -> Outcome {
        switch await send("COMMIT") {
        case .success(let answer) where answer.tag == "COMMIT": return .asTheBodySays
        case .success: return .failed(.unavailable("PostgreSQL rolled the transaction back"))
        case .failure(let found) where found.remedy == .askAgain:
            // Without a number nothing was written, and there is nothing to lose.
            guard let number else { return wasAskedForNumber ? .failed(Self.unknown) : .failed(found.error) }
            return .unknown(number: number)
        case .failure(let found): return found.remedy == .none ? .failed(found.error) : .again(because: found)
        }
    }

    static let unknown = StoreError.unavailable(
        "the connection to PostgreSQL was lost during COMMIT, and it cannot be asked whether the transaction was kept")
}
