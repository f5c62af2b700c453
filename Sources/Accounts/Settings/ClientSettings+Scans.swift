// Scans of images that were kept while the scanner was away, made up for in the background.

import Base
import Store
import Wire

extension ClientSettings {
    /// Images that one turn looks at.
    private static let scanBatch = 50

    /// Scans what waits for it, and tells its owners' devices what was found; the first answer that the scanner is still
    /// away ends the turn. Called every minute.
    package func scanPending() async throws(ClientSettingError) {
        guard let images else { return }
        for (user, setting) in try await database.settings(ClientSettingTable.pendingScans(limit: Self.scanBatch)) {
            guard let value = try? JSONValue(parsing: setting.value), var image = ClientImage(value) else {
                throw .store(.corrupt("an image of the settings waits for its scan and is none"))
            }
            let source = ClientImageSource(images.ledger.blobs, image.blob)
            let scan = await images.inspector.scan { try await source.next() }
            if scan == .pending { return }
            image.scan = scan
            try await note(image, in: setting, of: user)
        }
    }

    /// Nothing, where the setting has been changed meanwhile.
    private func note(
        _ image: ClientImage, in setting: ClientSetting, of user: UserID
    ) async throws(ClientSettingError) {
        let now = clock.now()
        let scanned = ClientSetting(
            key: setting.key, value: image.value(for: setting.key).encoded, version: .timeOrdered(at: now),
            updatedAt: now, holder: setting.holder)
        let isChanged = try await database.transaction { (transaction) async throws(ClientSettingError) -> Bool in
            let found = try await transaction.settings(ClientSettingTable.one(setting.key, of: user)).first
            guard found == setting else { return false }
            try await transaction.changeSettings(ClientSettingTable.put(scanned, of: user, isScanPending: false))
            return true
        }
        if isChanged { tell(ClientSettingsChange(stored: [scanned]), user) }
    }
}

/// The content of an image, opened when its first bytes are wanted.
///
/// `@unchecked Sendable`: it has one reader, who asks for one piece after the other.
private final class ClientImageSource: @unchecked Sendable {
    private let blobs: any BlobStore
    private let key: BlobKey
    private var content: BlobContent?

    init(_ blobs: any BlobStore, _ key: BlobKey) {
        self.blobs = blobs
        self.key = key
    }

    func next() async throws(BlobError) -> Bytes? {
        if let content { return try await content.next() }
        let opened = try await blobs.read(key, range: nil)
        content = opened
        return try await opened.next()
    }
}
