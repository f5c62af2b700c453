// A copy of a SQLite database as it was at one moment, made while others write to it.
//
// One read transaction is held over the whole copy, so that SQLite does not begin anew whenever somebody commits; in WAL
// mode it keeps no writer waiting. The log grows meanwhile, and is cut at the next checkpoint.

import Base
import CSQLite
import Glibc

package enum SQLiteSnapshot {
    /// Pages between two looks at whether the copy is still wanted: 4 MiB at the usual size.
    private static let pagesAtOnce: Int32 = 1_024

    /// Blocks. `copy` must not exist; it is readable by its owner only, complete when this returns, and gone when it throws.
    /// Not durable: it is read once and deleted, and most of it need never reach the disk.
    package static func copy(
        _ source: String, to copy: String, isCancelled: () -> Bool
    ) throws(StoreError) {
        // SQLite would make it readable by everyone.
        let descriptor = Glibc.open(copy, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .unavailable("\(SystemError("make \(copy)"))") }
        Glibc.close(descriptor)
        do throws(StoreError) {
            try run(source, copy, isCancelled)
        } catch {
            unlink(copy)
            throw error
        }
    }

    private static func run(_ source: String, _ copy: String, _ isCancelled: () -> Bool) throws(StoreError) {
        let from = try connect(source, SQLITE_OPEN_READWRITE)
        defer { sqlite3_close_v2(from) }
        let to = try connect(copy, SQLITE_OPEN_READWRITE)
        defer { sqlite3_close_v2(to) }
        try plain("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", on: to)
        // The transaction begins with the first read.
        try plain("BEGIN; SELECT count(*) FROM sqlite_schema", on: from)
        guard let backup = sqlite3_backup_init(to, "main", from, "main") else {
            throw SQLiteFailure.last(on: to, code: sqlite3_errcode(to))
        }
        var code = SQLITE_OK
        while code == SQLITE_OK, !isCancelled() { code = sqlite3_backup_step(backup, pagesAtOnce) }
        let finished = sqlite3_backup_finish(backup)
        if code == SQLITE_OK { throw .unavailable("the copy was cancelled") }
        guard code == SQLITE_DONE, finished == SQLITE_OK else { throw SQLiteFailure.last(on: to, code: code) }
    }

    private static func connect(_ path: String, _ flags: Int32) throws(StoreError) -> OpaquePointer {
        var handle: OpaquePointer?
        let code = sqlite3_open_v2(path, &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard code == SQLITE_OK, let handle else {
            let error = SQLiteFailure.last(on: handle, code: code)
            sqlite3_close_v2(handle)
            throw error
        }
        sqlite3_busy_timeout(handle, 5_000)
        return handle
    }

    private static func plain(_ sql: String, on handle: OpaquePointer) throws(StoreError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw SQLiteFailure.last(on: handle, code: code) }
    }
}
