// Bodies of `multipart/form-data` (RFC 7578, RFC 2046 §5.1), as they come: no part is held in memory.
//
//     [ preamble CRLF ] "--" boundary CRLF  headers CRLF CRLF  data  CRLF "--" boundary ( CRLF … | "--" epilogue )
//
// The delimiter CRLF "--" boundary has one CR, its first byte. So what looked like a delimiter and was not is data up
// to the byte that differed, and the search goes on there: nothing is looked at twice.

package import Base

package struct MultipartLimits: Sendable {
    /// More is 413. A form with a gallery of files has a few dozen.
    package var partCount = 128
    /// The headers of one part with their line ends; more is 431.
    package var headerBytes = 8 << 10
    /// What is overlooked before the first boundary; more is 400. Browsers send nothing there.
    package var preambleBytes = 1 << 10

    package init() {}
}

/// The headers of a part that matter; others are overlooked.
package struct MultipartPart: Sendable, Equatable {
    /// Of the form field.
    package let name: String
    /// Made safe by `FileName.sanitised`; `nil` also when nothing of it could be kept, see `isFile`.
    package let filename: String?
    /// The part had a file name, whatever it was.
    package let isFile: Bool
    package let contentType: MediaType?
}

package struct MultipartParser: Sendable {
    package enum Event: Sendable, Equatable {
        case partBegan(MultipartPart)
        /// A piece of the part: indices of the bytes that were given.
        case data(Range<Int>)
        /// A piece of the part from earlier bytes, which looked like the beginning of a boundary.
        case heldBack(Bytes)
        case partEnded
        /// All bytes were used up and the body goes on.
        case incomplete
        /// The last boundary was read; what follows means nothing and is taken too.
        case finished
    }

    private enum Phase { case preamble, afterDelimiter, lineFeed, secondDash, headers, data, finished }

    /// RFC 2046 §5.1.1.
    private static let boundaryLengths = 1...70
    private static let boundaryExtras = Bytes("'()+_,-./:=? ".utf8)

    private let limits: MultipartLimits
    private let delimiter: Bytes
    private var phase = Phase.preamble
    /// Of the delimiter. At first its CRLF counts as read: the body may begin with the boundary.
    private var matched = 2
    private var preambleBytes = 0
    private var partCount = 0
    private var headers = Bytes()

    /// `nil` for a boundary that RFC 2046 does not allow.
    package init?(boundary: String, limits: MultipartLimits = MultipartLimits()) {
        let bytes = Bytes(boundary.utf8)
        guard Self.boundaryLengths.contains(bytes.count), bytes.last != 0x20, bytes.allSatisfy(Self.isBoundary) else {
            return nil
        }
        self.limits = limits
        delimiter = Bytes("\r\n--".utf8) + bytes
    }

    /// The boundary is in the parameter of the type. `nil` for another type or without a usable boundary.
    package init?(_ type: MediaType, limits: MultipartLimits = MultipartLimits()) {
        guard type.essence == "multipart/form-data", let boundary = type.parameter("boundary") else { return nil }
        self.init(boundary: boundary, limits: limits)
    }

    private static func isBoundary(_ byte: UInt8) -> Bool {
        isDigit(byte) || (97...122).contains(lowercased(byte)) || boundaryExtras.contains(byte)
    }

    /// A body that ends before this is true was broken off.
    package var isFinished: Bool { phase == .finished }

    /// Goes on at `position` and moves it past what was understood. Call it until it returns `incomplete` or
    /// `finished`.
    package mutating func next(_ bytes: Span<UInt8>, at position: inout Int) throws(HTTPParseError) -> Event {
        while position < bytes.count {
            switch phase {
            case .preamble:
                if try skipPreamble(bytes, &position) { phase = .afterDelimiter }
            case .data:
                if let event = takeData(bytes, &position) { return event }
            case .finished: position = bytes.count
            default:
                let byte = bytes[position]
                position &+= 1
                if let event = try take(byte) { return event }
            }
        }
        return phase == .finished ? .finished : .incomplete
    }

    // MARK: Boundaries

    private mutating func take(_ byte: UInt8) throws(HTTPParseError) -> Event? {
        switch (phase, byte) {
        case (.afterDelimiter, 13): phase = .lineFeed
        case (.afterDelimiter, 0x2D): phase = .secondDash
        case (.secondDash, 0x2D): phase = .finished
        case (.lineFeed, 10):
            guard partCount < limits.partCount else {
                throw HTTPParseError(.contentTooLarge, "the form has too many parts")
            }
            partCount &+= 1
            phase = .headers
        case (.headers, _): return try takeHeader(byte)
        default: throw .bad("malformed line after a boundary of the form")
        }
        return nil
    }

    /// True after the first delimiter.
    private mutating func skipPreamble(_ bytes: Span<UInt8>, _ position: inout Int) throws(HTTPParseError) -> Bool {
        while position < bytes.count {
            let byte = bytes[position]
            if byte == delimiter[matched] {
                matched &+= 1
            } else {
                matched = byte == delimiter[0] ? 1 : 0
            }
            position &+= 1
            preambleBytes &+= 1
            if matched == delimiter.count {
                matched = 0
                return true
            }
            guard preambleBytes < limits.preambleBytes &+ delimiter.count else {
                throw .bad("the form does not begin with its boundary")
            }
        }
        return false
    }

    private mutating func takeData(_ bytes: Span<UInt8>, _ position: inout Int) -> Event? {
        if matched > 0 {
            advance(bytes, &position)
            if matched == delimiter.count { return endPart() }
            guard position < bytes.count else { return nil }
            defer { matched = 0 }
            return .heldBack(Bytes(delimiter[..<matched]))
        }
        let start = position
        while position < bytes.count {
            position = bytes.firstReturn(from: position)
            let candidate = position
            advance(bytes, &position)
            guard matched == delimiter.count || position == bytes.count else {
                matched = 0
                continue
            }
            guard candidate == start else {
                // The data before it comes first. A whole delimiter is found again by the next call.
                if matched == delimiter.count {
                    matched = 0
                    position = candidate
                }
                return .data(start..<candidate)
            }
            return matched == delimiter.count ? endPart() : nil
        }
        return nil
    }

    /// Compares on from `matched`, up to the first difference.
    private mutating func advance(_ bytes: Span<UInt8>, _ position: inout Int) {
        while matched < delimiter.count, position < bytes.count, bytes[position] == delimiter[matched] {
            matched &+= 1
            position &+= 1
        }
    }

    private mutating func endPart() -> Event {
        matched = 0
        phase = .afterDelimiter
        return .partEnded
    }

    // MARK: Part headers

    /// Collects lines up to the empty one.
    private mutating func takeHeader(_ byte: UInt8) throws(HTTPParseError) -> Event? {
        guard headers.count < limits.headerBytes else {
            throw HTTPParseError(.headerFieldsTooLarge, "the headers of a part are too large")
        }
        let follows = headers.last == 13
        guard follows == (byte == 10), byte >= 0x20 && byte != 0x7F || byte == 9 || byte == 10 || byte == 13 else {
            throw .bad("a control character or a bare line end in the headers of a part")
        }
        headers.append(byte)
        guard byte == 10, headers.count == 2 || headers.suffix(4).elementsEqual([13, 10, 13, 10]) else { return nil }
        let part = try Self.part(headers)
        headers.removeAll(keepingCapacity: true)
        phase = .data
        return .partBegan(part)
    }

    private static func part(_ block: Bytes) throws(HTTPParseError) -> MultipartPart {
        var disposition: ContentDisposition?
        var type: MediaType?
        for line in block.split(separator: 10).map({ $0.dropLast() }) where !line.isEmpty {
            guard let colon = line.firstIndex(of: 0x3A), colon > line.startIndex,
                line[..<colon].allSatisfy(ByteSet.token.contains)
            else { throw .bad("a malformed header of a part") }
            let all = Bytes(line[(colon + 1)...])
            let value = all.span.text(all.span.trimmed(0..<all.count))
            switch String(decoding: line[..<colon].map(lowercased), as: UTF8.self) {
            case "content-disposition":
                guard disposition == nil, let parsed = ContentDisposition(value) else {
                    throw .bad("a malformed or repeated Content-Disposition of a part", field: "Content-Disposition")
                }
                disposition = parsed
            case "content-type": type = MediaType(value)
            default: break
            }
        }
        guard let disposition, disposition.kind == "form-data", let name = disposition.name else {
            throw .bad("a part without a name", field: "Content-Disposition")
        }
        return MultipartPart(
            name: name, filename: disposition.filename.flatMap(FileName.sanitised),
            isFile: disposition.filename != nil, contentType: type)
    }
}

extension Span where Element == UInt8 {
    /// The index of the first CR, or the end; 32 bytes at a time, then eight.
    fileprivate func firstReturn(from start: Int) -> Int {
        var index = start
        while index &+ 32 <= count {
            let marks =
                returns(at: index) | returns(at: index &+ 8) | returns(at: index &+ 16) | returns(at: index &+ 24)
            if marks != 0 { break }
            index &+= 32
        }
        while index &+ 8 <= count {
            let marks = returns(at: index)
            if marks != 0 { return index &+ marks.trailingZeroBitCount / 8 }
            index &+= 8
        }
        while index < count, self[index] != 13 { index &+= 1 }
        return index
    }

    /// The first of eight bytes that is CR has its highest bit set; those behind it may have theirs without a reason. The
    /// caller has counted that they are there.
    @inline(__always)
    private func returns(at index: Int) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let word = UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
        let difference = word ^ (ones &* 13)
        return (difference &- ones) & ~difference & (ones &* 0x80)
    }
}
