// Which transaction the running task is inside of, so that a call that would wait for itself is refused in words
// instead of stopping every writer.

import Synchronization

final class TransactionScope: Sendable {
    @TaskLocal static var current: TransactionScope?

    private let database: ObjectIdentifier
    private let isOver = Atomic(false)

    init(of database: AnyObject) { self.database = ObjectIdentifier(database) }

    private init(_ database: ObjectIdentifier) { self.database = database }

    /// For the next run of a body: what the last one left behind stays outside.
    func anew() -> TransactionScope { TransactionScope(database) }

    func end() { isOver.store(true, ordering: .relaxed) }

    /// Throws when the calling task is inside a transaction on `database`: what it wants must go through that one.
    static func requireNone(on database: AnyObject) throws(StoreError) {
        guard let scope = current, scope.database == ObjectIdentifier(database) else { return }
        guard !scope.isOver.load(ordering: .relaxed) else { return }
        throw .misuse("the database is used inside a transaction's body instead of the transaction")
    }

    /// Runs a body with this scope around it. The error comes back as a value, because `withValue` forgets its type.
    func run<Value: Sendable, Failure: Error>(
        _ body: @Sendable () async throws(Failure) -> Value
    ) async -> Result<Value, Failure> {
        await Self.$current.withValue(self) {
            do throws(Failure) {
                return .success(try await body())
            } catch {
                return .failure(error)
            }
        }
    }
}
