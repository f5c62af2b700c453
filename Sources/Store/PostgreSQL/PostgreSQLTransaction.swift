// One attempt at one transaction, on a connection that it has to itself.

import Base

/// `@unchecked`: used on the loop's thread only; a statement from elsewhere is brought there first.
final class PostgreSQLTransaction: Transaction, @unchecked Sendable {
    enum Outcome {
        case asTheBodySays
        case again
        case failed(StoreError)
    }

    let connection: PostgreSQLConnection
    private let loop: any EventLoop
    private var isOpen = true
    /// The first failure of a statement; PostgreSQL refuses all that follow.
    private var failure: PostgreSQLFailure?

    init(_ connection: PostgreSQLConnection, on loop: any EventLoop) {
        self.connection = connection
        self.loop = loop
    }

    func query(_ statement: Statement) async throws(StoreError) -> [Row] { try await perform(statement).rows }

    func execute(_ statement: Statement) async throws(StoreError) -> Int { try await perform(statement).changes }

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
        switch await send(statement) {
        case .success(let answer): return answer
        case .failure(let found):
            if failure == nil { failure = found }
            throw found.error
        }
    }

    private func send(_ statement: Statement) async -> Result<PostgreSQLConnection.Answer, PostgreSQLFailure> {
        await withCheckedContinuation { continuation in
            connection.request(statement) { continuation.resume(returning: SendableAnswer($0)) }
        }.outcome
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
        if failure.remedy != .none { return .again }
        return keeping ? .failed(failure.error) : .asTheBodySays
    }

    private func commit() async -> Outcome {
        switch await send("COMMIT") {
        case .success(let answer) where answer.tag == "COMMIT": return .asTheBodySays
        case .success: return .failed(.unavailable("PostgreSQL rolled the transaction back"))
        case .failure(let found): return found.remedy == .none ? .failed(found.error) : .again
        }
    }
}
