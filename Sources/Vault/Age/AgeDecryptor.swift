// An age file in, plaintext out, in pieces of any size. Memory is one chunk and the header, whatever the file's length.

package import Base
import Crypto

package struct AgeDecryptor: ~Copyable, Sendable {
    private enum Phase {
        case header(AgeHeaderReader)
        case nonce(Secret)
        case payload
        case finished
        case failed(AgeError)
    }

    private let identities: [AgeIdentity]
    private let expectedCount: UInt64?
    private var phase = Phase.header(AgeHeaderReader())
    private var opener: AgeChunkOpener?
    /// What was taken and has not been opened: the beginning of a chunk, or a whole one that may be the last.
    private let pending = AgeBuffer(AgeChunk.sealedCount)
    private var pendingCount = 0
    private var index: UInt64 = 0
    private var received: UInt64 = 0

    /// `expecting`: the file's length if it is known from elsewhere. It tells what was cut from what was changed.
    package init(with identities: [AgeIdentity], expecting count: UInt64? = nil) throws(AgeError) {
        guard (1...AgeIdentity.most).contains(identities.count) else {
            throw .badKey("1 to \(AgeIdentity.most) identities open an age file, not \(identities.count)")
        }
        self.identities = identities
        expectedCount = count
    }

    /// Appends plaintext that is authentic. After an error, what was appended before it still is.
    package mutating func update(_ input: UnsafeRawBufferPointer, into output: inout Bytes) throws(AgeError) {
        do throws(AgeError) {
            received += UInt64(input.count)
            var rest = input[...]
            while !rest.isEmpty { rest = try take(rest, into: &output) }
        } catch {
            phase = .failed(error)
            throw error
        }
    }

    package mutating func update(_ input: Bytes, into output: inout Bytes) throws(AgeError) {
        let bytes = input.span.bytes
        try bytes.withUnsafeBytes { bytes throws(AgeError) in try update(bytes, into: &output) }
    }

    /// Says that the file ends here, and appends its end. Only when this has returned is the plaintext complete.
    package mutating func finish(into output: inout Bytes) throws(AgeError) {
        do throws(AgeError) {
            switch phase {
            case .header, .nonce: throw .truncated(.header)
            case .payload: try openEnd(into: &output)
            case .finished: break
            case .failed(let error): throw error
            }
            phase = .finished
        } catch {
            phase = .failed(error)
            throw error
        }
    }

    /// One step; gives back what is left.
    private mutating func take(
        _ input: Slice<UnsafeRawBufferPointer>, into output: inout Bytes
    ) throws(AgeError) -> Slice<UnsafeRawBufferPointer> {
        switch phase {
        case .header(var reader):
            // Out of the phase, so that its bytes are not copied.
            phase = .payload
            guard let (header, used) = try reader.update(UnsafeRawBufferPointer(rebasing: input)) else {
                phase = .header(reader)
                return input[input.endIndex...]
            }
            phase = .nonce(try header.fileKey(with: identities))
            return input.dropFirst(used)
        case .nonce(let fileKey):
            let rest = fill(AgeChunk.nonceCount, from: input)
            if pendingCount == AgeChunk.nonceCount {
                opener = AgeChunkOpener(
                    payloadKey: AgeChunk.payloadKey(fileKey, nonce: Bytes(pending.bytes[..<pendingCount])))
                pendingCount = 0
                phase = .payload
            }
            return rest
        case .payload: return try takePayload(input, into: &output)
        case .finished: throw .trailingData
        case .failed(let error): throw error
        }
    }

    /// A chunk is opened when more follows it, so it is not the last one.
    private mutating func takePayload(
        _ input: Slice<UnsafeRawBufferPointer>, into output: inout Bytes
    ) throws(AgeError) -> Slice<UnsafeRawBufferPointer> {
        if pendingCount == AgeChunk.sealedCount {
            try openWhole(UnsafeRawBufferPointer(pending.bytes), into: &output)
            pendingCount = 0
        }
        if pendingCount == 0, input.count > AgeChunk.sealedCount {
            try openWhole(UnsafeRawBufferPointer(rebasing: input.prefix(AgeChunk.sealedCount)), into: &output)
            return input.dropFirst(AgeChunk.sealedCount)
        }
        return fill(AgeChunk.sealedCount, from: input)
    }

    private mutating func fill(
        _ count: Int, from input: Slice<UnsafeRawBufferPointer>
    ) -> Slice<UnsafeRawBufferPointer> {
        let part = input.prefix(count - pendingCount)
        UnsafeMutableRawBufferPointer(rebasing: pending.bytes[pendingCount...])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
        pendingCount += part.count
        return input.dropFirst(part.count)
    }

    private mutating func openWhole(_ chunk: UnsafeRawBufferPointer, into output: inout Bytes) throws(AgeError) {
        if open(chunk, isLast: false, into: &output) {
            index += 1
            return
        }
        // Authentic, and yet not where it should be: something was put behind it.
        guard open(chunk, isLast: true, into: &output) else { throw .tampered(index) }
        throw .trailingData
    }

    private mutating func openEnd(into output: inout Bytes) throws(AgeError) {
        let chunk = UnsafeRawBufferPointer(rebasing: pending.bytes[..<pendingCount])
        let isEmptyEnd = chunk.count == ChaCha20Poly1305.tagCount && index > 0
        if chunk.count >= ChaCha20Poly1305.tagCount, open(chunk, isLast: true, into: &output) {
            // The format has no empty chunk after others: whoever wrote this did not follow it.
            if isEmptyEnd { throw .tampered(index) }
            return
        }
        if chunk.count == AgeChunk.sealedCount {
            guard open(chunk, isLast: false, into: &output) else { throw .tampered(index) }
            throw .truncated(.payload(index + 1))
        }
        if chunk.count < ChaCha20Poly1305.tagCount || isEmptyEnd { throw .truncated(.payload(index)) }
        throw AgeChunk.damage(at: index, received: received, expected: expectedCount)
    }

    private func open(_ chunk: UnsafeRawBufferPointer, isLast: Bool, into output: inout Bytes) -> Bool {
        let count = chunk.count - ChaCha20Poly1305.tagCount
        var opened = false
        output.append(addingCapacity: count) { space in
            space.withUnsafeMutableBufferPointer { buffer, initialized in
                let room = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count)
                opened = opener!.open(chunk, index, isLast: isLast, into: room)
                initialized = opened ? count : 0
            }
        }
        return opened
    }
}
