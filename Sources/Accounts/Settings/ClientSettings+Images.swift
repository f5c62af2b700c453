// Images of settings: kept as blobs, charged to their user, found under the key of a setting.
//
//     look at the bytes -> reserve -> put -> one transaction: the setting, its claim on the blob, the old one's end
//
// What breaks off in between leaves a reservation that is over after a while (`BlobLedger`).

package import Base
package import Store
import Synchronization
import Wire

/// What images need beside the database.
package struct ClientImageStore: Sendable {
    package let ledger: BlobLedger
    package let inspector: any ClientImageInspector

    package init(ledger: BlobLedger, inspector: any ClientImageInspector) {
        self.ledger = ledger
        self.inspector = inspector
    }
}

extension ClientSettings {
    /// Holds that one sweep gives up: rows of settings that went with their account.
    private static let orphanBatch = 200

    /// The setting under `key` is this image from now on.
    package func setImage(
        _ key: ClientSettingKey, to bytes: Bytes, if condition: @escaping Condition = { _ in true },
        by principal: Principal, origin: RequestOrigin
    ) async throws(ClientSettingError) -> ClientSetting {
        let store = try imageStore
        try Self.check(bytes.count, options.imageBytesMax)
        let clean: CleanImage
        do throws(ClientImageRefusal) {
            clean = try await store.inspector.clean(bytes, allowed: options.imageTypes)
        } catch {
            throw .image(error)
        }
        // An image that had to be turned is encoded anew, and may have become larger.
        try Self.check(clean.bytes.count, options.imageBytesMax)
        var kept = try await keep(clean.bytes, principal.user, store.ledger)
        kept.scan = clean.scan
        let image = ClientImage(
            type: clean.type, size: kept.blob.length, blob: kept.blob.key, width: clean.width, height: clean.height,
            scan: clean.scan)
        let outcome: Result<ClientSetting, ClientSettingError>
        do throws(ClientSettingError) {
            let wish = Wish(key: key, value: image.value(for: key).encoded, image: kept)
            outcome = .success(try await self.store(wish, if: condition, by: principal, origin))
        } catch {
            outcome = .failure(error)
        }
        // Ended by its claim, unless the change was refused or the same image stood there already.
        await store.ledger.giveBack(kept.reservation)
        await store.ledger.collect()
        return try outcome.get()
    }

    /// The image under `key`, and how to read it. `notFound` where there is another value.
    package func image(
        _ key: ClientSettingKey, of user: UserID
    ) async throws(ClientSettingError) -> (setting: ClientSetting, image: ClientImage) {
        let setting = try await setting(key, of: user)
        guard setting.holder != nil, let value = try? JSONValue(parsing: setting.value), let image = ClientImage(value)
        else { throw .notFound }
        if image.scan == .infected { throw .image(.virus) }
        return (setting, image)
    }

    package func content(
        of image: ClientImage, _ range: Range<Int64>?
    ) async throws(ClientSettingError) -> BlobContent {
        let store = try imageStore
        do throws(BlobError) {
            return try await store.ledger.blobs.read(image.blob, range: range)
        } catch {
            // Its row went a moment ago, or the store is away.
            throw error == .notFound ? .notFound : .init(.blob(error))
        }
    }

    /// Gives up what settings of deleted accounts held. Called every hour or so.
    package func sweep() async throws(ClientSettingError) {
        guard let images else { return }
        try await database.transaction { (transaction) async throws(ClientSettingError) in
            let orphans = try await transaction.settings(ClientSettingTable.orphanedHolds(limit: Self.orphanBatch))
            try await transaction.release(orphans)
        }
        await images.ledger.collect()
    }

    // MARK: Parts

    private var imageStore: ClientImageStore {
        get throws(ClientSettingError) {
            guard let images else { throw .image(.unavailable("This server keeps no images of settings")) }
            return images
        }
    }

    private static func check(_ count: Int, _ limit: Int) throws(ClientSettingError) {
        guard count <= limit else { throw .imageTooLarge(limit: limit) }
    }

    private func keep(
        _ bytes: Bytes, _ user: UserID, _ ledger: BlobLedger
    ) async throws(ClientSettingError) -> StoredImage {
        let size = Int64(bytes.count)
        let payer = BlobPayer(user: user, pot: .settingsImages)
        let reservation: BlobReservation
        do throws(BlobLedgerError) {
            reservation = try await ledger.reserve(
                size...size, for: payer, within: BlobQuota(user: Int64(options.imagesTotalBytes)))
        } catch {
            throw .init(error)
        }
        do {
            let whole = Whole(bytes)
            return StoredImage(reservation: reservation, blob: try await ledger.put(reservation) { whole.take() })
        } catch {
            await ledger.giveBack(reservation)
            throw .init(error as? BlobLedgerError ?? .blob(.unavailable("\(error)")))
        }
    }
}

/// Bytes that are given once.
private final class Whole: Sendable {
    private let bytes: Mutex<Bytes?>
    init(_ bytes: Bytes) { self.bytes = Mutex(bytes) }
    func take() -> Bytes? { bytes.withLock { $0.take() } }
}

/// A blob that waits to be claimed.
struct StoredImage: Sendable {
    let reservation: BlobReservation
    let blob: BlobInfo
    var scan = ClientImage.Scan.skipped
}

extension ClientSettingError {
    init(_ failure: BlobLedgerError) {
        self =
            switch failure {
            case .quotaExceeded(let usage): .imageQuotaExceeded(usage)
            case .tooLarge(let limit): .imageTooLarge(limit: Int(clamping: limit))
            case .reservationOver: .image(.unavailable("The upload took too long"))
            case .blob(.unavailable(let reason)): .image(.unavailable(reason))
            case .blob(let error): .store(.corrupt("an image of the settings: \(error)"))
            case .store(let error): .init(error)
            }
    }
}
