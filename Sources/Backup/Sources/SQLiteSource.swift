// The server's SQLite database: a consistent copy, made while the server writes.
//
// The copy needs as much room as the database has, for the time of the backup. SQLite's own backup keeps every page where
// it is, so that what did not change is found again; VACUUM INTO would move them all.

import Base
import Glibc
import Store

package actor SQLiteSource: BackupSource {
    private let database: String
    private let scratch: String
    private let path: ItemPath
    private var copy: (path: String, changed: Timestamp)?
    private var isGiven = false

    /// `scratch`: a folder of the server's own, on a disk with room. It is made when it is absent.
    package init(_ database: String, as path: ItemPath, scratch: String) {
        self.database = database
        self.scratch = scratch
        self.path = path
    }

    package func expectedBytes() throws(BackupError) -> UInt64? {
        Files.length(of: try snapshot().path).map { UInt64($0) }
    }

    package func next() async throws(BackupError) -> SourceItem? {
        guard !isGiven else { return nil }
        let (copy, changed) = try snapshot()
        isGiven = true
        return SourceItem(path: path, kind: .file, mode: 0o600, changed: changed, mark: []) {
            () throws(BackupError) -> ItemBytes? in try FolderSource.reader(copy)
        }
    }

    private func snapshot() throws(BackupError) -> (path: String, changed: Timestamp) {
        if let copy { return copy }
        guard let status = Files.status(of: database) else { throw .unavailable("there is no database \(database)") }
        try Files.makeFolder(scratch)
        Self.sweep(scratch)
        let copy = "\(scratch)/\(UUID.random()).snapshot"
        let made = (copy, Timestamp(secondsSinceEpoch: Int64(status.st_mtim.tv_sec)))
        self.copy = made
        do throws(StoreError) {
            try SQLiteSnapshot.copy(database, to: copy) { Task.isCancelled }
        } catch {
            if Task.isCancelled { throw .cancelled }
            throw .unavailable("a copy of \(database) for the backup: \(error.words)")
        }
        return made
    }

    package func close() {
        if let copy { unlink(copy.path) }
        copy = nil
    }

    /// What a process that was killed left. An hour is longer than a copy lasts unread.
    private static func sweep(_ folder: String) {
        for name in Files.names(in: folder) where name.hasSuffix(".snapshot") {
            let path = "\(folder)/\(name)"
            if let age = Files.secondsSinceChange(path), age > 3_600 { unlink(path) }
        }
    }
}
