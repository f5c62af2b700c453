// Plaintext in, an age file out, in pieces of any size. Memory is one chunk, whatever the file's length.

package import Base
import Crypto

package struct AgeEncryptor: ~Copyable, Sendable {
    private var sealer: AgeChunkSealer
    /// Header and nonce, until they are written.
    private var head: Bytes
    /// Plaintext that has not become a chunk: which chunk is the last one shows when no more comes.
    private let pending = AgeBuffer(AgeChunk.plainCount)
    private var pendingCount = 0
    private var isFinished = false

    package init(to recipients: [AgeRecipient]) throws(AgeError) {
        let fileKey = SecureRandom.secret(AgeHeader.fileKeyCount)
        let header = try AgeHeader.make(wrapping: fileKey, for: recipients)
        let nonce = SecureRandom.bytes(AgeChunk.nonceCount)
        head = header.bytes + nonce
        sealer = AgeChunkSealer(payloadKey: AgeChunk.payloadKey(fileKey, nonce: nonce))
    }

    /// Appends what of the file is certain by now.
    package mutating func update(_ plaintext: UnsafeRawBufferPointer, into output: inout Bytes) {
        precondition(!isFinished, "the age file has its end already")
        writeHead(into: &output)
        var rest = plaintext[...]
        while !rest.isEmpty {
            if pendingCount == AgeChunk.plainCount { sealPending(isLast: false, into: &output) }
            if pendingCount == 0, rest.count > AgeChunk.plainCount {
                let chunk = UnsafeRawBufferPointer(rebasing: rest.prefix(AgeChunk.plainCount))
                seal(chunk, isLast: false, into: &output)
                rest = rest.dropFirst(AgeChunk.plainCount)
                continue
            }
            let part = rest.prefix(AgeChunk.plainCount - pendingCount)
            UnsafeMutableRawBufferPointer(rebasing: pending.bytes[pendingCount...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
            pendingCount += part.count
            rest = rest.dropFirst(part.count)
        }
    }

    package mutating func update(_ plaintext: Bytes, into output: inout Bytes) {
        plaintext.withUnsafeBytes { update($0, into: &output) }
    }

    /// Appends the end. A file without it is a file that was cut.
    package mutating func finish(into output: inout Bytes) {
        precondition(!isFinished, "the age file has its end already")
        writeHead(into: &output)
        sealPending(isLast: true, into: &output)
        isFinished = true
    }

    private mutating func writeHead(into output: inout Bytes) {
        output += head
        head = []
    }

    private mutating func sealPending(isLast: Bool, into output: inout Bytes) {
        seal(UnsafeRawBufferPointer(rebasing: pending.bytes[..<pendingCount]), isLast: isLast, into: &output)
        pendingCount = 0
    }

    private mutating func seal(_ chunk: UnsafeRawBufferPointer, isLast: Bool, into output: inout Bytes) {
        let count = chunk.count + ChaCha20Poly1305.tagCount
        output.append(addingCapacity: count) { space in
            space.withUnsafeMutableBufferPointer { buffer, initialized in
                sealer.seal(chunk, isLast: isLast, into: UnsafeMutableRawBufferPointer(buffer))
                initialized = count
            }
        }
    }
}
