// Any range of an age file's plaintext: docs/formats/age.md, "Random access". For ranges of recordings over HTTP, and for
// single items of a backup.

package import Base
import Crypto

package struct AgeRandomAccess: ~Copyable {
    /// Fills the whole buffer with the file's bytes from the offset on.
    package typealias Source = (_ offset: UInt64, UnsafeMutableRawBufferPointer) throws -> Void

    /// How much of a file is read to find its header; most headers are shorter.
    private static let headerPiece = 4_096

    package let plaintextCount: UInt64
    private let source: Source
    private let payloadStart: UInt64
    private let payloadCount: UInt64
    private let opener: AgeChunkOpener
    private let sealed = AgeBuffer(AgeChunk.sealedCount)
    /// The chunk that was opened last: ranges in sequence open each chunk once.
    private let plain = AgeBuffer(AgeChunk.plainCount)
    private var current: UInt64?

    /// Reads the header and the last chunk, which vouches for the length. `fileCount` is how many bytes there are;
    /// `expecting`, how many there should be. Throws `AgeError`, and what the source throws.
    package static func open(
        of fileCount: UInt64, with identities: [AgeIdentity], expecting expected: UInt64? = nil,
        from source: @escaping Source
    ) throws -> AgeRandomAccess {
        var access = AgeRandomAccess(fileCount, try layout(fileCount, identities, source), source)
        try access.checkEnd(fileCount, expected)
        return access
    }

    private struct Layout {
        let start: UInt64
        let plaintextCount: UInt64
        let payloadKey: Secret
    }

    private init(_ fileCount: UInt64, _ layout: Layout, _ source: @escaping Source) {
        payloadStart = layout.start
        payloadCount = fileCount - layout.start
        plaintextCount = layout.plaintextCount
        self.source = source
        opener = AgeChunkOpener(payloadKey: layout.payloadKey)
    }

    private static func layout(
        _ fileCount: UInt64, _ identities: [AgeIdentity], _ source: Source
    ) throws -> Layout {
        let header = try header(fileCount, source)
        let fileKey = try header.fileKey(with: identities)
        let start = UInt64(header.bytes.count + AgeChunk.nonceCount)
        guard fileCount >= start else { throw AgeError.truncated(.header) }
        var nonce = Bytes(repeating: 0, count: AgeChunk.nonceCount)
        try nonce.withUnsafeMutableBytes { try source(UInt64(header.bytes.count), $0) }
        guard let count = AgeChunk.plaintextCount(ofSealed: fileCount - start) else {
            throw AgeError.truncated(.payload((fileCount - start) / UInt64(AgeChunk.sealedCount)))
        }
        return Layout(
            start: start, plaintextCount: count, payloadKey: AgeChunk.payloadKey(fileKey, nonce: nonce))
    }

    private static func header(_ fileCount: UInt64, _ source: Source) throws -> AgeHeader {
        var reader = AgeHeaderReader()
        var offset: UInt64 = 0
        var piece = Bytes(repeating: 0, count: headerPiece)
        while offset < fileCount {
            let count = Int(min(UInt64(headerPiece), fileCount - offset))
            let found = try piece.withUnsafeMutableBytes { piece in
                let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<count])
                try source(offset, part)
                return try reader.update(UnsafeRawBufferPointer(part))?.header
            }
            if let found { return found }
            offset += UInt64(count)
        }
        throw AgeError.truncated(.header)
    }

    private var lastIndex: UInt64 { (max(payloadCount, 1) - 1) / UInt64(AgeChunk.sealedCount) }

    private mutating func checkEnd(_ fileCount: UInt64, _ expected: UInt64?) throws {
        guard try !open(lastIndex, isLast: true) else { return }
        let chunk = lastIndex
        // A whole chunk that is not the last one: the file was cut behind it.
        let isWhole = payloadCount % UInt64(AgeChunk.sealedCount) == 0
        if isWhole, try open(chunk, isLast: false) { throw AgeError.truncated(.payload(chunk + 1)) }
        throw isWhole ? AgeError.tampered(chunk) : AgeChunk.damage(at: chunk, received: fileCount, expected: expected)
    }

    /// Appends the range of the plaintext. A range beyond its end is a mistake of the program.
    package mutating func read(_ range: Range<UInt64>, into output: inout Bytes) throws {
        precondition(range.upperBound <= plaintextCount, "the range lies within the plaintext")
        var offset = range.lowerBound
        while offset < range.upperBound {
            let (index, start) = offset.quotientAndRemainder(dividingBy: UInt64(AgeChunk.plainCount))
            guard try open(index, isLast: index == lastIndex) else { throw AgeError.tampered(index) }
            let count = min(range.upperBound - offset, UInt64(AgeChunk.plainCount) - start)
            output += plain.bytes[Int(start)..<Int(start + count)]
            offset += count
        }
    }

    private mutating func open(_ index: UInt64, isLast: Bool) throws -> Bool {
        guard current != index else { return true }
        current = nil
        let offset = index * UInt64(AgeChunk.sealedCount)
        let count = Int(min(UInt64(AgeChunk.sealedCount), payloadCount - offset))
        let chunk = UnsafeMutableRawBufferPointer(rebasing: sealed.bytes[..<count])
        try source(payloadStart + offset, chunk)
        let room = UnsafeMutableRawBufferPointer(rebasing: plain.bytes[..<(count - ChaCha20Poly1305.tagCount)])
        guard opener.open(UnsafeRawBufferPointer(chunk), index, isLast: isLast, into: room) else { return false }
        current = index
        return true
    }
}
