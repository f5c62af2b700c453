// Uploads over several requests: begun, gone on with, ended. What tus needs, without its words.

package import Accounts
import Base
package import Store

extension FileService {
    /// A request that gives no sign of life for so long has lost its place.
    private static var leaseLifetime: Duration { .minutes(2) }
    /// An upload that has ended is remembered for so long, to say so.
    private static var remembered: Duration { .days(1) }

    package func beginUpload(
        _ new: NewFile, length: Int64, by principal: Principal
    ) async throws(FileError) -> ResumableUpload {
        guard length > 0 else { throw .invalid(.length, "must be at least 1") }
        let lifetime = options.uploadLifetime
        let reservation = try await reserve(new, length...length, by: principal, lifetime: lifetime)
        let (now, limit) = (clock.now(), options.uploadsPerUser)
        let upload = ResumableUpload(
            id: FileUploadID(.random()), user: principal.user, length: length, received: 0, expiresAt: now + lifetime,
            outcome: .underWay, parts: 0, reservation: reservation.id, organization: reservation.payer.organization,
            conversation: new.conversation, name: new.name, declaredType: new.declaredType, summary: new.summary,
            isSealed: new.isSealed)
        do throws(FileError) {
            try await transaction { (transaction) async throws(FileError) in
                let count = try await transaction.reader.found(FileUploadTable.underWay(of: principal.user)) {
                    (row) throws(StoreError) in try row.integer(0)
                }
                guard (count.first ?? 0) < Int64(limit) else { throw .limitReached(.upload, limit) }
                try await transaction.alter(FileUploadTable.insert(upload, at: now))
            }
        } catch {
            await ledger.giveBack(reservation)
            throw error
        }
        return upload
    }

    package func upload(_ id: FileUploadID, for principal: Principal) async throws(FileError) -> ResumableUpload {
        let statement = FileUploadTable.select(id, of: principal.user)
        guard let upload = try await reader.found(statement, FileUploadTable.upload(from:)).first else {
            throw .notFound(.upload)
        }
        return upload
    }

    /// Adds what `source` gives, from `offset` on; at the last byte the upload becomes a file. `isExpected` looks at the
    /// piece before it is added, and `checksumMismatch` is thrown when it says no.
    ///
    /// A call at the end of a complete upload tries again what kept it from becoming a file.
    package func append(
        to id: FileUploadID, at offset: Int64, from source: @escaping BlobSource,
        isExpected: @escaping @Sendable (BlobInfo) -> Bool = { _ in true }, by principal: Principal
    ) async throws -> (upload: ResumableUpload, file: StoredFile?) {
        var upload = try await upload(id, for: principal)
        guard upload.outcome == .underWay else { throw FileError.uploadOver }
        guard offset == upload.received else { throw FileError.wrongOffset(received: upload.received) }
        let lease = try await lease(upload)
        do {
            if !upload.isComplete {
                upload = try await add(to: upload, lease, from: source, isExpected: isExpected)
            }
            guard upload.isComplete else {
                await giveBack(lease, of: id)
                return (upload, nil)
            }
            let file = try await complete(upload, by: principal)
            upload.outcome = .file(file.id)
            return (upload, file)
        } catch {
            await giveBack(lease, of: id)
            throw FileError(any: error) ?? error
        }
    }

    /// By its user. What was received is gone, and the quota is free again.
    package func endUpload(_ id: FileUploadID, by principal: Principal) async throws(FileError) {
        let upload = try await upload(id, for: principal)
        guard upload.outcome == .underWay else { throw .uploadOver }
        try await end(upload, at: clock.now())
        await ledger.collect()
    }

    // MARK: Pieces

    private func lease(_ upload: ResumableUpload) async throws(FileError) -> UUID {
        let (lease, now) = (UUID.random(), clock.now())
        let statement = FileUploadTable.lease(
            upload.id, at: upload.received, lease, now: now, until: now + Self.leaseLifetime)
        guard try await change(statement) == 1 else { throw .uploadBusy }
        return lease
    }

    private func giveBack(_ lease: UUID, of id: FileUploadID) async {
        do { try await change(FileUploadTable.giveBack(id, lease)) } catch {
            Self.log.warning("an upload waits until its request's place is over", [.error(error)])
        }
    }

    private func add(
        to upload: ResumableUpload, _ lease: UUID, from source: @escaping BlobSource,
        isExpected: @Sendable (BlobInfo) -> Bool
    ) async throws -> ResumableUpload {
        guard upload.parts < options.partsPerUpload else {
            throw FileError.limitReached(.part, options.partsPerUpload)
        }
        let piece = try await ledger.reserve(unpaid: upload.length - upload.received, for: upload.payer)
        do {
            let heartbeat = Heartbeat(at: clock.now())
            let blob = try await ledger.put(piece) { [self] in
                let now = clock.now()
                if heartbeat.isDue(now, every: Self.leaseLifetime.microseconds / 4) {
                    try await renew(lease, of: upload.id, at: now)
                }
                return try await source()
            }
            guard blob.length > 0 else {
                await ledger.giveBack(piece)
                return upload
            }
            guard isExpected(blob) else { throw FileError.checksumMismatch }
            return try await keep(blob, piece, of: upload, lease)
        } catch {
            await ledger.giveBack(piece)
            throw error
        }
    }

    private func renew(_ lease: UUID, of id: FileUploadID, at now: Timestamp) async throws(FileError) {
        guard try await change(FileUploadTable.renew(id, lease, until: now + Self.leaseLifetime)) == 1 else {
            throw .uploadBusy
        }
    }

    private func keep(
        _ blob: BlobInfo, _ piece: BlobReservation, of upload: ResumableUpload, _ lease: UUID
    ) async throws(FileError) -> ResumableUpload {
        let (holder, end) = (UUID.random(), clock.now() + options.uploadLifetime)
        try await transaction { (transaction) async throws(FileError) in
            let statement = FileUploadTable.received(upload.id, lease, blob.length, until: end)
            guard try await transaction.alter(statement) == 1 else { throw .uploadBusy }
            try await transaction.alter(
                FileUploadTable.insertPart(upload.id, place: upload.parts, holder: holder, blob))
            do throws(BlobLedgerError) {
                try await BlobLedger.claim(piece, blob, for: holder, charged: 0, in: transaction)
                try await BlobLedger.renew(upload.reservation, until: end, in: transaction)
            } catch {
                throw FileError(error)
            }
        }
        var changed = upload
        changed.received += blob.length
        changed.expiresAt = end
        return changed
    }

    // MARK: Ends

    private func complete(_ upload: ResumableUpload, by principal: Principal) async throws -> StoredFile {
        let parts = try await reader.found(FileUploadTable.parts(of: upload.id), FileUploadTable.part(from:))
        let reservation = BlobLedger.resumed(
            upload.reservation, payer: upload.payer, bytes: upload.length, lifetime: options.uploadLifetime)
        let blob: BlobInfo
        if parts.count == 1 {
            blob = parts[0].blob
            try await ledger.pin(reservation, blob)
        } else {
            let whole = LazySequence(ledger.blobs, parts.map(\.blob.key))
            blob = try await ledger.put(reservation) { try await whole.next() }
        }
        do throws(FileError) {
            let until = clock.now() + Self.remembered
            let file = try await finish(reservation, blob, upload.file, by: principal) {
                (transaction, file) async throws(FileError) in
                try await Self.end(upload.id, parts, as: file.uuid.bytes, until: until, in: transaction)
            }
            await ledger.collect()
            return file
        } catch {
            // Another try may help with what is away; what the file itself is refused for, it is refused for again.
            switch error {
            case .unavailable, .store: break
            default:
                try await end(upload, at: clock.now())
                await ledger.collect()
            }
            throw error
        }
    }

    private func end(_ upload: ResumableUpload, at now: Timestamp) async throws(FileError) {
        let until = now + Self.remembered
        try await transaction { (transaction) async throws(FileError) in
            let parts = try await transaction.reader.found(
                FileUploadTable.parts(of: upload.id), FileUploadTable.part(from:))
            do throws(BlobLedgerError) {
                try await BlobLedger.giveBack(upload.reservation, in: transaction)
            } catch {
                throw FileError(error)
            }
            try await Self.end(upload.id, parts, as: [], until: until, in: transaction)
        }
    }

    private static func end(
        _ id: FileUploadID, _ parts: [FileUploadTable.Part], as outcome: Bytes, until: Timestamp,
        in transaction: any Transaction
    ) async throws(FileError) {
        do { try await BlobLedger.release(parts.map(\.holder), in: transaction) } catch { throw FileError(error) }
        try await transaction.alter(FileUploadTable.removeParts(of: id))
        guard try await transaction.alter(FileUploadTable.end(id, as: outcome, until: until)) == 1 else {
            throw .uploadOver
        }
    }

    /// Those that nobody went on with, and those that have been remembered for long enough.
    func removeUploads(_ now: Timestamp) async throws(FileError) -> Bool {
        let limit = 50
        let over = try await reader.found(
            FileUploadTable.over(before: now, limit: limit), FileUploadTable.upload(from:))
        for upload in over {
            if upload.outcome == .underWay {
                do throws(FileError) { try await end(upload, at: now) } catch {
                    // Its last byte came meanwhile.
                    guard error == .uploadOver else { throw error }
                }
            } else {
                try await change(FileUploadTable.remove(upload.id))
            }
        }
        return over.count == limit
    }
}
