// A blob on its way in: a temporary file, and the hash of what was written to it so far.
//
// Its writer holds a lock on it. A temporary file that can be locked by somebody else has lost its writer.

import Base
import CShims
import Crypto
import Glibc

struct SpooledBlob: Sendable {
    struct Part: Sendable {
        let offset: Int64
        let length: Int64
        /// In hexadecimal.
        let hash: String
    }

    let key: BlobKey
    let length: Int64
    /// Filled when the spool was asked to cut parts.
    let parts: [Part]
}

struct Spool: ~Copyable {
    /// So much is handed to the disk at one time while the rest still comes, so that the sync at the end has little to
    /// wait for. Lower: more and smaller writes; higher: a longer wait at the end, and more of the kernel's memory.
    private static let syncStep: Int64 = 4 << 20

    let path: String
    private let descriptor: OpenDescriptor
    private let partSize: Int64
    private var hash = SHA256Stream()
    private var length: Int64 = 0
    private var handedToDisk: Int64 = 0
    private var partHash = SHA256Stream()
    private var partLength: Int64 = 0
    private var parts: [SpooledBlob.Part] = []

    /// `partSize`: hash every so many bytes on their own, too.
    init(in folder: String, partSize: Int64 = .max) throws(BlobError) {
        let path = folder + "/" + UUID.random().description + Self.suffix
        self.path = path
        self.partSize = partSize
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC
        descriptor = OpenDescriptor(owning: try FileCalls.check("create \(path)") { open(path, flags, 0o600) })
        _ = flock(descriptor.number, LOCK_EX | LOCK_NB)
    }

    /// Removes the file, unless it was moved away.
    deinit { unlink(path) }

    mutating func append(_ bytes: Bytes, limit: Int64) throws(BlobError) {
        guard Int64(bytes.count) <= limit - length else { throw .tooLarge(limit: limit) }
        try FileCalls.writeAll(bytes, to: descriptor.number)
        hash.update(bytes)
        length += Int64(bytes.count)
        if partSize != .max { appendToParts(bytes) }
        if length - handedToDisk >= Self.syncStep { beginSync() }
    }

    /// A hint: what fails here fails again when it is synced.
    private mutating func beginSync() {
        _ = plexi_begin_sync(descriptor.number, handedToDisk, length - handedToDisk)
        handedToDisk = length
    }

    private mutating func appendToParts(_ bytes: Bytes) {
        var start = 0
        while start < bytes.count {
            let count = min(bytes.count - start, Int(partSize - partLength))
            bytes.withUnsafeBytes { partHash.update(UnsafeRawBufferPointer(rebasing: $0[start..<start + count])) }
            partLength += Int64(count)
            start += count
            if partLength == partSize { endPart() }
        }
    }

    private mutating func endPart() {
        let offset = parts.last.map { $0.offset + $0.length } ?? 0
        parts.append(SpooledBlob.Part(offset: offset, length: partLength, hash: Hex.encode(partHash.finish())))
        partLength = 0
    }

    /// No more comes.
    mutating func finish() throws(BlobError) -> SpooledBlob {
        if partLength > 0 { endPart() }
        guard let key = BlobKey(hash: hash.finish()) else { throw .corrupt("a hash has another length") }
        return SpooledBlob(key: key, length: length, parts: parts)
    }

    func sync() throws(BlobError) { _ = try FileCalls.check("sync \(path)") { fsync(descriptor.number) } }

    private static let suffix = ".incoming"

    /// Removes temporary files whose writers are gone. Only what is named as they are: the folder may be shared with
    /// somebody else, and a link is not followed.
    static func sweep(_ folder: String) {
        for name in FileCalls.names(in: folder) where name.hasSuffix(suffix) && UUID(name.dropLast(suffix.count)) != nil
        {
            let path = folder + "/" + name
            let descriptor = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
            guard descriptor >= 0 else { continue }
            if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(path) }
            close(descriptor)
        }
    }
}
