// Encryptor and decryptor for who pulls: a sender that asks for the next bytes when its socket has room, a parser that
// reads. They ask their source in turn, and hold one chunk more than the machines do.

import Base

/// Fills the buffer's beginning and says how much it is; 0 at the end.
package typealias AgeSource = (UnsafeMutableRawBufferPointer) throws -> Int

package struct AgeEncryptingReader: ~Copyable {
    private var encryptor: AgeEncryptor
    private var source: AgePulled

    package init(to recipients: [AgeRecipient], from source: @escaping AgeSource) throws(AgeError) {
        encryptor = try AgeEncryptor(to: recipients)
        self.source = AgePulled(source)
    }

    /// The next bytes of the age file; 0 at its end, or for an empty buffer. Throws what the source throws.
    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while source.isEmpty {
            guard let input = try source.next() else { return 0 }
            if input.isEmpty {
                encryptor.finish(into: &source.output)
            } else {
                encryptor.update(input, into: &source.output)
            }
        }
        return source.give(into: buffer)
    }
}

package struct AgeDecryptingReader: ~Copyable {
    private var decryptor: AgeDecryptor
    private var source: AgePulled
    private var failure: AgeError?

    package init(
        with identities: [AgeIdentity], expecting count: UInt64? = nil, from source: @escaping AgeSource
    ) throws(AgeError) {
        decryptor = try AgeDecryptor(with: identities, expecting: count)
        self.source = AgePulled(source)
    }

    /// The next authentic bytes of the plaintext; 0 when it is complete, or for an empty buffer. Throws `AgeError`, and
    /// what the source throws. What was authentic before an error is given first.
    package mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while source.isEmpty {
            if let failure { throw failure }
            guard let input = try source.next() else { return 0 }
            do throws(AgeError) {
                if input.isEmpty {
                    try decryptor.finish(into: &source.output)
                } else {
                    try decryptor.update(input, into: &source.output)
                }
            } catch { failure = error }
        }
        return source.give(into: buffer)
    }
}

/// A source with room for what comes from it, and what a machine made of that.
private struct AgePulled: ~Copyable {
    private let source: AgeSource
    private let input = AgeBuffer(AgeChunk.sealedCount)
    private var isAtEnd = false
    private var given = 0
    var output = Bytes()

    init(_ source: @escaping AgeSource) { self.source = source }

    var isEmpty: Bool { given == output.count }

    /// Empty at the end, and `nil` after that.
    mutating func next() throws -> UnsafeRawBufferPointer? {
        guard !isAtEnd else { return nil }
        output.removeAll(keepingCapacity: true)
        given = 0
        let count = try source(input.bytes)
        isAtEnd = count == 0
        return UnsafeRawBufferPointer(rebasing: input.bytes[..<count])
    }

    mutating func give(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, output.count - given)
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        output.withUnsafeBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[given..<given + count])) }
        given += count
        return count
    }
}
