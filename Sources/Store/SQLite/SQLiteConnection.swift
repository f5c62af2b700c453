// One SQLite connection and its prepared statements. Used by one thread at a time; knows nothing of threads itself.

import Base
import CSQLite
import Glibc

final class SQLiteConnection {
    enum Role { case writer, reader }

    private let handle: OpaquePointer
    private let role: Role
    private var cache: StatementCache<OpaquePointer>
    private let statementLimit: Duration
    private var deadline = Instant(nanoseconds: .max)
    /// Statements that may have written something else than rows.
    private var schemaChanges: Int64 = 0

    init(_ location: SQLiteDatabase.Location, _ role: Role, _ options: SQLiteDatabase.Options) throws(StoreError) {
        handle = try Self.open(location)
        self.role = role
        cache = StatementCache(capacity: options.cachedStatements)
        statementLimit = options.statementLimit
        do throws(StoreError) {
            try configure(location, role, options)
        } catch {
            sqlite3_close_v2(handle)
            throw error
        }
        watchDeadline()
    }

    deinit {
        for statement in cache.removeAll() { sqlite3_finalize(statement) }
        sqlite3_close_v2(handle)
    }

    // MARK: Statements

    func query(_ statement: Statement) throws(StoreError) -> [Row] {
        var rows: [Row] = []
        try run(statement) { prepared in
            rows.append(Row((0..<sqlite3_column_count(prepared)).map { Self.value(prepared, $0) }))
        }
        return rows
    }

    /// The number of rows changed by the statement itself, without those of cascades.
    func execute(_ statement: Statement) throws(StoreError) -> Int {
        let before = sqlite3_total_changes64(handle)
        try run(statement) { _ in }
        return sqlite3_total_changes64(handle) == before ? 0 : Int(sqlite3_changes64(handle))
    }

    private func run(_ statement: Statement, _ row: (OpaquePointer) -> Void) throws(StoreError) {
        let prepared = try prepare(statement.sql)
        defer {
            // The cached statement must hold neither a read snapshot nor what was bound to it.
            sqlite3_reset(prepared)
            sqlite3_clear_bindings(prepared)
        }
        try bind(statement.parameters, to: prepared)
        deadline = statement.isUnbounded ? Instant(nanoseconds: .max) : .now() + statementLimit
        defer { deadline = Instant(nanoseconds: .max) }
        while true {
            switch sqlite3_step(prepared) {
            case SQLITE_ROW: row(prepared)
            case SQLITE_DONE: return noteSchemaChange(by: prepared, statement.sql)
            case let code: throw SQLiteFailure.last(on: handle, code: code)
            }
        }
    }

    /// SQLite counts the rows that are written, those of cascades and of a full text index as well, and nothing else.
    private func noteSchemaChange(by prepared: OpaquePointer, _ sql: String) {
        guard sqlite3_stmt_readonly(prepared) == 0, !Self.writesRows(sql) else { return }
        schemaChanges &+= 1
    }

    private static func writesRows(_ sql: String) -> Bool {
        ["INSERT ", "UPDATE ", "DELETE ", "WITH "].contains { sql.hasPrefix($0) }
    }

    /// The same figure twice: nothing was written between.
    var changeMark: Int64 { sqlite3_total_changes64(handle) &+ schemaChanges }

    private func prepare(_ sql: String) throws(StoreError) -> OpaquePointer {
        if let cached = cache.value(for: sql) { return cached }
        var prepared: OpaquePointer?
        var hasTail = false
        let code = sql.withCString { text in
            var tail: UnsafePointer<CChar>?
            let code = sqlite3_prepare_v3(handle, text, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &prepared, &tail)
            hasTail = tail.map { $0.pointee != 0 } ?? false
            return code
        }
        guard code == SQLITE_OK else { throw SQLiteFailure.last(on: handle, code: code) }
        guard let prepared, !hasTail else {
            sqlite3_finalize(prepared)
            throw .misuse("a statement must be one SQL command, without a semicolon")
        }
        guard role == .writer || sqlite3_stmt_readonly(prepared) != 0 else {
            sqlite3_finalize(prepared)
            throw .misuse("a read outside of a transaction cannot write")
        }
        if let evicted = cache.insert(prepared, for: sql) { sqlite3_finalize(evicted) }
        return prepared
    }

    private func bind(_ parameters: [SQLValue], to prepared: OpaquePointer) throws(StoreError) {
        guard Int(sqlite3_bind_parameter_count(prepared)) == parameters.count else {
            throw .misuse("the statement has another number of placeholders than of parameters")
        }
        for (offset, value) in parameters.enumerated() {
            try value.requirePortable()
            let code = Self.bind(value, at: Int32(offset + 1), to: prepared)
            guard code == SQLITE_OK else { throw SQLiteFailure.last(on: handle, code: code) }
        }
    }

    private static func bind(_ value: SQLValue, at index: Int32, to prepared: OpaquePointer) -> Int32 {
        switch value {
        case .null: return sqlite3_bind_null(prepared, index)
        case .integer(let number): return sqlite3_bind_int64(prepared, index, number)
        case .real(let number): return sqlite3_bind_double(prepared, index, number)
        case .text(var text):
            return text.withUTF8 { utf8 in
                // A nil pointer would bind NULL: the empty text needs an address.
                utf8.withMemoryRebound(to: CChar.self) { characters in
                    characters.baseAddress.map {
                        plexi_sqlite3_bind_text(prepared, index, $0, UInt64(characters.count))
                    } ?? plexi_sqlite3_bind_text(prepared, index, "", 0)
                }
            }
        case .blob(let bytes) where bytes.isEmpty: return sqlite3_bind_zeroblob(prepared, index, 0)
        case .blob(let bytes):
            return bytes.withUnsafeBytes {
                plexi_sqlite3_bind_blob(prepared, index, $0.baseAddress, UInt64($0.count))
            }
        }
    }

    private static func value(_ prepared: OpaquePointer, _ column: Int32) -> SQLValue {
        switch sqlite3_column_type(prepared, column) {
        case SQLITE_INTEGER: return .integer(sqlite3_column_int64(prepared, column))
        case SQLITE_FLOAT: return .real(sqlite3_column_double(prepared, column))
        case SQLITE_TEXT:
            // The pointer must be asked for before the count: it may convert.
            let text = sqlite3_column_text(prepared, column)
            let count = Int(sqlite3_column_bytes(prepared, column))
            return .text(String(decoding: UnsafeBufferPointer(start: text, count: count), as: UTF8.self))
        case SQLITE_BLOB:
            let bytes = sqlite3_column_blob(prepared, column)
            return .blob(
                Bytes(UnsafeRawBufferPointer(start: bytes, count: Int(sqlite3_column_bytes(prepared, column)))))
        default: return .null
        }
    }

    // MARK: Transactions

    /// False after SQLite rolled the transaction back by itself, as it may on a full disk.
    var isInTransaction: Bool { sqlite3_get_autocommit(handle) == 0 }

    /// True when rows refer to others that are not there and only COMMIT would find out.
    var hasOpenForeignKeys: Bool {
        var current: Int32 = 0
        var highest: Int32 = 0
        sqlite3_db_status(handle, SQLITE_DBSTATUS_DEFERRED_FKS, &current, &highest, 0)
        return current > 0
    }

    /// What nobody asks the changes of.
    func command(_ statement: Statement) throws(StoreError) { try run(statement) { _ in } }

    /// Writes something durably without changing anything: whether the disk takes writes again.
    func probe() throws(StoreError) {
        let version = try query("PRAGMA user_version").first?.integer(0) ?? 0
        try plain("BEGIN IMMEDIATE; PRAGMA user_version = \(version); COMMIT")
    }

    // MARK: Opening

    /// SQLite would count what it allocates, under one lock for the whole process; nobody asks for the figure. It
    /// can be said only before the first connection is opened. Refused (another library in the process was first), it
    /// costs a little time and nothing else.
    private static let countsNoMemory = plexi_sqlite3_count_no_memory() == SQLITE_OK

    private static func open(_ location: SQLiteDatabase.Location) throws(StoreError) -> OpaquePointer {
        _ = countsNoMemory
        let path: String
        switch location {
        case .memory: path = ":memory:"
        case .file(let file):
            path = file
            try createPrivately(file)
        }
        var handle: OpaquePointer?
        // One thread at a time uses a connection, so SQLite's own locks are left out.
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = sqlite3_open_v2(path, &handle, flags, nil)
        guard code == SQLITE_OK, let handle else {
            let error = SQLiteFailure.last(on: handle, code: code)
            sqlite3_close_v2(handle)
            throw error
        }
        return handle
    }

    /// SQLite would create the file readable by everyone; its log and index files take after it.
    ///
    /// A file that is there is not touched. POSIX takes all of a process's locks on a file away when any descriptor of
    /// it is closed: another process would then think itself alone, and delete the log that we go on writing to.
    private static func createPrivately(_ path: String) throws(StoreError) {
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            Glibc.close(descriptor)
        } else if errno != EEXIST {
            throw .unavailable("\(SystemError("make \(path)"))")
        }
    }

    private func configure(
        _ location: SQLiteDatabase.Location, _ role: Role, _ options: SQLiteDatabase.Options
    ) throws(StoreError) {
        sqlite3_busy_timeout(handle, Int32(clamping: options.lockTimeout.milliseconds))
        // `case_sensitive_like` because PostgreSQL's LIKE is; `cell_size_check` finds damage earlier.
        try plain(
            """
            PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA case_sensitive_like = ON;
            PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA mmap_size = \(options.mappedBytes);
            PRAGMA cache_size = -\(options.cacheKiB)
            """)
        switch role {
        case .reader: try plain("PRAGMA query_only = ON")
        case .writer: try configureWriter(location)
        }
    }

    private func configureWriter(_ location: SQLiteDatabase.Location) throws(StoreError) {
        guard case .file = location else { return }
        let mode = try query("PRAGMA journal_mode = WAL").first?.text(0)
        guard mode == "wal" else { throw .unavailable("the file system cannot share memory, which SQLite's WAL needs") }
        // FULL: COMMIT returns after the log is synced. The log file is cut to 64 MiB after a burst.
        try plain("PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864")
    }

    /// Commands without parameters that are run once.
    private func plain(_ sql: String) throws(StoreError) {
        let code = sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw SQLiteFailure.last(on: handle, code: code) }
    }

    /// A statement that runs too long is broken off between two instructions of SQLite's machine.
    private func watchDeadline() {
        // A glance at the clock costs 22 ns; so many instructions take about a millisecond.
        let instructions: Int32 = 20_000
        // Unretained: the handle, and with it the callback, dies with this object.
        let context = Unmanaged.passUnretained(self).toOpaque()
        sqlite3_progress_handler(
            handle, instructions,
            { context in
                guard let context else { return 0 }
                let connection = Unmanaged<SQLiteConnection>.fromOpaque(context).takeUnretainedValue()
                return Instant.now() > connection.deadline ? 1 : 0
            }, context)
    }
}
