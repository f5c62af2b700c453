// Files with everything around them in the test's hand: rooms, blobs, a scanner.

package import Accounts
package import Base
package import Chat
package import Store
import Synchronization

/// Knows a few types by their beginnings, draws no pictures worth looking at, and finds what it is told to find.
package final class TestInspector: FileInspector {
    private let isScanning = Mutex(false)
    private let isAway = Mutex(false)

    package init() {}

    package func scan(_ scans: Bool, isAway away: Bool = false) {
        isScanning.withLock { $0 = scans }
        isAway.withLock { $0 = away }
    }

    package let sniffedBytes = (prefix: 64, suffix: 16)

    package func type(prefix: Bytes, suffix: Bytes, declared: String?, name: String) -> String {
        let types = [("%PDF-", "application/pdf"), ("\u{89}PNG", "image/png"), ("<html", "text/html")]
        for (magic, type) in types where prefix.starts(with: magic.unicodeScalars.map { UInt8($0.value) }) {
            return type
        }
        return declared == "text/plain" ? "text/plain" : "application/octet-stream"
    }

    package func examine(
        _ type: String, size: Int64, _ content: @escaping @Sendable () async throws(BlobError) -> BlobContent
    ) async -> FileFindings {
        switch type {
        case "application/pdf": FileFindings(details: FileDetails(pages: 10, author: "John Doe"))
        case "image/png":
            FileFindings(
                details: FileDetails(width: 4, height: 3), thumbnail: ("image/jpeg", Bytes("small \(size)".utf8)))
        default: FileFindings()
        }
    }

    /// "SECRET" is what a picture tells; "SMALL" becomes "LARGER" when it is turned.
    package func clean(
        _ type: String, _ content: @escaping @Sendable () async throws(BlobError) -> BlobContent
    ) async throws(FileError) -> Bytes? {
        guard type == "image/png" else { return nil }
        var bytes = Bytes()
        do throws(BlobError) {
            let opened = try await content()
            while let piece = try await opened.next() { bytes += piece }
        } catch {
            throw .unavailable("\(error)")
        }
        // One scalar for a byte, so that no byte is changed on the way.
        var text = String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
        if text.contains("DAMAGED") { throw .unreadableImage("it is damaged") }
        if text.contains("BUSY") { throw .unavailable("no worker is free") }
        text.replace("SECRET", with: "")
        text.replace("SMALL", with: "LARGER")
        return text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    }

    package func scan(_ source: @escaping BlobSource) async -> FileScanVerdict? {
        guard isScanning.withLock({ $0 }) else { return nil }
        if isAway.withLock({ $0 }) { return .unavailable("no scanner") }
        var content = Bytes()
        do {
            while let bytes = try await source() { content += bytes }
        } catch {
            return .unavailable("\(error)")
        }
        return String(decoding: content, as: UTF8.self).contains("EICAR") ? .infected("Eicar-Test") : .clean
    }
}

package final class TestFiles: Sendable {
    package let chat: TestChat
    package let ledger: TestLedger
    package let inspector = TestInspector()
    package let service: FileService

    package var clock: TestClock { chat.clock }

    /// Bounds that a test is not long in reaching.
    package static var options: FileOptions {
        var options = FileOptions()
        options.maxSize = 1_000
        options.quota = BlobQuota(user: 2_000, organization: 1_500)
        options.allowedTypes = ["application/pdf", "image/*", "text/plain", "text/html", "application/octet-stream"]
        options.uploadsPerUser = 3
        options.partsPerUpload = 4
        options.sharesPerFile = 2
        return options
    }

    package static func make(
        _ database: any Database, options: FileOptions = TestFiles.options
    ) async throws -> TestFiles {
        try await TestFiles(try await TestChat.make(database), options)
    }

    private init(_ chat: TestChat, _ options: FileOptions) async throws {
        self.chat = chat
        ledger = try TestLedger(chat.domain.database, clock: chat.clock)
        service = FileService(
            database: chat.domain.database, ledger: ledger.ledger, chat: chat.service, inspector: inspector,
            options: options)
        try await service.start()
    }

    @discardableResult
    package func upload(
        _ text: String, _ new: NewFile = NewFile(name: "note.txt", declaredType: "text/plain"), by principal: Principal
    ) async throws -> StoredFile {
        let size = Int64(text.utf8.count)
        return try await service.upload(new, size...size, from: TestSource(text).source, rest: { new }, by: principal)
    }

    package func text(_ file: StoredFile) async throws -> String {
        let content = try await service.content(of: file, nil)
        var bytes = Bytes()
        while let chunk = try await content.next() { bytes += chunk }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// A message that holds it.
    package func attach(
        _ file: StoredFile, to conversation: ConversationID, by principal: Principal
    ) async throws -> Message {
        let attachment = Attachment(
            id: AttachmentID(.random()), name: file.name, size: file.size, contentType: file.type,
            storage: file.storage)
        let new = NewMessage(.plain("see"), type: .file, attachments: [attachment])
        return try await chat.service.send(new, to: conversation, by: principal).message
    }

    package func finish() async throws {
        try await chat.domain.finish()
        try await ledger.verify()
        await chat.domain.service.stop()
    }
}

package func requireFileRefusal(
    _ expected: FileError, line: Int = #line, _ body: () async throws -> some Any
) async throws {
    try await requireError(FileError.self, line: line, { _ = try await body() }, matches: { $0 == expected })
}
