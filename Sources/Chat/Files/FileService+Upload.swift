// From bytes that come to a file that is there.

package import Accounts
import Base
package import Store
import Wire

extension FileService {
    /// Takes a file in. `sizes`: what the content has at least, as far as is known, and what it may have at most. `known`
    /// is what is said before the content, `rest` says everything, and is asked when `source` is at its end.
    ///
    /// Throws `FileError`, or what `source` or `rest` threw; then nothing is kept.
    package func upload(
        _ known: NewFile, _ sizes: ClosedRange<Int64>, from source: @escaping BlobSource,
        rest: () async throws -> NewFile, by principal: Principal
    ) async throws -> StoredFile {
        let reservation = try await reserve(known, sizes, by: principal)
        var isStored = false
        do {
            let blob = try await ledger.put(reservation, from: source)
            isStored = true
            let file = try await rest()
            return try await finish(reservation, blob, file, by: principal)
        } catch {
            await ledger.giveBack(reservation)
            // What is refused for its content is not left lying until the next sweep.
            if isStored { await ledger.collect() }
            throw FileError(any: error) ?? error
        }
    }

    /// Rights and room for a file that is about to come.
    func reserve(
        _ file: NewFile, _ sizes: ClosedRange<Int64>, by principal: Principal, lifetime: Duration? = nil
    ) async throws(FileError) -> BlobReservation {
        try Self.check(file)
        guard sizes.lowerBound <= options.maxSize else { throw .tooLarge(limit: options.maxSize) }
        let organization = try await authorize(file.conversation, principal, reader)
        let upper = min(sizes.upperBound, options.maxSize)
        let payer = BlobPayer(user: principal.user, organization: organization?.uuid, pot: .files)
        do {
            return try await ledger.reserve(
                min(sizes.lowerBound, upper)...upper, for: payer, within: options.quota,
                lifetime: lifetime ?? BlobLedger.uploadLifetime, outlivesProcess: lifetime != nil)
        } catch {
            throw FileError(error)
        }
    }

    /// Looks at content that is stored and pinned, and makes it a file.
    func finish(
        _ stored: BlobReservation, _ blob: BlobInfo, _ new: NewFile, by principal: Principal,
        with also: @escaping @Sendable (any Transaction, FileID) async throws(FileError) -> Void = { _, _ in }
    ) async throws(FileError) -> StoredFile {
        try Self.check(new)
        guard blob.length > 0 else { throw .empty }
        let organization = try await authorize(new.conversation, principal, reader)
        var reservation = stored
        if organization?.uuid != reservation.payer.organization {
            do {
                reservation = try await ledger.assign(stored, blob, to: organization?.uuid, within: options.quota)
            } catch {
                throw FileError(error)
            }
        }
        let name = new.name.flatMap(FileName.sanitised) ?? "file"
        let type = try await type(of: blob, new, name)
        guard options.allows(type) else { throw .typeNotAllowed(type) }
        let scan = try await scan(blob, isSealed: new.isSealed)
        let copy = new.isSealed ? nil : try await clean(blob, type, reservation)
        let kept = copy?.blob ?? blob
        let findings = new.isSealed ? FileFindings() : await examine(kept, type)
        let row = FileRow(name: name, type: type, scan: scan, findings: findings)
        let file: StoredFile
        do throws(FileError) {
            file = try await write(
                row, new, Kept(blob: kept, upload: reservation, copy: copy), by: principal, with: also)
        } catch {
            if let copy { await giveBack(copy) }
            throw error
        }
        // What came is needed no more.
        if copy != nil { await ledger.collect() }
        return file
    }

    /// What stands behind a file: what came, or a clean copy in its place.
    private struct Kept: Sendable {
        let blob: BlobInfo
        let upload: BlobReservation
        let copy: CleanCopy?
    }

    /// What was found out about content, before it is a file.
    private struct FileRow: Sendable {
        let name: String
        let type: String
        let scan: FileScan
        let findings: FileFindings
    }

    private func write(
        _ row: FileRow, _ new: NewFile, _ kept: Kept, by principal: Principal,
        with also: @escaping @Sendable (any Transaction, FileID) async throws(FileError) -> Void
    ) async throws(FileError) -> StoredFile {
        let now = clock.now()
        let picture = await store(row.findings.thumbnail, for: kept.upload.payer)
        let file = StoredFile(
            id: .timeOrdered(at: now), uploader: principal.user, conversation: new.conversation, name: row.name,
            summary: new.summary, type: row.type, size: kept.blob.length, key: kept.blob.key,
            isSealed: new.isSealed, scan: row.scan, details: row.findings.details, thumbnail: picture?.thumbnail,
            isShared: false, createdAt: now)
        do throws(FileError) {
            try await transaction { (transaction) async throws(FileError) in
                _ = try await self.authorize(new.conversation, principal, transaction.reader)
                try await transaction.alter(FileTable.insert(file))
                try await Self.claim(kept, file, transaction)
                try await also(transaction, file.id)
                if let picture {
                    try await Self.claim(picture.reservation, picture.blob, file, place: 1, charged: 0, transaction)
                }
            }
        } catch {
            if let picture { await ledger.giveBack(picture.reservation) }
            throw error
        }
        return file
    }

    /// The clean copy pays with what the upload has reserved, which ends with it.
    private static func claim(
        _ kept: Kept, _ file: StoredFile, _ transaction: any Transaction
    ) async throws(FileError) {
        let reservation = kept.copy?.reservation ?? kept.upload
        if let copy = kept.copy {
            do {
                for id in [kept.upload.id] + (copy.excess.map { [$0.id] } ?? []) {
                    try await BlobLedger.giveBack(id, in: transaction)
                }
            } catch {
                throw FileError(error)
            }
        }
        try await claim(reservation, kept.blob, file, place: 0, charged: kept.blob.length, transaction)
    }

    private static func claim(
        _ reservation: BlobReservation, _ blob: BlobInfo, _ file: StoredFile, place: Int64, charged: Int64,
        _ transaction: any Transaction
    ) async throws(FileError) {
        do {
            try await BlobLedger.claim(
                reservation, blob, for: file.id.uuid, place: place, charged: charged, in: transaction)
        } catch {
            throw FileError(error)
        }
    }

    // MARK: Rights and fields

    /// The organisation that pays, beside the uploader.
    private func authorize(
        _ conversation: ConversationID?, _ principal: Principal, _ reader: ChatReader
    ) async throws(FileError) -> OrganizationID? {
        guard let conversation else { return nil }
        do throws(ChatError) {
            let access = try await reader.access(conversation, principal.user)
            _ = try access.require(.attach)
            return access.conversation.organization
        } catch {
            throw FileError(error)
        }
    }

    private static func check(_ file: NewFile) throws(FileError) {
        guard let summary = file.summary else { return }
        guard summary.unicodeScalars.count <= FileOptions.descriptionLimit, !summary.utf8.contains(0) else {
            throw .invalid(.description, "must be at most \(FileOptions.descriptionLimit) characters long")
        }
    }

    // MARK: Looking at the content

    private func type(of blob: BlobInfo, _ new: NewFile, _ name: String) async throws(FileError) -> String {
        if new.isSealed { return Self.opaque }
        let (prefix, suffix) = inspector.sniffedBytes
        let head = try await bytes(blob, 0..<min(blob.length, Int64(prefix)))
        let tail = try await bytes(blob, max(0, blob.length - Int64(suffix))..<blob.length)
        return inspector.type(prefix: head, suffix: tail, declared: new.declaredType, name: name)
    }

    private static let opaque = "application/octet-stream"

    private func bytes(_ blob: BlobInfo, _ range: Range<Int64>) async throws(FileError) -> Bytes {
        guard !range.isEmpty else { return [] }
        do throws(BlobError) {
            let content = try await ledger.blobs.read(blob.key, range: range)
            var bytes = Bytes()
            while let chunk = try await content.next() { bytes += chunk }
            return bytes
        } catch {
            throw FileError(error)
        }
    }

    private func scan(_ blob: BlobInfo, isSealed: Bool) async throws(FileError) -> FileScan {
        if isSealed { return .skipped }
        switch await verdict(on: blob.key) {
        case nil: return .skipped
        case .clean: return .clean
        case .infected(let name):
            Self.log.warning("an upload is infected and was refused", [.text("found", name)])
            throw .virusDetected(name: name)
        case .unavailable(let reason):
            Self.log.warning("the virus scanner is away", [.text("reason", reason)])
            switch options.whenScannerIsAway {
            case .refuse: throw .unavailable("the virus scanner is away")
            case .hold: return .pending
            }
        }
    }

    func verdict(on key: BlobKey) async -> FileScanVerdict? {
        let reading = LazyContent(ledger.blobs, key)
        return await inspector.scan { try await reading.next() }
    }

    private func examine(_ blob: BlobInfo, _ type: String) async -> FileFindings {
        await inspector.examine(type, size: blob.length) { [ledger] () async throws(BlobError) in
            try await ledger.blobs.read(blob.key, range: nil)
        }
    }

    /// A file without its picture is a file: what keeps one from being stored is no reason to refuse it.
    private func store(
        _ thumbnail: (type: String, bytes: Bytes)?, for payer: BlobPayer
    ) async -> (thumbnail: FileThumbnail, reservation: BlobReservation, blob: BlobInfo)? {
        guard let thumbnail else { return nil }
        let count = Int64(thumbnail.bytes.count)
        do {
            // The server's own: no quota stands against it.
            let reservation = try await ledger.reserve(unpaid: count, for: payer)
            let source = LazyBytes(thumbnail.bytes)
            do {
                let blob = try await ledger.put(reservation) { source.take() }
                let stored = FileThumbnail(type: thumbnail.type, size: blob.length, key: blob.key)
                return (stored, reservation, blob)
            } catch {
                await ledger.giveBack(reservation)
                throw error
            }
        } catch {
            Self.log.warning("a thumbnail could not be stored", [.error(error)])
            return nil
        }
    }
}
