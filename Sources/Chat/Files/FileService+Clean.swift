// Pictures without what they tell beside their pixels: the clean copy that is kept in place of what came.

import Accounts
import Base
import Crypto
import Store

/// A copy that is stored and waits for its file.
struct CleanCopy: Sendable {
    let blob: BlobInfo
    /// Pins it, and is charged to nobody: the upload's own reservation pays.
    let reservation: BlobReservation
    /// What it has more than was reserved for the upload: a picture that was turned is encoded anew and may grow.
    let excess: BlobReservation?
}

extension FileService {
    /// `nil` for what is kept as it came: no picture, or one with nothing to tell.
    func clean(
        _ blob: BlobInfo, _ type: String, _ upload: BlobReservation
    ) async throws(FileError) -> CleanCopy? {
        guard options.cleansImages, type.hasPrefix("image/") else { return nil }
        guard await cleanings.enter() else { throw .unavailable("too many pictures wait to be cleaned") }
        defer { cleanings.leave() }
        let clean = try await inspector.clean(type) { [ledger] () async throws(BlobError) in
            try await ledger.blobs.read(blob.key, range: nil)
        }
        guard let clean, SHA256.hash(clean) != blob.key.hash else { return nil }
        guard Int64(clean.count) <= options.maxSize else { throw .tooLarge(limit: options.maxSize) }
        return try await keep(clean, upload)
    }

    private func keep(_ clean: Bytes, _ upload: BlobReservation) async throws(FileError) -> CleanCopy {
        let excess = try await reserve(excess: Int64(clean.count) - upload.bytes, for: upload.payer)
        do {
            let reservation = try await ledger.reserve(unpaid: Int64(clean.count), for: upload.payer)
            do {
                let source = LazyBytes(clean)
                let blob = try await ledger.put(reservation) { source.take() }
                return CleanCopy(blob: blob, reservation: reservation, excess: excess)
            } catch {
                await ledger.giveBack(reservation)
                throw error
            }
        } catch {
            if let excess { await ledger.giveBack(excess) }
            throw FileError(any: error) ?? .unavailable("\(error)")
        }
    }

    private func reserve(
        excess bytes: Int64, for payer: BlobPayer
    ) async throws(FileError) -> BlobReservation? {
        guard bytes > 0 else { return nil }
        do {
            return try await ledger.reserve(bytes...bytes, for: payer, within: options.quota)
        } catch {
            throw FileError(error)
        }
    }

    /// Nothing came of it.
    func giveBack(_ copy: CleanCopy) async {
        await ledger.giveBack(copy.reservation)
        if let excess = copy.excess { await ledger.giveBack(excess) }
    }
}
