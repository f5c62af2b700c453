// A blob ledger over a folder of its own, with a store that fails when it is told to.

package import Accounts
package import Base
package import Store
import Synchronization

package final class TestLedger: Sendable {
    package let ledger: BlobLedger
    package let store: FaultyBlobStore
    package let database: any Database
    package let clock: TestClock
    package let folder: TemporaryFolder

    package static func make(_ database: any Database) async throws -> TestLedger {
        try await Migrations(AccountsSchema.migrations).apply(to: database)
        let ledger = try TestLedger(database)
        try await ledger.ledger.start()
        return ledger
    }

    package init(_ database: any Database, clock: TestClock = TestClock()) throws {
        self.database = database
        self.clock = clock
        folder = try TemporaryFolder()
        store = FaultyBlobStore(try FolderBlobStore(folder.path + "/blobs"))
        ledger = BlobLedger(blobs: store, database: database, clock: clock.clock)
    }

    /// The same database and the same blobs, as a process that starts again finds them.
    package func restarted() -> BlobLedger { BlobLedger(blobs: store, database: database, clock: clock.clock) }

    package var blobCount: Int {
        get async throws { try await store.list(after: nil, limit: 1_000).count }
    }

    package func usage(_ payer: BlobPayer) async throws -> (used: Int64, reserved: Int64) {
        let usage = try await ledger.usage(of: payer, within: BlobQuota())
        return (usage.last?.used ?? 0, usage.last?.reserved ?? 0)
    }

    /// What must hold whenever nothing is under way: sums are what they sum, and the store holds what is written down.
    package func verify() async throws {
        for sums: Statement in [
            """
            SELECT COUNT(*) FROM blob_usage u WHERE used <> (SELECT COALESCE(SUM(charged), 0) FROM blob_holds h \
            WHERE h.pot = u.pot AND (h.user_id = u.owner OR h.organization_id = u.owner))
            """,
            """
            SELECT COUNT(*) FROM blob_usage u WHERE reserved <> (SELECT COALESCE(SUM(bytes), 0) FROM \
            blob_reservations r WHERE r.pot = u.pot AND (r.user_id = u.owner OR r.organization_id = u.owner))
            """,
            "SELECT COUNT(*) FROM blobs b WHERE holds <> (SELECT COUNT(*) FROM blob_holds h WHERE h.hash = b.hash)",
        ] {
            try requireEqual(try await database.query(sums)[0].integer(0), 0)
        }
        var known = Set<Bytes>()
        for row in try await database.query("SELECT hash FROM blobs") { known.insert(try row.blob(0)) }
        try requireEqual(Set(try await store.list(after: nil, limit: 1_000).map(\.key.hash)), known)
    }
}

/// A store that is away, or full, while a test wants it to be.
package final class FaultyBlobStore: BlobStore {
    private let store: any BlobStore
    private let failure = Mutex<BlobError?>(nil)

    package init(_ store: any BlobStore) { self.store = store }

    package func fail(_ error: BlobError?) { failure.withLock { $0 = error } }

    private func check() throws(BlobError) {
        if let error = failure.withLock({ $0 }) { throw error }
    }

    package func put(
        limit: Int64, from source: @escaping BlobSource, admit: @escaping BlobAdmission
    ) async throws -> BlobInfo {
        try await store.put(limit: limit) { [self] in
            let bytes = try await source()
            try check()
            return bytes
        } admit: { [self] blob in
            try await admit(blob)
            try check()
        }
    }

    package func read(_ key: BlobKey, range: Range<Int64>?) async throws(BlobError) -> BlobContent {
        try check()
        return try await store.read(key, range: range)
    }

    package func info(_ key: BlobKey) async throws(BlobError) -> BlobInfo? {
        try check()
        return try await store.info(key)
    }

    package func delete(_ key: BlobKey) async throws(BlobError) {
        try check()
        try await store.delete(key)
    }

    package func list(after: BlobKey?, limit: Int) async throws(BlobError) -> [BlobInfo] {
        try await store.list(after: after, limit: limit)
    }

    package func health() async -> BlobHealth { await store.health() }
}

/// Gives pieces, then `failure` or the end.
package final class TestSource: Sendable {
    private let pieces: Mutex<[Bytes]>
    private let failure: (any Error)?

    package init(_ pieces: [Bytes], failure: (any Error)? = nil) {
        self.pieces = Mutex(pieces.reversed())
        self.failure = failure
    }

    package convenience init(_ text: String) { self.init([Bytes(text.utf8)]) }

    package func next() throws -> Bytes? {
        if let piece = pieces.withLock({ $0.popLast() }) { return piece }
        if let failure { throw failure }
        return nil
    }

    package var source: BlobSource { { [self] in try next() } }
}
