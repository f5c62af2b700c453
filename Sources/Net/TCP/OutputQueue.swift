// What a connection still has to write: shared byte arrays, file regions, and small pieces gathered in one buffer.

import Base
import Glibc

/// Buffers that connections borrow while they have something to write, so that an idle connection holds none.
final class BufferPool {
    /// Buffers kept for reuse; more than this many are in use only while many answers wait in one turn.
    private static let kept = 64
    /// A buffer that grew beyond this is freed instead.
    private static let largest = 32 << 10
    private static let initial = 4 << 10

    /// Unchecked: the shard's thread alone reaches it, and no access calls anything of others.
    @exclusivity(unchecked) private var buffers: [Bytes] = []

    // Both exchange the caller's variable with a slot, so that no second reference ever makes an array copy itself.

    /// For an array without storage.
    func lend(to buffer: inout Bytes) {
        guard !buffers.isEmpty else { return buffer.reserveCapacity(Self.initial) }
        swap(&buffer, &buffers[buffers.count - 1])
        buffers.removeLast()
    }

    func takeBack(_ buffer: inout Bytes) {
        if buffers.count < Self.kept, buffer.capacity >= Self.initial, buffer.capacity <= Self.largest {
            buffer.removeAll(keepingCapacity: true)
            buffers.append(Bytes())
            swap(&buffer, &buffers[buffers.count - 1])
        } else {
            buffer = Bytes()
        }
    }
}

struct OutputQueue {
    /// Arrays up to this size are copied behind the other small ones: one `iovec` costs about as much.
    private static let copied = 2 << 10
    /// The gathering buffer is sealed when it holds this much.
    private static let gathered = 16 << 10
    /// Arrays given to one system call.
    private static let vectors = 16

    private enum Chunk {
        case bytes(Bytes)
        case file(OpenFile, offset: Int64, length: Int64)
    }

    private var chunks: [Chunk] = []
    private var firstChunk = 0
    /// How much of the first chunk, or of the tail when there is no chunk, was written.
    private var written = 0
    /// Small pieces; they come after all chunks.
    private var tail = Bytes()
    /// Bytes in memory that were not written; regions of files do not count.
    private(set) var byteCount = 0

    /// Regions of files that were not written.
    private(set) var fileCount = 0

    var isEmpty: Bool { firstChunk == chunks.count && tail.isEmpty }

    mutating func append(_ bytes: Bytes, _ pool: BufferPool) {
        guard bytes.count > Self.copied else { return append(pool) { $0 += bytes } }
        sealTail()
        chunks.append(.bytes(bytes))
        byteCount += bytes.count
    }

    mutating func append(_ pool: BufferPool, _ build: (inout Bytes) -> Void) {
        if tail.count > Self.gathered { sealTail() }
        if tail.capacity == 0 { pool.lend(to: &tail) }
        let before = tail.count
        build(&tail)
        byteCount += tail.count - before
    }

    mutating func append(_ region: FileRegion) {
        sealTail()
        chunks.append(.file(region.file, offset: region.offset, length: region.length))
        fileCount += 1
    }

    private mutating func sealTail() {
        guard !tail.isEmpty else { return }
        // `written` counts in the tail when there is no chunk, and it stays right: the tail becomes the first.
        chunks.append(.bytes(tail))
        tail = Bytes()
    }

    /// Gives an empty queue's buffer back.
    mutating func recycle(_ pool: BufferPool) {
        guard isEmpty, tail.capacity > 0 else { return }
        pool.takeBack(&tail)
    }

    /// Writes once. `nil` when the socket takes nothing now.
    mutating func write(to descriptor: Int32, atMost limit: Int) throws(SystemError) -> Int? {
        if firstChunk < chunks.count, case .file(let file, let offset, let length) = chunks[firstChunk] {
            return try sendFile(file, offset, length, to: descriptor, limit)
        }
        guard let count = try Syscall.transfer("send", { gatherAndSend(to: descriptor) }) else { return nil }
        advance(by: count)
        return count
    }

    // MARK: Memory

    private func gatherAndSend(to descriptor: Int32) -> Int {
        guard firstChunk < chunks.count else {
            return tail.withUnsafeBytes { send(descriptor, $0.baseAddress! + written, $0.count - written, Self.flags) }
        }
        return withUnsafeTemporaryAllocation(of: iovec.self, capacity: Self.vectors) { vectors in
            gather(firstChunk, skipping: written, vectors, 0, descriptor)
        }
    }

    /// Pins one array after the other, each within the scope of the one before, and sends when all are pinned.
    private func gather(
        _ index: Int, skipping: Int, _ vectors: UnsafeMutableBufferPointer<iovec>, _ count: Int, _ descriptor: Int32
    ) -> Int {
        var next: Bytes?
        var moreFollows = false
        if index < chunks.count {
            switch chunks[index] {
            case .bytes(let bytes): next = bytes
            case .file: moreFollows = true
            }
        } else if index == chunks.count, !tail.isEmpty {
            next = tail
        }
        guard let next, count < vectors.count else {
            var message = msghdr()
            message.msg_iov = vectors.baseAddress
            message.msg_iovlen = count
            return sendmsg(descriptor, &message, moreFollows ? Self.flagsBeforeFile : Self.flags)
        }
        return next.withUnsafeBytes { bytes in
            let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress! + skipping)
            vectors[count] = iovec(iov_base: start, iov_len: bytes.count - skipping)
            return gather(index + 1, skipping: 0, vectors, count + 1, descriptor)
        }
    }

    private static let flags = Int32(MSG_NOSIGNAL)
    /// The kernel keeps a partial segment back until the file's first bytes fill it.
    private static let flagsBeforeFile = Int32(MSG_NOSIGNAL) | Int32(MSG_MORE)

    private mutating func advance(by count: Int) {
        byteCount -= count
        var left = count
        while firstChunk < chunks.count, case .bytes(let bytes) = chunks[firstChunk] {
            guard left >= bytes.count - written else {
                written += left
                return
            }
            left -= bytes.count - written
            dropFirstChunk()
        }
        guard firstChunk == chunks.count else { return }
        written += left
        guard written == tail.count else { return }
        written = 0
        tail.removeAll(keepingCapacity: true)
    }

    private mutating func dropFirstChunk() {
        written = 0
        chunks[firstChunk] = .bytes([])
        firstChunk += 1
        if firstChunk == chunks.count {
            chunks.removeAll(keepingCapacity: false)
            firstChunk = 0
        } else if firstChunk >= 64 {
            chunks.removeFirst(firstChunk)
            firstChunk = 0
        }
    }

    // MARK: Files

    private mutating func sendFile(
        _ file: OpenFile, _ offset: Int64, _ length: Int64, to descriptor: Int32, _ limit: Int
    ) throws(SystemError) -> Int? {
        var position = off_t(offset)
        let wanted = Int(min(length, Int64(limit)))
        let result = try Syscall.transfer("sendfile") { sendfile(descriptor, file.descriptor, &position, wanted) }
        guard let count = result else { return nil }
        guard count > 0 else { throw Self.truncated }
        advanceFile(file, offset, length, by: count)
        return count
    }

    /// The file became shorter than what was promised: only an end of the connection can tell the client.
    private static var truncated: SystemError { SystemError("send a file that was truncated", code: EIO) }

    private mutating func advanceFile(_ file: OpenFile, _ offset: Int64, _ length: Int64, by count: Int) {
        if Int64(count) == length {
            fileCount -= 1
            dropFirstChunk()
        } else {
            chunks[firstChunk] = .file(file, offset: offset + Int64(count), length: length - Int64(count))
        }
    }

    // MARK: Under TLS

    /// Gives the first piece to `encrypt`, which says how much it took; 0 when it takes nothing now. `scratch` is
    /// where a file is read into.
    mutating func take(
        _ scratch: UnsafeMutableBufferPointer<UInt8>,
        _ encrypt: (UnsafeRawBufferPointer) throws -> Int
    ) throws -> Int {
        guard firstChunk < chunks.count else { return try takeMemory(tail, encrypt) }
        switch chunks[firstChunk] {
        case .bytes(let bytes): return try takeMemory(bytes, encrypt)
        case .file(let file, let offset, let length):
            let wanted = Int(min(length, Int64(scratch.count)))
            let read = try Syscall.transfer("read a file") {
                pread(file.descriptor, scratch.baseAddress, wanted, off_t(offset))
            }
            guard let read, read > 0 else { throw Self.truncated }
            let count = try encrypt(UnsafeRawBufferPointer(start: scratch.baseAddress, count: read))
            if count > 0 { advanceFile(file, offset, length, by: count) }
            return count
        }
    }

    private mutating func takeMemory(
        _ bytes: Bytes, _ encrypt: (UnsafeRawBufferPointer) throws -> Int
    ) throws -> Int {
        let start = written
        let count = try bytes.withUnsafeBytes { try encrypt(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        advance(by: count)
        return count
    }
}
