// What can be done with files. One class, in one file per subject: `FileService+*.swift`.
//
// Content goes to the blob ledger while it comes, and rows are written when it is there and was looked at. Rights are
// looked at twice: before the first byte, so that nobody sends in vain, and in the transaction that writes the row.

package import Accounts
package import Base
package import Store

package final class FileService: Sendable {
    package let options: FileOptions

    let database: any Database
    let ledger: BlobLedger
    let accounts: AccountService
    let inspector: any FileInspector
    let clock: Clock
    let cleanings: Gate
    /// Of the server, where a conversation has none of its own.
    let retention: Duration?
    static let log = Logger("files")

    package init(
        database: any Database, ledger: BlobLedger, chat: ChatService, inspector: any FileInspector,
        options: FileOptions = FileOptions()
    ) {
        self.database = database
        self.ledger = ledger
        accounts = chat.accounts
        clock = chat.clock
        retention = chat.options.retention
        self.inspector = inspector
        self.options = options
        cleanings = Gate(open: options.cleaningsMax, waiting: options.cleaningsWaiting)
    }

    var reader: ChatReader { .database(database) }

    /// For start-up, before the first upload.
    package func start() async throws(FileError) {
        do { try await ledger.start() } catch { throw FileError(error) }
        // A database in a file has one server: whoever wrote to an upload is gone.
        guard database.engine == .sqlite else { return }
        try await change("UPDATE file_uploads SET lease = NULL, leased_until = NULL WHERE lease IS NOT NULL")
    }

    // MARK: Reading

    package func file(_ id: FileID, for principal: Principal) async throws(FileError) -> StoredFile {
        try await find(id, where: FileTable.isReadable(by: principal.user))
    }

    package func files(_ filter: FileFilter, for principal: Principal) async throws(FileError) -> Page<StoredFile> {
        var filter = filter
        if filter.search?.utf8.contains(0) == true || filter.search?.isEmpty == true { filter.search = nil }
        (filter.offset, filter.limit) = (max(0, filter.offset), min(max(0, filter.limit), ChatService.pageLimit))
        let condition = FileTable.condition(filter, for: principal.user)
        let total = try await reader.found("SELECT COUNT(*) FROM files f WHERE \(part: condition)") {
            (row) throws(StoreError) in Int(clamping: try row.integer(0))
        }
        let items = try await reader.found(FileTable.page(condition, filter, at: clock.now()), FileTable.file(from:))
        return Page(items: items, total: total.first ?? 0)
    }

    /// What is given to them, or why not. Its bytes are `content`'s.
    package func download(_ id: FileID, for principal: Principal) async throws(FileError) -> StoredFile {
        let file = try await file(id, for: principal)
        try Self.checkScan(file, isUploader: file.uploader == principal.user)
        return file
    }

    package func content(of file: StoredFile, _ range: Range<Int64>?) async throws(FileError) -> BlobContent {
        try await content(file.key, range)
    }

    package func content(of thumbnail: FileThumbnail, _ range: Range<Int64>?) async throws(FileError) -> BlobContent {
        try await content(thumbnail.key, range)
    }

    private func content(_ key: BlobKey, _ range: Range<Int64>?) async throws(FileError) -> BlobContent {
        do { return try await ledger.blobs.read(key, range: range) } catch { throw FileError(error) }
    }

    /// Who may not read the file may not look at it either.
    package func thumbnail(
        of id: FileID, for principal: Principal
    ) async throws(FileError) -> (thumbnail: FileThumbnail, file: StoredFile) {
        let file = try await download(id, for: principal)
        guard let thumbnail = file.thumbnail else { throw .notFound(.thumbnail) }
        return (thumbnail, file)
    }

    static func checkScan(_ file: StoredFile, isUploader: Bool) throws(FileError) {
        switch file.scan {
        case .clean, .skipped: return
        case .infected: throw .virusDetected(name: nil)
        case .pending: if !isUploader { throw .scanPending }
        }
    }

    package func usage(of user: UserID) async throws(FileError) -> BlobUsage {
        do {
            let usage = try await ledger.usage(of: BlobPayer(user: user, pot: .files), within: options.quota)
            return usage[0]
        } catch {
            throw FileError(error)
        }
    }

    // MARK: Deleting

    /// By who uploaded it, or an administrator.
    package func delete(_ id: FileID, by principal: Principal, origin: RequestOrigin) async throws(FileError) {
        let file = try await owned(id, by: principal)
        let now = clock.now()
        let isOwn = file.uploader == principal.user
        try await transaction { (transaction) async throws(FileError) in
            try await Self.remove([id], in: transaction)
            if isOwn { return }
            do throws(ChatError) {
                try await ChatService.audit(
                    .fileDeleted, of: "\(id)", by: principal, origin: origin, at: now, in: transaction)
            } catch {
                throw FileError(error)
            }
        }
        if !isOwn { accounts.audit.sealSoon() }
        await ledger.collect()
    }

    /// A file that its uploader, or an administrator, asks for. Who sees it and is neither is told so.
    func owned(_ id: FileID, by principal: Principal) async throws(FileError) -> StoredFile {
        if principal.isAdmin { return try await find(id, where: "1 = 1") }
        let file = try await file(id, for: principal)
        guard file.uploader == principal.user else { throw .notUploader }
        return file
    }

    func find(_ id: FileID, where condition: Statement) async throws(FileError) -> StoredFile {
        let statement = FileTable.select(id, where: condition, at: clock.now())
        guard let file = try await reader.found(statement, FileTable.file(from:)).first else { throw .notFound(.file) }
        return file
    }

    static func remove(_ ids: [FileID], in transaction: any Transaction) async throws(FileError) {
        do { try await BlobLedger.release(ids.map(\.uuid), in: transaction) } catch { throw FileError(error) }
        for statement in FileTable.remove(ids) { try await transaction.alter(statement) }
    }

    // MARK: For the other files

    func transaction<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) async throws(FileError) -> Value
    ) async throws(FileError) -> Value {
        try await database.transaction(body)
    }

    @discardableResult
    func change(_ statement: Statement) async throws(FileError) -> Int {
        try await transaction { (transaction) async throws(FileError) in try await transaction.alter(statement) }
    }
}

extension ChatReader {
    func found<Value>(
        _ statement: Statement, _ read: (Row) throws(StoreError) -> Value
    ) async throws(FileError) -> [Value] {
        do { return try await all(statement, read) } catch { throw FileError(error) }
    }
}

extension Transaction {
    /// The number of rows that were changed.
    @discardableResult
    func alter(_ statement: Statement) async throws(FileError) -> Int {
        do { return try await execute(statement) } catch { throw FileError(error) }
    }
}
