// One transaction on its way through the writer: waits for its turn, runs its statements, waits for the COMMIT.
//
//     waiting ──start──▶ running ──finish──▶ done ──start: its group was undone──▶ running
//                           └──expire──▶ expired

import Base

/// `@unchecked`: used on the writer's thread only; a statement from elsewhere is brought there first.
final class WriterTurn: Transaction, @unchecked Sendable {
    private enum Phase { case waiting, running, done, expired }

    /// What the writer tells the caller's task.
    private enum Word: Sendable {
        case run
        case settled(StoreError?)
    }

    private let writer: SQLiteWriter
    private var phase = Phase.waiting
    private var connection: SQLiteConnection?
    private var continuation: CheckedContinuation<Word, Never>?
    /// The first failure of a statement. As in PostgreSQL, nothing of the transaction can be kept after it.
    private(set) var failure: StoreError?
    private(set) var wantsKeeping = false
    /// What the body wants done behind it.
    private(set) var lastStatements: [Statement] = []

    init(writer: SQLiteWriter) { self.writer = writer }

    // MARK: The caller's task

    func query(_ statement: Statement) async throws(StoreError) -> [Row] {
        try await perform { connection throws(StoreError) in try connection.query(statement) }
    }

    func execute(_ statement: Statement) async throws(StoreError) -> Int {
        try await perform { connection throws(StoreError) in try connection.execute(statement) }
    }

    func executeLast(_ statement: Statement) async throws(StoreError) {
        try await perform { _ throws(StoreError) in lastStatements.append(statement) }
    }

    private func perform<Value: Sendable>(
        _ work: @Sendable (SQLiteConnection) throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        if writer.executor.isCurrent { return try performHere(work) }
        // A body that is bound to an actor runs there, not here.
        return try await withTaskExecutorPreference(writer.executor) { () async throws(StoreError) -> Value in
            try await performThere(work)
        }
    }

    @concurrent private func performThere<Value: Sendable>(
        _ work: @Sendable (SQLiteConnection) throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        try performHere(work)
    }

    private func performHere<Value>(
        _ work: (SQLiteConnection) throws(StoreError) -> Value
    ) throws(StoreError) -> Value {
        switch phase {
        case .running: break
        case .expired: throw Self.tooLong
        case .waiting, .done: throw .misuse("a transaction is used outside of its body")
        }
        guard failure == nil, let connection else {
            throw .misuse("a statement of this transaction failed before: it can only be rolled back")
        }
        do throws(StoreError) {
            return try work(connection)
        } catch {
            failure = error
            throw error
        }
    }

    /// Returns when it is this transaction's turn.
    func begin(_ enqueue: (WriterTurn) -> Void) async throws(StoreError) {
        let word = await withCheckedContinuation { continuation in
            self.continuation = continuation
            enqueue(self)
        }
        if case .settled(let refusal?) = word { throw refusal }
    }

    /// Returns true when the group is committed, and false when it was undone and the body has to run once more.
    func finish(keeping: Bool) async throws(StoreError) -> Bool {
        guard phase == .running else { throw Self.tooLong }
        phase = .done
        wantsKeeping = keeping && failure == nil
        switch await withCheckedContinuation({ continuation = $0 }) {
        case .run: return false
        case .settled(let outcome?): throw outcome
        case .settled(nil):
            if keeping, let failure { throw failure }
            return true
        }
    }

    // MARK: The writer

    var isDone: Bool { phase == .done || phase == .expired }
    var hasExpired: Bool { phase == .expired }

    /// Begins, or begins anew: nothing is left of what it did before.
    func start(on connection: SQLiteConnection) {
        self.connection = connection
        (failure, wantsKeeping, lastStatements) = (nil, false, [])
        phase = .running
        resume(.run)
    }

    func fail(_ error: StoreError) {
        failure = error
        wantsKeeping = false
    }

    /// The body took too long. It learns so from its next statement, or at its end.
    func expire() {
        phase = .expired
        connection = nil
        fail(Self.tooLong)
    }

    /// The group is committed, or failed and nothing of it was kept.
    func settle(_ failure: StoreError?) {
        connection = nil
        resume(.settled(failure))
    }

    private func resume(_ word: Word) {
        let waiting = continuation.take()
        waiting?.resume(returning: word)
    }

    private static let tooLong = StoreError.unavailable("the transaction took too long and was rolled back")
}
