// The syntax of a request head (RFC 9112 §2–§5): finds its lines and the parts of each, and remembers where it was.
//
// Every decision depends only on the bytes up to and including the one that forces it, so that a head arriving in
// pieces gets the same answer as one that comes whole. A line is first searched for its end eight bytes at a time,
// which also finds every control character; only then are its parts looked at.

/// The request line, by offsets.
struct RequestLine: Sendable {
    var method: HTTPMethod?
    var minorVersion: UInt8
    /// Of an absolute-form target: what stands for Host.
    var authority: Range<Int>?
    var path: Range<Int>
    var query: Range<Int>?

    /// The path as sent; an absolute-form target without one means `/`, or `*` for OPTIONS (RFC 9112 §3.2.4).
    func pathText(_ bytes: Span<UInt8>) -> String {
        if !path.isEmpty { return bytes.text(path) }
        return method == .options && query == nil ? "*" : "/"
    }
}

/// Where the parts of a whole head lie.
struct HeadLayout {
    let line: RequestLine
    let blockStart: Int
    let fields: [RequestHeaders.Field]
}

struct HeadScanner {
    private enum Phase { case start, requestLine, fields }

    private let limits: HTTPLimits
    private var phase = Phase.start
    /// Everything before it was looked at.
    private var cursor = 0
    private var lineStart = 0
    private var requestLine: RequestLine?
    /// The first byte of the first field line.
    private var blockStart = 0
    /// Offsets count from `blockStart`.
    private var fields: [RequestHeaders.Field] = []

    init(limits: HTTPLimits) { self.limits = limits }

    /// Goes on with `bytes`, which begin with the same bytes as the last time. Returns the index after the head, or
    /// `nil` when it is not complete.
    mutating func scan(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Int? {
        do throws(HTTPParseError) {
            if phase == .start, try !skipEmptyLine(bytes) { return nil }
            if phase == .requestLine {
                guard let end = try endOfLine(in: bytes, limit: lineStart &+ limits.requestLineBytes) else {
                    return nil
                }
                try takeRequestLine(bytes, end: end)
            }
            return try scanFields(bytes)
        } catch {
            throw error.at(path(bytes))
        }
    }

    /// What was found, once `scan` has come to the end of the head; the scanner is then ready for the next one.
    mutating func take() -> HeadLayout? {
        guard let requestLine else { return nil }
        let layout = HeadLayout(line: requestLine, blockStart: blockStart, fields: fields)
        self = HeadScanner(limits: limits)
        return layout
    }

    private mutating func scanFields(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Int? {
        let limit = blockStart &+ limits.headerBytes
        while let end = try endOfLine(in: bytes, limit: limit) {
            let start = lineStart
            lineStart = end &+ 2
            cursor = lineStart
            if end == start { return lineStart }
            try takeField(bytes, start..<end)
        }
        return nil
    }

    /// RFC 9112 §2.2: one empty line before the request line is overlooked. False when that cannot be told yet.
    private mutating func skipEmptyLine(_ bytes: Span<UInt8>) throws(HTTPParseError) -> Bool {
        guard bytes.count > 0 else { return false }
        if bytes[0] == 13 {
            guard bytes.count > 2 else {
                if bytes.count == 2, bytes[1] != 10 { throw .bareCarriageReturn }
                return false
            }
            guard bytes[1] == 10 else { throw .bareCarriageReturn }
            guard bytes[2] != 13 else { throw .bad("more than one empty line before the request line") }
            lineStart = 2
        }
        cursor = lineStart
        phase = .requestLine
        return true
    }

    /// The index of the CR that ends the line in which the cursor stands.
    private mutating func endOfLine(in bytes: Span<UInt8>, limit: Int) throws(HTTPParseError) -> Int? {
        let window = min(bytes.count, limit &+ 1)
        while cursor < window {
            cursor = bytes.firstControl(in: cursor..<window)
            guard cursor < window else { break }
            let byte = bytes[cursor]
            if byte == 13 {
                guard cursor &+ 1 < bytes.count else { return nil }
                guard bytes[cursor &+ 1] == 10 else { throw .bareCarriageReturn }
                return cursor
            }
            guard byte == 9, phase == .fields else { throw controlCharacter(byte) }
            cursor &+= 1
        }
        guard cursor <= limit else { throw phase == .fields ? .headersTooLarge : .lineTooLong }
        return nil
    }

    private func controlCharacter(_ byte: UInt8) -> HTTPParseError {
        if byte == 10 { return .bad("a line ends with LF alone; lines end with CRLF") }
        return .bad(phase == .fields ? "control character in a header field" : "control character in the request line")
    }
}

// MARK: - The request line

extension HeadScanner {
    private mutating func takeRequestLine(_ bytes: Span<UInt8>, end: Int) throws(HTTPParseError) {
        var index = lineStart
        while index < end, ByteSet.token.contains(bytes[index]) { index &+= 1 }
        guard index > lineStart, index < end, bytes[index] == 0x20 else { throw .bad("malformed method") }
        let method = lineStart..<index

        let targetStart = index &+ 1
        index = targetStart
        while index < end, bytes[index] != 0x20 { index &+= 1 }
        guard index > targetStart else { throw .bad("malformed request line: no target") }
        guard index < end else { throw .bad("malformed request line: no HTTP version") }

        let minorVersion = try version(bytes, (index &+ 1)..<end)
        try takeTarget(bytes, targetStart..<index, method: method, minorVersion: minorVersion)
        guard requestLine?.method != nil else { throw .unknownMethod }
        lineStart = end &+ 2
        cursor = lineStart
        blockStart = lineStart
        phase = .fields
        fields.reserveCapacity(16)
    }

    /// `HTTP/1.` and a digit. Minor versions that we do not know are served as 1.1 (RFC 9110 §2.5).
    private func version(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(HTTPParseError) -> UInt8 {
        let start = range.lowerBound
        guard range.count == 8, bytes[start] == 0x48, bytes[start &+ 1] == 0x54, bytes[start &+ 2] == 0x54,
            bytes[start &+ 3] == 0x50, bytes[start &+ 4] == 0x2F, isDigit(bytes[start &+ 5]),
            bytes[start &+ 6] == 0x2E, isDigit(bytes[start &+ 7])
        else { throw .bad("malformed HTTP version") }
        guard bytes[start &+ 5] == 0x31 else {
            throw HTTPParseError(.versionNotSupported, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        }
        return min(bytes[start &+ 7] &- 48, 1)
    }

    /// RFC 9112 §3.2: origin-form, absolute-form, and asterisk-form for OPTIONS.
    private mutating func takeTarget(
        _ bytes: Span<UInt8>, _ target: Range<Int>, method: Range<Int>, minorVersion: UInt8
    ) throws(HTTPParseError) {
        let method = HTTPMethod(bytes, method)
        var line = RequestLine(method: method, minorVersion: minorVersion, path: target)
        if bytes[target.lowerBound] == 0x2F {
            try split(bytes, target, into: &line)
        } else if method == nil {
            // CONNECT's authority-form, and whatever other methods have: the method is refused, not the target.
            throw .unknownMethod
        } else if target.count == 1, bytes[target.lowerBound] == 0x2A {
            guard method == .options else { throw .bad("the target * is only for OPTIONS") }
        } else {
            let pathStart = try takeAuthority(bytes, target, into: &line)
            try split(bytes, pathStart..<target.upperBound, into: &line)
        }
        requestLine = line
    }

    /// The rest of an absolute-form target begins at the returned index.
    private func takeAuthority(
        _ bytes: Span<UInt8>, _ target: Range<Int>, into line: inout RequestLine
    ) throws(HTTPParseError) -> Int {
        let scheme = target.lowerBound
        let isPlain = target.count > 7 && bytes.matches(scheme..<(scheme &+ 7), "http://")
        guard isPlain || target.count > 8 && bytes.matches(scheme..<(scheme &+ 8), "https://") else {
            throw .bad("the target is neither a path nor an http URL")
        }
        let start = scheme &+ (isPlain ? 7 : 8)
        var end = start
        while end < target.upperBound, bytes[end] != 0x2F, bytes[end] != 0x3F { end &+= 1 }
        guard HostName.isValid(bytes, start..<end) else { throw .bad("malformed host in the target") }
        line.authority = start..<end
        return end
    }

    private func split(
        _ bytes: Span<UInt8>, _ target: Range<Int>, into line: inout RequestLine
    ) throws(HTTPParseError) {
        var index = target.lowerBound
        while index < target.upperBound, ByteSet.path.contains(bytes[index]) { index &+= 1 }
        line.path = target.lowerBound..<index
        guard index < target.upperBound else { return }
        guard bytes[index] == 0x3F else { throw badTarget(bytes[index]) }
        index &+= 1
        line.query = index..<target.upperBound
        while index < target.upperBound {
            guard ByteSet.query.contains(bytes[index]) else { throw badTarget(bytes[index]) }
            index &+= 1
        }
    }

    private func badTarget(_ byte: UInt8) -> HTTPParseError {
        switch byte {
        case 0x23: .bad("a fragment (#) in the target")
        case 0x80...: .bad("a byte outside ASCII in the target; it must be percent-encoded")
        default: .bad("a character in the target that must be percent-encoded")
        }
    }

    private func path(_ bytes: Span<UInt8>) -> String? { requestLine.map { $0.pathText(bytes) } }
}

extension HTTPMethod {
    /// Methods are case-sensitive (RFC 9110 §9.1).
    init?(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let start = range.lowerBound
        func spells(_ method: HTTPMethod, _ name: StaticString) -> HTTPMethod? {
            name.withUTF8Buffer { wanted in
                for offset in 0..<range.count
                where unsafe bytes[start &+ offset] != wanted[offset] { return nil }
                return method
            }
        }
        let found: HTTPMethod? =
            switch (range.count, bytes[start]) {
            case (3, 0x47): spells(.get, "GET")
            case (3, 0x50): spells(.put, "PUT")
            case (4, 0x50): spells(.post, "POST")
            case (4, 0x48): spells(.head, "HEAD")
            case (5, 0x50): spells(.patch, "PATCH")
            case (6, 0x44): spells(.delete, "DELETE")
            case (7, 0x4F): spells(.options, "OPTIONS")
            default: nil
            }
        guard let found else { return nil }
        self = found
    }
}

// MARK: - Field lines

extension HeadScanner {
    /// `name ":" OWS value OWS` (RFC 9112 §5).
    private mutating func takeField(_ bytes: Span<UInt8>, _ line: Range<Int>) throws(HTTPParseError) {
        let start = line.lowerBound
        if isBlank(bytes[start]) { throw folded }
        guard fields.count < limits.fieldCount else { throw .tooManyFields }
        var colon = start
        while colon < line.upperBound, ByteSet.token.contains(bytes[colon]) { colon &+= 1 }
        guard colon < line.upperBound, bytes[colon] == 0x3A else {
            throw badName(bytes, line, at: colon)
        }
        guard colon > start else { throw .bad("a header field without a name") }
        let value = bytes.trimmed((colon &+ 1)..<line.upperBound)
        fields.append(
            RequestHeaders.Field(
                nameStart: UInt32(truncatingIfNeeded: start &- blockStart),
                nameEnd: UInt32(truncatingIfNeeded: colon &- blockStart),
                valueStart: UInt32(truncatingIfNeeded: value.lowerBound &- blockStart),
                valueEnd: UInt32(truncatingIfNeeded: value.upperBound &- blockStart)))
    }

    private var folded: HTTPParseError {
        .bad(fields.isEmpty ? "white space before the first header field" : "a folded header field (obs-fold)")
    }

    private func badName(_ bytes: Span<UInt8>, _ line: Range<Int>, at index: Int) -> HTTPParseError {
        guard index < line.upperBound else { return .bad("a header line without a colon") }
        return .bad(
            isBlank(bytes[index]) ? "white space in or after a header name" : "a character that no header name may have"
        )
    }
}
