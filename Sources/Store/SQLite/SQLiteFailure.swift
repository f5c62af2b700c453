// What SQLite answered, in the words of `StoreError`.

import CSQLite

enum SQLiteFailure {
    /// Reads the error of the last call on `connection`.
    static func last(on connection: OpaquePointer?, code: Int32) -> StoreError {
        let message = String(cString: sqlite3_errmsg(connection))
        let extended = connection == nil ? code : sqlite3_extended_errcode(connection)
        return error(extended: extended, message: message)
    }

    static func error(extended: Int32, message: String) -> StoreError {
        switch extended & 0xFF {
        case SQLITE_CONSTRAINT:
            extended == datatypeConstraint ? .misuse(message) : .conflict(constraint: constraint(in: message))
        case SQLITE_FULL: .unavailable("the disk is full")
        case SQLITE_IOERR where extended == logIndexSize: .unavailable("the disk is full")
        case SQLITE_IOERR: .unavailable("the database file cannot be read or written (SQLite code \(extended))")
        case SQLITE_BUSY, SQLITE_LOCKED: .unavailable("the database is locked by another process")
        case SQLITE_READONLY: .unavailable("the database file or its folder is read-only")
        case SQLITE_CANTOPEN, SQLITE_PERM, SQLITE_AUTH: .unavailable("the database file cannot be opened: \(message)")
        case SQLITE_NOMEM: .unavailable("there is not enough memory")
        case SQLITE_INTERRUPT: .unavailable("the statement took longer than is allowed")
        case SQLITE_CORRUPT: .corrupt("the database file is damaged: \(message)")
        case SQLITE_NOTADB: .corrupt("the file is not a SQLite database")
        default: .misuse(message)
        }
    }

    /// After these the connection is not trusted any more: it is closed, and opened anew for the next one.
    static func wantsReopening(_ error: StoreError) -> Bool {
        switch error {
        case .unavailable, .corrupt: true
        case .conflict, .misuse: false
        }
    }

    /// The index of the log cannot grow: SQLITE_IOERR_SHMSIZE, a macro with a cast.
    private static let logIndexSize = SQLITE_IOERR | 19 << 8

    /// A value of the wrong type for a column of a STRICT table: SQLITE_CONSTRAINT_DATATYPE, a macro with a cast.
    private static let datatypeConstraint = SQLITE_CONSTRAINT | 12 << 8

    /// `UNIQUE constraint failed: users.username` names the columns, an index on an expression its own name.
    /// SQLite does not say which foreign key failed; the PostgreSQL driver says as little, so that both agree.
    private static func constraint(in message: String) -> String {
        if message.hasPrefix("FOREIGN KEY") { return "foreign key" }
        let marker = "constraint failed: "
        guard let start = message.firstRange(of: marker)?.upperBound else { return message }
        let name = message[start...]
        guard name.hasPrefix("index '"), name.hasSuffix("'") else { return String(name) }
        return String(name.dropFirst("index '".count).dropLast())
    }
}
