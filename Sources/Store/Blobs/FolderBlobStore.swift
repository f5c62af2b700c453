// Blobs as files: `ab/cd/abcd…` under one folder, and `incoming/` on the same file system for what is on its way.
//
// A blob is written to a temporary file, synced, renamed to its name, and its folder is synced: at every moment a name
// either holds the whole blob or does not exist.

import Base
import Glibc
import Synchronization

package final class FolderBlobStore: BlobStore {
    /// One read or write of a file. Higher: fewer calls; lower: less memory per transfer.
    package static let chunkSize = 256 << 10

    package struct Options: Sendable {
        /// Threads that wait for the disk.
        package var threads = 4
        /// Puts at one time; the next is refused as `unavailable`. Each holds a descriptor and one piece in memory.
        package var concurrentPuts = 256
        package init() {}
    }

    private let root: String
    private let incoming: String
    private let threads: FileThreads
    private let puts: Places
    /// Folders of which this process knows that they are durable; at most 65,536.
    private let knownFolders = Mutex<Set<String>>([])

    /// Creates the folder when it is absent, and removes what an earlier process left half-written. Blocks; for
    /// start-up.
    package init(_ root: String, options: Options = Options()) throws(BlobError) {
        self.root = root
        puts = Places(options.concurrentPuts)
        incoming = root + "/incoming"
        _ = try FileCalls.makeFolder(root)
        _ = try FileCalls.makeFolder(incoming)
        Spool.sweep(incoming)
        try FileCalls.sync(folder: root)
        do throws(StoreError) {
            threads = try FileThreads(count: options.threads)
        } catch {
            throw .unavailable(error.words)
        }
    }

    deinit { threads.stop() }

    // MARK: In

    package func put(
        limit: Int64, from source: @escaping BlobSource, admit: @escaping BlobAdmission
    ) async throws -> BlobInfo {
        guard puts.take() else { throw BlobError.unavailable("too many uploads at once") }
        defer { puts.giveBack() }
        return try await withTaskExecutorPreference(threads) { try await store(limit, source, admit) }
    }

    @concurrent private func store(
        _ limit: Int64, _ source: BlobSource, _ admit: BlobAdmission
    ) async throws -> BlobInfo {
        var spool = try Spool(in: incoming)
        while let bytes = try await source() { try spool.append(bytes, limit: limit) }
        let blob = try spool.finish()
        try spool.sync()
        try await admit(BlobInfo(key: blob.key, length: blob.length))
        try prepareFolder(of: blob.key)
        let (temporary, path) = (spool.path, path(of: blob.key))
        _ = try FileCalls.check("rename a blob") { rename(temporary, path) }
        try FileCalls.sync(folder: folder(of: blob.key))
        return BlobInfo(key: blob.key, length: blob.length)
    }

    /// A folder that another put has just made may not be durable yet: each process syncs the parents once itself.
    private func prepareFolder(of key: BlobKey) throws(BlobError) {
        let folder = folder(of: key)
        guard !knownFolders.withLock({ $0.contains(folder) }) else { return }
        let parent = root + "/" + key.description.prefix(2)
        _ = try FileCalls.makeFolder(parent)
        _ = try FileCalls.makeFolder(folder)
        try FileCalls.sync(folder: root)
        try FileCalls.sync(folder: parent)
        _ = knownFolders.withLock { $0.insert(folder) }
    }

    private func folder(of key: BlobKey) -> String {
        root + "/" + key.description.prefix(2) + "/" + key.description.dropFirst(2).prefix(2)
    }

    private func path(of key: BlobKey) -> String { folder(of: key) + "/" + key.description }

    // MARK: Out

    package func read(_ key: BlobKey, range: Range<Int64>?) async throws(BlobError) -> BlobContent {
        try await onThreads { () throws(BlobError) in
            let path = path(of: key)
            let descriptor = OpenDescriptor(
                owning: try FileCalls.check("open \(path)") { open(path, O_RDONLY | O_CLOEXEC) })
            let total = try FileCalls.length(of: path)
            let part = try Self.clamp(range, to: total)
            let position = Position(part.lowerBound)
            return BlobContent(
                totalLength: total, length: part.upperBound - part.lowerBound,
                file: BlobContent.File(path: path, offset: part.lowerBound),
                next: { () async throws(BlobError) in try await self.chunk(descriptor, position, end: part.upperBound) }
            )
        }
    }

    /// An empty blob has one valid range: the empty one at its start.
    static func clamp(_ range: Range<Int64>?, to total: Int64) throws(BlobError) -> Range<Int64> {
        guard let range else { return 0..<total }
        guard range.lowerBound >= 0, range.lowerBound < total || range.lowerBound == 0 else {
            throw .outOfRange(length: total)
        }
        return range.lowerBound..<max(range.lowerBound, min(range.upperBound, total))
    }

    package func info(_ key: BlobKey) async throws(BlobError) -> BlobInfo? {
        do throws(BlobError) {
            return try await onThreads { () throws(BlobError) in
                BlobInfo(key: key, length: try FileCalls.length(of: path(of: key)))
            }
        } catch .notFound {
            return nil
        }
    }

    package func delete(_ key: BlobKey) async throws(BlobError) {
        do throws(BlobError) {
            try await onThreads { () throws(BlobError) in
                let path = path(of: key)
                _ = try FileCalls.check("delete \(path)") { unlink(path) }
                try FileCalls.sync(folder: folder(of: key))
            }
        } catch .notFound {
            return
        }
    }

    package func list(after: BlobKey?, limit: Int) async throws(BlobError) -> [BlobInfo] {
        try await onThreads { () throws(BlobError) in
            var page: [BlobInfo] = []
            let start = after?.description ?? ""
            for first in names(in: root, from: String(start.prefix(2))) {
                for second in names(in: root + "/" + first, from: String(start.prefix(4)), prefix: first) {
                    for name in FileCalls.names(in: root + "/" + first + "/" + second) where name > start {
                        guard page.count < limit else { return page }
                        guard let key = BlobKey(name), let length = try? FileCalls.length(of: path(of: key)) else {
                            continue
                        }
                        page.append(BlobInfo(key: key, length: length))
                    }
                }
            }
            return page
        }
    }

    /// The fan-out folders that may hold names from `start` on.
    private func names(in folder: String, from start: String, prefix: String = "") -> [String] {
        FileCalls.names(in: folder).filter { $0.utf8.count == 2 && prefix + $0 >= start }
    }

    package func health() async -> BlobHealth {
        do throws(BlobError) {
            return try await onThreads { () throws(BlobError) in
                var status = statvfs()
                _ = try FileCalls.check("look at \(root)") { statvfs(root, &status) }
                var probe = try Spool(in: incoming)
                try probe.append([1], limit: 1)
                try probe.sync()
                return BlobHealth(freeBytes: Int64(clamping: UInt64(status.f_bavail) &* UInt64(status.f_frsize)))
            }
        } catch .unavailable(let words) {
            return BlobHealth(problem: words)
        } catch {
            return BlobHealth(problem: "the folder \(root) is not there")
        }
    }

    private func chunk(
        _ descriptor: OpenDescriptor, _ position: Position, end: Int64
    ) async throws(BlobError) -> Bytes? {
        let offset = position.value
        guard offset < end else { return nil }
        let bytes = try await onThreads { () throws(BlobError) in
            try FileCalls.read(descriptor.number, at: offset, count: Int(min(Int64(Self.chunkSize), end - offset)))
        }
        guard !bytes.isEmpty else { throw .corrupt("a blob is shorter than it was") }
        position.value = offset + Int64(bytes.count)
        return bytes
    }

    private func onThreads<Value: Sendable>(
        _ work: @Sendable () throws(BlobError) -> Value
    ) async throws(BlobError) -> Value {
        try await withTaskExecutorPreference(threads) { () async throws(BlobError) -> Value in
            try await Self.concurrently(work)
        }
    }

    @concurrent private static func concurrently<Value: Sendable>(
        _ work: @Sendable () throws(BlobError) -> Value
    ) async throws(BlobError) -> Value {
        try work()
    }
}
