// Sources of bytes for whoever reads a blob, or puts one, piece by piece.

import Base
import Store
import Synchronization

/// A blob that is opened when its first bytes are wanted. One reader at a time.
final class LazyContent: Sendable {
    private let blobs: any BlobStore
    private let key: BlobKey
    private let content = Mutex<BlobContent?>(nil)

    init(_ blobs: any BlobStore, _ key: BlobKey) {
        self.blobs = blobs
        self.key = key
    }

    func next() async throws(BlobError) -> Bytes? {
        if let content = content.withLock({ $0 }) { return try await content.next() }
        let opened = try await blobs.read(key, range: nil)
        content.withLock { $0 = opened }
        return try await opened.next()
    }
}

/// Blobs one after the other.
final class LazySequence: Sendable {
    private let blobs: any BlobStore
    private let rest: Mutex<[BlobKey]>
    private let current = Mutex<LazyContent?>(nil)

    init(_ blobs: any BlobStore, _ keys: [BlobKey]) {
        self.blobs = blobs
        rest = Mutex(keys.reversed())
    }

    func next() async throws(BlobError) -> Bytes? {
        while true {
            if let content = current.withLock({ $0 }), let bytes = try await content.next() { return bytes }
            guard let key = rest.withLock({ $0.popLast() }) else { return nil }
            current.withLock { $0 = LazyContent(blobs, key) }
        }
    }
}

/// Bytes that are in memory.
final class LazyBytes: Sendable {
    private let bytes: Mutex<Bytes?>

    init(_ bytes: Bytes) { self.bytes = Mutex(bytes) }

    func take() -> Bytes? { bytes.withLock { $0.take() } }
}
