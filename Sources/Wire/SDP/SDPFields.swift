// Taking a line of a session description apart: words between blanks, numbers, identifiers. On bytes, because
// `Character` would make half of the cost of an offer.

/// The rest of a line that is being read.
struct SDPFields {
    private(set) var rest: ArraySlice<UInt8>
    let line: Int

    init(_ bytes: ArraySlice<UInt8>, line: Int) {
        rest = bytes
        self.line = line
    }

    func error(_ reason: String) -> SDPError { SDPError(line: line, reason: reason) }

    var isAtEnd: Bool { rest.isEmpty }
    var restText: String { text(rest) }

    /// The next word; `nil` at the end.
    mutating func word() -> ArraySlice<UInt8>? {
        skipBlanks()
        guard !rest.isEmpty else { return nil }
        let end = rest.firstIndex(of: UInt8(ascii: " ")) ?? rest.endIndex
        defer { rest = rest[end...] }
        return rest[..<end]
    }

    /// Up to a byte that is consumed with it; everything when there is none.
    mutating func take(until separator: UInt8) -> ArraySlice<UInt8> {
        guard let end = rest.firstIndex(of: separator) else {
            defer { rest = rest[rest.endIndex...] }
            return rest
        }
        defer { rest = rest[rest.index(after: end)...] }
        return rest[..<end]
    }

    mutating func skipBlanks() { rest = rest.drop { $0 == UInt8(ascii: " ") } }

    /// What is left, without blanks at either end.
    mutating func remainingText() -> String {
        skipBlanks()
        while rest.last == UInt8(ascii: " ") { rest.removeLast() }
        defer { rest = rest[rest.endIndex...] }
        return text(rest)
    }

    mutating func textWord(_ what: StaticString) throws(SDPError) -> String {
        guard let word = word() else { throw error("\(what) is missing") }
        return text(word)
    }

    mutating func number(_ what: StaticString, in range: ClosedRange<UInt64>) throws(SDPError) -> UInt64 {
        guard let word = word() else { throw error("\(what) is missing") }
        return try number(word, what, in: range)
    }

    func number(
        _ word: ArraySlice<UInt8>, _ what: StaticString, in range: ClosedRange<UInt64>
    ) throws(SDPError) -> UInt64 {
        guard let value = sdpNumber(word), range.contains(value) else {
            throw error("\(what) must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }

    mutating func words(atMost limit: Int, _ what: StaticString) throws(SDPError) -> [String] {
        var words: [String] = []
        while let word = word() {
            guard words.count < limit else { throw error("more than \(limit) \(what)") }
            words.append(text(word))
        }
        return words
    }

    /// An identifier of RTP (`mid`, `rid`): a token of RFC 8866 §9 and no longer than the bound.
    func identifier(_ word: ArraySlice<UInt8>, _ what: StaticString) throws(SDPError) -> String {
        guard !word.isEmpty, word.count <= SDPLimits.identifierBytes, word.allSatisfy(isSDPTokenByte) else {
            throw error("\(what) must be a token of 1 to \(SDPLimits.identifierBytes) characters")
        }
        return text(word)
    }

    func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// Decimal digits that fit.
func sdpNumber(_ bytes: ArraySlice<UInt8>) -> UInt64? {
    guard !bytes.isEmpty, bytes.count <= 20 else { return nil }
    var value: UInt64 = 0
    for byte in bytes {
        guard isDigit(byte) else { return nil }
        let (product, tooLarge) = value.multipliedReportingOverflow(by: 10)
        let (sum, overflow) = product.addingReportingOverflow(UInt64(byte &- 48))
        guard !tooLarge, !overflow else { return nil }
        value = sum
    }
    return value
}

/// `token-char` of RFC 8866 §9.
func isSDPTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x30...0x39, 0x41...0x5A, 0x5E...0x7E: true
    default: false
    }
}
