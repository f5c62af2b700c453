// The chunked transfer coding of requests (RFC 9112 §7.1), strictly: CRLF only, no white space around sizes and
// extensions, and bounds on everything that is not data. Extensions and trailers are checked, counted and dropped.
//
//     chunk      = 1*8HEXDIG *( ";" token [ "=" ( token / quoted-string ) ] ) CRLF data CRLF
//     last-chunk = 1*8"0" [ extensions ] CRLF  *( field-line CRLF )  CRLF

import Base

package struct ChunkedDecoder: Sendable {
    package enum Event: Sendable, Equatable {
        /// A piece of the body: indices of the bytes that were given.
        case data(Range<Int>)
        /// All bytes were used up and the body goes on.
        case incomplete
        /// The body is complete; what follows the position is the next request.
        case end
    }

    private enum Phase {
        case size, extensionName, extensionEquals, extensionValue, quoted, quotedPair, afterQuoted, sizeLineFeed
        case data, dataReturn, dataLineFeed
        case trailerStart, trailerName, trailerValue, trailerLineFeed, endLineFeed, ended
    }

    /// Eight hexadecimal digits, 4 GiB: more are a mistake or an attack on a reader's integers.
    private static let sizeDigits = 8

    private let limits: HTTPLimits
    private var phase = Phase.size
    /// Digits of the size, then characters of the current word of an extension. Neither may be empty.
    private var wordLength = 0
    /// Of the current chunk.
    private var remaining = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var trailerCount = 0

    package init(limits: HTTPLimits = HTTPLimits()) { self.limits = limits }

    /// Goes on at `position` and moves it past what was understood. Call it until it returns something else than
    /// `data`.
    package mutating func next(
        _ bytes: Span<UInt8>, at position: inout Int
    ) throws(HTTPParseError) -> Event {
        while phase != .ended {
            guard position < bytes.count else { return .incomplete }
            if phase == .data {
                let end = min(bytes.count, position &+ remaining)
                let piece = position..<end
                remaining &-= piece.count
                position = end
                if remaining == 0 { phase = .dataReturn }
                return .data(piece)
            }
            try take(bytes[position])
            position &+= 1
        }
        return .end
    }

    /// The last chunk and its trailers were read. A connection that ends before has broken its body off.
    package var isComplete: Bool { phase == .ended }

    private mutating func take(_ byte: UInt8) throws(HTTPParseError) {
        switch phase {
        case .size: try takeSize(byte)
        case .extensionName, .extensionEquals, .extensionValue, .quoted, .quotedPair, .afterQuoted:
            try takeExtension(byte)
        case .sizeLineFeed: try expect(byte, 10, then: remaining > 0 ? .data : .trailerStart)
        case .dataReturn: try expect(byte, 13, then: .dataLineFeed)
        case .dataLineFeed:
            wordLength = 0
            try expect(byte, 10, then: .size)
        case .trailerStart, .trailerName, .trailerValue: try takeTrailer(byte)
        case .trailerLineFeed: try expect(byte, 10, then: .trailerStart)
        case .endLineFeed: try expect(byte, 10, then: .ended)
        case .data, .ended: break
        }
    }

    private mutating func expect(_ byte: UInt8, _ wanted: UInt8, then next: Phase) throws(HTTPParseError) {
        guard byte == wanted else { throw .bad("malformed chunk: CRLF expected", field: "Transfer-Encoding") }
        phase = next
    }

    private mutating func takeSize(_ byte: UInt8) throws(HTTPParseError) {
        if let digit = Hex.value(of: byte) {
            guard wordLength < Self.sizeDigits else { throw fault("a chunk size has too many digits") }
            wordLength &+= 1
            remaining = remaining << 4 | Int(digit)
            return
        }
        guard wordLength > 0 else { throw fault("malformed chunk size") }
        try endOfElement(byte, "malformed chunk size")
    }

    /// What may follow a size, or a complete extension.
    private mutating func endOfElement(_ byte: UInt8, _ complaint: String) throws(HTTPParseError) {
        switch byte {
        case 0x3B: phase = .extensionName
        case 13: phase = .sizeLineFeed
        default: throw fault(complaint)
        }
        wordLength = 0
    }

    private mutating func takeExtension(_ byte: UInt8) throws(HTTPParseError) {
        extensionBytes &+= 1
        guard extensionBytes <= limits.chunkExtensionBytes else { throw fault("chunk extensions are too long") }
        switch phase {
        case .extensionName: try takeWord(byte, mayHaveValue: true)
        case .extensionEquals where byte == 0x22: phase = .quoted
        case .extensionEquals, .extensionValue:
            phase = .extensionValue
            try takeWord(byte, mayHaveValue: false)
        case .quoted: try takeQuoted(byte)
        case .quotedPair:
            guard byte == 9 || byte >= 0x20 && byte != 0x7F else { throw fault("malformed chunk extension") }
            phase = .quoted
        default: try endOfElement(byte, "malformed chunk extension")
        }
    }

    private mutating func takeWord(_ byte: UInt8, mayHaveValue: Bool) throws(HTTPParseError) {
        if ByteSet.token.contains(byte) {
            wordLength = 1
            return
        }
        guard wordLength > 0 else { throw fault("malformed chunk extension") }
        if mayHaveValue, byte == 0x3D {
            wordLength = 0
            phase = .extensionEquals
        } else {
            try endOfElement(byte, "malformed chunk extension")
        }
    }

    private mutating func takeQuoted(_ byte: UInt8) throws(HTTPParseError) {
        switch byte {
        case 0x22: phase = .afterQuoted
        case 0x5C: phase = .quotedPair
        case 9, 0x20...0x7E, 0x80...: break
        default: throw fault("malformed chunk extension")
        }
    }

    private mutating func takeTrailer(_ byte: UInt8) throws(HTTPParseError) {
        trailerBytes &+= 1
        switch phase {
        case .trailerStart where byte == 13:
            phase = .endLineFeed
            return
        case .trailerStart where ByteSet.token.contains(byte):
            trailerCount &+= 1
            phase = .trailerName
        case .trailerName where byte == 0x3A: phase = .trailerValue
        case .trailerName where ByteSet.token.contains(byte): break
        case .trailerValue where byte == 13: phase = .trailerLineFeed
        case .trailerValue where byte == 9 || byte >= 0x20 && byte != 0x7F: break
        default: throw fault("malformed trailer field")
        }
        guard trailerBytes <= limits.trailerBytes, trailerCount <= limits.fieldCount else {
            throw HTTPParseError(.headerFieldsTooLarge, "the trailer fields are too large")
        }
    }

    private func fault(_ reason: String) -> HTTPParseError { .bad(reason, field: "Transfer-Encoding") }
}
