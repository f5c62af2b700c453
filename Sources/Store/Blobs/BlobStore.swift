// The seam for what is too big for a row: attachments, avatars, recordings. Content-addressed, so that nothing is
// stored twice, nothing is ever changed in place, and what is read can be checked. Two implementations, a folder and
// S3, run one conformance suite in TestKit.

package import Base
import Crypto

/// The SHA-256 of a blob's content, which is its name.
package struct BlobKey: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// 64 lower-case hexadecimal digits.
    package let description: String

    /// `nil` for anything but a hash of 32 bytes.
    package init?(hash: Bytes) {
        guard hash.count == SHA256.count else { return nil }
        description = Hex.encode(hash)
    }

    /// `nil` for anything but 64 lower-case hexadecimal digits: a key becomes part of a path.
    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == 2 * SHA256.count, let hash = Hex.decode(text), Hex.encode(hash) == text else {
            return nil
        }
        description = String(text)
    }

    package var hash: Bytes { Hex.decode(description) ?? [] }

    package static func < (left: BlobKey, right: BlobKey) -> Bool { left.description < right.description }
}

package enum BlobError: Error, Equatable {
    case notFound
    /// The source gave more than the limit. Nothing was kept.
    case tooLarge(limit: Int64)
    /// The range begins behind the end of the blob, which has `length` bytes.
    case outOfRange(length: Int64)
    /// The disk is full, S3 is away. Nothing of a put was kept; try later.
    case unavailable(String)
    /// What is stored is not what its name says.
    case corrupt(String)
}

package struct BlobInfo: Sendable, Hashable {
    package let key: BlobKey
    package let length: Int64

    package init(key: BlobKey, length: Int64) {
        self.key = key
        self.length = length
    }
}

/// A part of a blob that is about to be read.
package struct BlobContent: Sendable {
    package struct File: Sendable, Equatable {
        package let path: String
        package let offset: Int64
    }

    /// Of the whole blob.
    package let totalLength: Int64
    /// Of the part that is read.
    package let length: Int64
    /// Where the part lies, for a reader that can send files by itself. It may be deleted at any time.
    package let file: File?
    /// The next bytes of the part, at most `FolderBlobStore.chunkSize` or `S3BlobStore.Options.windowSize`; `nil`
    /// after the last. Asking for the next one is what paces the store.
    package let next: @Sendable () async throws(BlobError) -> Bytes?
}

package struct BlobHealth: Sendable, Equatable {
    /// `nil` when all is well, else what is wrong and what to do.
    package var problem: String?
    /// What is left on the disk, where that is known.
    package var freeBytes: Int64?

    package init(problem: String? = nil, freeBytes: Int64? = nil) {
        self.problem = problem
        self.freeBytes = freeBytes
    }
}

/// Gives the bytes of a blob to come, piece by piece; `nil` at the end.
package typealias BlobSource = @Sendable () async throws -> Bytes?

/// Hears what a blob will be called, before anything is kept under that name. To throw is to keep nothing.
package typealias BlobAdmission = @Sendable (BlobInfo) async throws -> Void

package protocol BlobStore: Sendable {
    /// Stores what `source` gives. Returns when it is durable. `source` is asked for more only when its last piece
    /// was taken, and `admit` once after the last. Throws `BlobError`, or what `source` or `admit` threw; then nothing
    /// was kept.
    func put(limit: Int64, from source: @escaping BlobSource, admit: @escaping BlobAdmission) async throws -> BlobInfo

    /// The bytes in `range`, whose end may lie behind the blob's; all of them when there is none.
    func read(_ key: BlobKey, range: Range<Int64>?) async throws(BlobError) -> BlobContent

    /// `nil` when there is no such blob.
    func info(_ key: BlobKey) async throws(BlobError) -> BlobInfo?

    /// Durable when it returns. No error when there is no such blob.
    func delete(_ key: BlobKey) async throws(BlobError)

    /// Up to `limit` blobs in the order of their keys, those behind `after`.
    func list(after: BlobKey?, limit: Int) async throws(BlobError) -> [BlobInfo]

    func health() async -> BlobHealth
}

extension BlobStore {
    package func put(limit: Int64, from source: @escaping BlobSource) async throws -> BlobInfo {
        try await put(limit: limit, from: source) { _ in }
    }

    /// For small content that is in memory.
    package func put(_ bytes: Bytes) async throws(BlobError) -> BlobInfo {
        let source = OneShot(bytes)
        do {
            return try await put(limit: Int64(bytes.count)) { source.take() }
        } catch {
            throw error as? BlobError ?? .unavailable("\(error)")
        }
    }

    /// For small content that is wanted in memory: more than `limit` throws `tooLarge`. Checked against its name.
    package func bytes(_ key: BlobKey, limit: Int) async throws(BlobError) -> Bytes {
        let content = try await read(key, range: nil)
        guard content.length <= limit else { throw .tooLarge(limit: Int64(limit)) }
        var bytes = Bytes()
        while let chunk = try await content.next() { bytes += chunk }
        guard BlobKey(hash: SHA256.hash(bytes)) == key else {
            throw .corrupt("a blob is not what its name says: \(key)")
        }
        return bytes
    }
}
