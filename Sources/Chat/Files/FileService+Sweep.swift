// What is removed in the background, and scans that are made up for.

import Accounts
import Base
import Store

extension FileService {
    /// Files, uploads and scans that one turn looks after.
    private static var batch: Int { 50 }

    /// Removes what is over, a bounded part at a time. Returns whether there is more to do. Called every minute or so.
    @discardableResult
    package func sweep() async throws(FileError) -> Bool {
        let now = clock.now()
        try await transaction { [retention] (transaction) async throws(FileError) in
            try await transaction.alter(FileShareTable.sweep(before: now))
            try await transaction.alter(FileTable.letGoOutdated(retention, now: now))
        }
        var hasMore = try await removeUnkept()
        hasMore = try await removeUploads(now) || hasMore
        try await scanPending(now)
        do { return try await ledger.sweep() || hasMore } catch { throw FileError(error) }
    }

    private func removeUnkept() async throws(FileError) -> Bool {
        try await transaction { (transaction) async throws(FileError) -> Bool in
            let ids = try await transaction.reader.found(FileTable.unkept(limit: Self.batch)) {
                (row) throws(StoreError) in try row.identifier(0, FileKind.self)
            }
            guard !ids.isEmpty else { return false }
            try await Self.remove(ids, in: transaction)
            return ids.count == Self.batch
        }
    }

    /// While the scanner is away the first answer ends the turn.
    private func scanPending(_ now: Timestamp) async throws(FileError) {
        let statement = FileTable.pending(limit: Self.batch, at: now)
        for file in try await reader.found(statement, FileTable.file(from:)) {
            switch await verdict(on: file.key) {
            case .clean: try await change(FileTable.scanned(file.id, .clean))
            case .infected(let name):
                Self.log.warning("a file is infected and is not given out any more", [.text("found", name)])
                try await change(FileTable.scanned(file.id, .infected))
            case .unavailable: return
            // The operator has taken the scanner away: what waits for it would wait for ever.
            case nil: try await change(FileTable.scanned(file.id, .skipped))
            }
        }
    }
}
