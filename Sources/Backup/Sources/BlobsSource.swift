// Blobs: they never change under their name, so an incremental backup reads none twice.

import Base
package import Store

package actor BlobsSource: BackupSource {
    /// Names asked for at a time.
    private static let page = 1_000
    /// What every blob's mark is: its name says the rest.
    private static let mark = Bytes("blob".utf8)

    private let store: any BlobStore
    private let top: ItemPath
    private var blobs: [BlobInfo] = []
    private var position = 0
    private var last: BlobKey?
    private var isAtEnd = false

    /// `top`: the folder that the blobs get, laid out as `FolderBlobStore` does.
    package init(_ store: any BlobStore, as top: ItemPath) {
        self.store = store
        self.top = top
    }

    package func expectedBytes() -> UInt64? { nil }

    package func next() async throws(BackupError) -> SourceItem? {
        if position == blobs.count {
            guard !isAtEnd else { return nil }
            do { blobs = try await store.list(after: last, limit: Self.page) } catch { throw Self.failure(error) }
            position = 0
            last = blobs.last?.key ?? last
            isAtEnd = blobs.isEmpty
            if isAtEnd { return nil }
        }
        defer { position += 1 }
        return try item(blobs[position].key)
    }

    private func item(_ key: BlobKey) throws(BackupError) -> SourceItem {
        let name = key.description
        guard let path = top.appending("\(name.prefix(2))/\(name.dropFirst(2).prefix(2))/\(name)") else {
            throw .refused("the folder for blobs has a path that is too long")
        }
        return SourceItem(
            path: path, kind: .file, mode: 0o600, changed: Timestamp(microsecondsSinceEpoch: 0), mark: Self.mark
        ) { [store] () async throws(BackupError) -> ItemBytes? in
            let content: BlobContent
            do throws(BlobError) {
                content = try await store.read(key, range: nil)
            } catch {
                // Deleted since it was listed: no row speaks of it any more.
                if error == .notFound { return nil }
                throw Self.failure(error)
            }
            return { () async throws(BackupError) -> Bytes? in
                do throws(BlobError) { return try await content.next() } catch { throw Self.failure(error) }
            }
        }
    }

    package func close() { blobs = [] }

    private static func failure(_ error: BlobError) -> BackupError {
        switch error {
        case .unavailable(let words): .unavailable("the blobs cannot be read: \(words)")
        case .corrupt(let words): .unavailable("a blob is damaged: \(words)")
        default: .unavailable("the blobs cannot be read: \(error)")
        }
    }
}
