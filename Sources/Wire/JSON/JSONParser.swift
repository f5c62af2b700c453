// Reading JSON: strict RFC 8259, bounded, in one pass.

package import Base

/// What a document may cost beyond its bytes, which the caller bounds.
package struct JSONLimits: Sendable {
    /// Arrays and objects within each other. The reader recurses, so this is also what bounds its stack; at most
    /// `JSONLimits.deepest`.
    package var depth = 32
    /// All values of the document together, containers included: a value takes about 40 bytes of memory where `0,`
    /// takes two on the wire.
    package var values = 100_000

    /// 512 levels take less than 200 KiB of stack, which every thread of ours has.
    package static let deepest = 512

    package init() {}

    package init(depth: Int, values: Int = 100_000) {
        self.depth = depth
        self.values = values
    }
}

package struct JSONError: Error, Equatable, CustomStringConvertible {
    /// Of the byte at fault, from 0.
    package let offset: Int
    package let reason: String
    /// Both from 1; columns count bytes.
    package let line: Int
    package let column: Int

    package var description: String { "line \(line), column \(column): \(reason)" }

    fileprivate init(_ fault: JSONFault, in bytes: Bytes) {
        let before = bytes.prefix(fault.offset)
        offset = fault.offset
        reason = "\(fault.reason)"
        line = 1 + before.count { $0 == 10 }
        column = fault.offset - (before.lastIndex(of: 10) ?? -1)
    }
}

extension JSONValue {
    package init(parsing bytes: Bytes, limits: JSONLimits = .init()) throws(JSONError) {
        do throws(JSONFault) {
            var parser = JSONParser(bytes.span, limits: limits)
            self = try parser.document()
        } catch {
            throw JSONError(error, in: bytes)
        }
    }
}

/// What the parser throws: small, and made without allocation.
private struct JSONFault: Error {
    let offset: Int
    let reason: StaticString
}

private struct JSONParser: ~Escapable {
    private let input: Span<UInt8>
    private var position = 0
    private var depthLeft: Int
    private var valuesLeft: Int

    @_lifetime(copy input)
    init(_ input: Span<UInt8>, limits: JSONLimits) {
        self.input = input
        depthLeft = min(limits.depth, JSONLimits.deepest)
        valuesLeft = limits.values
    }

    mutating func document() throws(JSONFault) -> JSONValue {
        skipSpace()
        let value = try value()
        skipSpace()
        guard position == input.count else { throw fault("there is more text after the value") }
        return value
    }

    // MARK: Structure

    private mutating func value() throws(JSONFault) -> JSONValue {
        guard valuesLeft > 0 else { throw fault("the document has too many values") }
        valuesLeft &-= 1
        switch current {
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: throw fault(position == input.count ? "the document ends where a value must be" : "no value")
        }
    }

    private mutating func object() throws(JSONFault) -> JSONObject {
        try enter()
        var object = JSONObject()
        guard !skip(UInt8(ascii: "}")) else { return leave(object) }
        while true {
            let start = position
            guard current == UInt8(ascii: "\"") else { throw fault("a key must be a string") }
            let key = try string()
            skipSpace()
            guard skip(UInt8(ascii: ":")) else { throw fault("a colon must follow the key") }
            guard object.appendUnlessPresent(key, try value()) else { throw fault("a key is repeated", at: start) }
            skipSpace()
            if skip(UInt8(ascii: "}")) { return leave(object) }
            guard skip(UInt8(ascii: ",")) else { throw fault("a comma or } must follow the member") }
        }
    }

    private mutating func array() throws(JSONFault) -> [JSONValue] {
        try enter()
        var elements: [JSONValue] = []
        guard !skip(UInt8(ascii: "]")) else { return leave(elements) }
        while true {
            elements.append(try value())
            skipSpace()
            if skip(UInt8(ascii: "]")) { return leave(elements) }
            guard skip(UInt8(ascii: ",")) else { throw fault("a comma or ] must follow the element") }
        }
    }

    /// Over the opening bracket.
    private mutating func enter() throws(JSONFault) {
        guard depthLeft > 0 else { throw fault("the document is nested too deeply") }
        depthLeft &-= 1
        position &+= 1
        skipSpace()
    }

    private mutating func leave<Container>(_ container: Container) -> Container {
        depthLeft &+= 1
        return container
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(JSONFault) -> JSONValue {
        let end = position &+ text.utf8CodeUnitCount
        let rest = input.extracting(position..<min(end, input.count))
        let matches = text.withUTF8Buffer { expected in
            unsafe rest.withUnsafeBufferPointer { unsafe $0.elementsEqual(expected) }
        }
        guard matches else { throw fault("no value") }
        position = end
        return value
    }

    // MARK: Strings

    /// At the opening quotation mark.
    private mutating func string() throws(JSONFault) -> String {
        let start = position &+ 1
        position = input.endOfPlainText(from: start)
        guard current == UInt8(ascii: "\"") else { return try escapedString(from: start) }
        let text = unsafe input.extracting(start..<position).withUnsafeBufferPointer {
            unsafe String(validating: $0, as: UTF8.self)
        }
        guard let text else { throw fault("a string is not valid UTF-8", at: start) }
        position &+= 1
        return text
    }

    /// `position` is at the first byte that is not plain text.
    private mutating func escapedString(from start: Int) throws(JSONFault) -> String {
        var bytes = Bytes()
        var runStart = start
        while true {
            unsafe input.extracting(runStart..<position).withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
            guard position < input.count else { throw fault("the document ends within a string") }
            switch current {
            case UInt8(ascii: "\""):
                guard let text = String(validating: bytes, as: UTF8.self) else {
                    throw fault("a string is not valid UTF-8", at: start)
                }
                position &+= 1
                return text
            case UInt8(ascii: "\\"):
                position &+= 1
                try escape(into: &bytes)
            default:
                throw fault("a control character in a string must be escaped")
            }
            runStart = position
            position = input.endOfPlainText(from: position)
        }
    }

    /// After the backslash.
    private mutating func escape(into bytes: inout Bytes) throws(JSONFault) {
        switch current {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(current)
        case UInt8(ascii: "b"): bytes.append(8)
        case UInt8(ascii: "f"): bytes.append(12)
        case UInt8(ascii: "n"): bytes.append(10)
        case UInt8(ascii: "r"): bytes.append(13)
        case UInt8(ascii: "t"): bytes.append(9)
        case UInt8(ascii: "u"):
            position &+= 1
            return bytes.append(contentsOf: UTF8.encode(try escapedScalar()) ?? UTF8.encodedReplacementCharacter)
        default: throw fault("no such escape in a string")
        }
        position &+= 1
    }

    /// After `\u`: four digits, or a pair of surrogates with `\u` between them.
    private mutating func escapedScalar() throws(JSONFault) -> Unicode.Scalar {
        let start = position
        let first = try fourDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, skip(UInt8(ascii: "\\"), UInt8(ascii: "u")),
            case let second = try fourDigits(), (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw fault("a surrogate stands alone", at: start) }
        return scalar
    }

    private mutating func fourDigits() throws(JSONFault) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Hex.value(of: current) else { throw fault("\\u wants four hexadecimal digits") }
            value = value << 4 | UInt32(digit)
            position &+= 1
        }
        return value
    }

    // MARK: Numbers

    private mutating func number() throws(JSONFault) -> JSONValue {
        let start = position
        let isNegative = skipByte(UInt8(ascii: "-"))
        guard isDigit else { throw fault("a digit must follow the sign") }
        let startsWithZero = current == UInt8(ascii: "0")
        var decimal = Decimal()
        let digits = skipDigits(into: &decimal)
        guard digits == 1 || !startsWithZero else { throw fault("a number has leading zeros", at: start) }
        switch current {
        case UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"):
            return try real(from: start, isNegative, &decimal)
        default:
            if let value = decimal.integer(isNegative) { return .integer(value) }
            return .number(try double(from: start, isNegative, decimal))
        }
    }

    private mutating func real(
        from start: Int, _ isNegative: Bool, _ decimal: inout Decimal
    ) throws(JSONFault) -> JSONValue {
        if skipByte(UInt8(ascii: ".")) {
            let digits = skipDigits(into: &decimal)
            guard digits > 0 else { throw fault("a digit must follow the point") }
            decimal.exponent &-= digits
        }
        if skipByte(UInt8(ascii: "e")) || skipByte(UInt8(ascii: "E")) {
            let isExponentNegative = skipByte(UInt8(ascii: "-"))
            if !isExponentNegative { _ = skipByte(UInt8(ascii: "+")) }
            var exponent = Decimal()
            guard skipDigits(into: &exponent) > 0 else { throw fault("a digit must follow the exponent sign") }
            decimal.shift(by: exponent, isExponentNegative)
        }
        return .number(try double(from: start, isNegative, decimal))
    }

    private func double(from start: Int, _ isNegative: Bool, _ decimal: Decimal) throws(JSONFault) -> Double {
        if let exact = decimal.double(isNegative) { return exact }
        guard position &- start <= Decimal.longestText else { throw fault("a number has too many digits", at: start) }
        let value = unsafe input.extracting(start..<position).withUnsafeBufferPointer {
            unsafe Double(String(decoding: $0, as: UTF8.self))
        }
        guard let value, value.isFinite else { throw fault("a number is too large", at: start) }
        return value
    }

    private mutating func skipDigits(into decimal: inout Decimal) -> Int {
        let start = position
        while isDigit {
            decimal.append(current &- UInt8(ascii: "0"))
            position &+= 1
        }
        return position &- start
    }

    // MARK: Bytes

    /// The byte at hand; 0 at the end, which no rule accepts.
    private var current: UInt8 { position < input.count ? input[position] : 0 }

    private var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(current) }

    private mutating func skipSpace() {
        while true {
            switch current {
            case 0x20, 0x0A, 0x0D, 0x09: position &+= 1
            default: return
            }
        }
    }

    private mutating func skipByte(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position &+= 1
        return true
    }

    /// A byte of structure and the white space after it.
    private mutating func skip(_ byte: UInt8) -> Bool {
        guard skipByte(byte) else { return false }
        skipSpace()
        return true
    }

    private mutating func skip(_ first: UInt8, _ second: UInt8) -> Bool { skipByte(first) && skipByte(second) }

    private func fault(_ reason: StaticString, at offset: Int? = nil) -> JSONFault {
        JSONFault(offset: offset ?? position, reason: reason)
    }
}

/// The digits of a number while it is read: `significand × 10^exponent`, as long as the significand fits.
private struct Decimal {
    private var significand: UInt64 = 0
    private var overflows = false
    var exponent = 0

    /// Longer texts that need correct rounding are refused. A double is decided by its first 770 digits; nobody
    /// sends this many.
    static let longestText = 1_024

    mutating func append(_ digit: UInt8) {
        let (product, first) = significand.multipliedReportingOverflow(by: 10)
        let (sum, second) = product.addingReportingOverflow(UInt64(digit))
        if first || second { overflows = true }
        significand = sum
    }

    /// An exponent that does not fit only has to be far enough from zero to keep `double` from being exact.
    mutating func shift(by power: Decimal, _ isNegative: Bool) {
        let size = power.overflows ? 1 << 30 : Int(clamping: min(power.significand, 1 << 30))
        exponent &+= isNegative ? 0 &- size : size
    }

    /// `-0` is the integer 0.
    func integer(_ isNegative: Bool) -> Int64? {
        guard !overflows else { return nil }
        if isNegative { return significand == 1 << 63 ? .min : Int64(exactly: significand).map { 0 &- $0 } }
        return Int64(exactly: significand)
    }

    /// Both the significand and the power of ten are exact as doubles, so one operation rounds correctly: most
    /// numbers that are ever sent. `nil` for the others.
    func double(_ isNegative: Bool) -> Double? {
        guard !overflows, significand <= 1 << 53, exponent.magnitude < UInt(Self.powers.count) else { return nil }
        let power = Self.powers[Int(exponent.magnitude)]
        let value = exponent < 0 ? Double(significand) / power : Double(significand) * power
        return isNegative ? -value : value
    }

    private static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]
}

extension Span<UInt8> {
    /// The first position at or after `start` that holds a quotation mark, a backslash or a control character, or the
    /// end. Eight bytes at a time: a byte is marked when subtracting borrows from its own top bit. Borrows may mark a
    /// byte *above* a marked one wrongly, never below, and only the lowest mark is used.
    func endOfPlainText(from start: Int) -> Int {
        var position = start
        while count &- position >= 8 {
            let marks = Self.marks(word(at: position))
            guard marks == 0 else { return position &+ marks.trailingZeroBitCount / 8 }
            position &+= 8
        }
        while position < count {
            switch self[position] {
            case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"): return position
            default: position &+= 1
            }
        }
        return position
    }

    private static func marks(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones &* 0x22)
        let slashes = word ^ (ones &* 0x5C)
        let controls = (word &- ones &* 0x20) & ~word
        return (controls | (quotes &- ones) & ~quotes | (slashes &- ones) & ~slashes) & (ones &* 0x80)
    }
}
