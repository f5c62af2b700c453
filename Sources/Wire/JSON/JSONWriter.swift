// Writing JSON: straight into bytes, field by field, without a tree in between. Commas are the writer's business; that
// a key is followed by exactly one value is the caller's.

package import Base

package struct JSONWriter: ~Copyable {
    package private(set) var bytes: Bytes
    private var needsComma = false

    package init(capacity: Int = 256) {
        bytes = Bytes()
        bytes.reserveCapacity(capacity)
    }

    // MARK: Containers

    /// An object as the document, or as the next element of an array.
    package mutating func object(_ body: (inout JSONWriter) -> Void) { container(0x7B, 0x7D, body) }

    package mutating func array(_ body: (inout JSONWriter) -> Void) { container(0x5B, 0x5D, body) }

    package mutating func object(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        key(name)
        object(body)
    }

    package mutating func array(_ name: StaticString, _ body: (inout JSONWriter) -> Void) {
        key(name)
        array(body)
    }

    private mutating func container(_ opening: UInt8, _ closing: UInt8, _ body: (inout JSONWriter) -> Void) {
        separate()
        bytes.append(opening)
        needsComma = false
        body(&self)
        bytes.append(closing)
        needsComma = true
    }

    // MARK: Members

    package mutating func null(_ name: StaticString) {
        key(name)
        null()
    }

    package mutating func field(_ name: StaticString, _ value: String?) {
        key(name)
        self.value(value)
    }

    package mutating func field(_ name: StaticString, _ value: Int?) {
        key(name)
        self.value(value.map { Int64($0) })
    }

    package mutating func field(_ name: StaticString, _ value: Int64?) {
        key(name)
        self.value(value)
    }

    package mutating func field(_ name: StaticString, _ value: Bool?) {
        key(name)
        self.value(value)
    }

    package mutating func field(_ name: StaticString, _ value: Double?) {
        key(name)
        self.value(value)
    }

    package mutating func field(_ name: StaticString, _ value: Timestamp?) {
        key(name)
        self.value(value)
    }

    package mutating func field(_ name: StaticString, _ value: UUID?) {
        key(name)
        self.value(value)
    }

    @inlinable
    package mutating func field<Kind>(_ name: StaticString, _ value: Identifier<Kind>?) {
        field(name, value?.uuid)
    }

    package mutating func field(_ name: StaticString, _ value: [String]?) {
        key(name)
        self.value(value)
    }

    package mutating func field(_ name: StaticString, _ value: JSONValue?) {
        key(name)
        self.value(value ?? .null)
    }

    /// Already encoded, and known to be one value.
    package mutating func raw(_ name: StaticString, _ bytes: Bytes) {
        key(name)
        raw(bytes)
    }

    /// A key that is made at run time, in front of one value or container.
    package mutating func key(_ name: String) {
        separate()
        appendString(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Constant keys hold nothing that must be escaped.
    private mutating func key(_ name: StaticString) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    // MARK: Values: the document, elements of arrays, what follows a key

    package mutating func null() {
        separate()
        append("null")
    }

    package mutating func value(_ value: String?) {
        guard let value else { return null() }
        separate()
        appendString(value)
    }

    package mutating func value(_ value: Int?) { self.value(value.map { Int64($0) }) }

    package mutating func value(_ value: Int64?) {
        guard let value else { return null() }
        separate()
        appendInteger(value)
    }

    package mutating func value(_ value: Bool?) {
        guard let value else { return null() }
        separate()
        append(value ? "true" : "false")
    }

    /// The shortest text that reads back as the same double. JSON has no infinities and no NaN: these become null.
    package mutating func value(_ value: Double?) {
        guard let value, value.isFinite else { return null() }
        separate()
        append(value.description.utf8Span.span)
    }

    /// RFC 3339, as `Timestamp.rfc3339` writes it.
    package mutating func value(_ value: Timestamp?) {
        guard let value else { return null() }
        separate()
        bytes.append(UInt8(ascii: "\""))
        appendTime(CivilTime(value))
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func value(_ value: UUID?) {
        guard let value else { return null() }
        separate()
        bytes.append(UInt8(ascii: "\""))
        appendHex(value.high, dashesAt: 0b0101_0000)
        bytes.append(UInt8(ascii: "-"))
        appendHex(value.low, dashesAt: 0b0000_0100)
        bytes.append(UInt8(ascii: "\""))
    }

    package mutating func value(_ value: [String]?) {
        guard let value else { return null() }
        array { writer in
            for element in value { writer.value(element) }
        }
    }

    package mutating func value(_ value: JSONValue) {
        switch value {
        case .null: null()
        case .bool(let value): self.value(value)
        case .integer(let value): self.value(value)
        case .number(let value): self.value(value)
        case .string(let value): self.value(value)
        case .array(let elements):
            array { writer in
                for element in elements { writer.value(element) }
            }
        case .object(let members):
            object { writer in
                for (key, value) in members.pairs {
                    writer.key(key)
                    writer.value(value)
                }
            }
        }
    }

    /// Already encoded, and known to be one value.
    package mutating func raw(_ value: Bytes) {
        separate()
        bytes.append(contentsOf: value)
    }

    // MARK: Bytes

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
    }

    private mutating func append(_ span: Span<UInt8>) {
        unsafe span.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }

    private mutating func appendString(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        let span = text.utf8Span.span
        var start = 0
        while true {
            let end = span.endOfPlainText(from: start)
            append(span.extracting(start..<end))
            guard end < span.count else { break }
            appendEscaped(span[end])
            start = end &+ 1
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func appendEscaped(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): append("\\\"")
        case UInt8(ascii: "\\"): append("\\\\")
        case 8: append("\\b")
        case 9: append("\\t")
        case 10: append("\\n")
        case 12: append("\\f")
        case 13: append("\\r")
        default:
            append("\\u00")
            bytes.append(Self.hexDigit(byte >> 4))
            bytes.append(Self.hexDigit(byte & 15))
        }
    }

    private mutating func appendTime(_ time: CivilTime) {
        appendInteger(Int64(time.year), width: 4)
        bytes.append(UInt8(ascii: "-"))
        appendInteger(Int64(time.month), width: 2)
        bytes.append(UInt8(ascii: "-"))
        appendInteger(Int64(time.day), width: 2)
        bytes.append(UInt8(ascii: "T"))
        appendInteger(Int64(time.hour), width: 2)
        bytes.append(UInt8(ascii: ":"))
        appendInteger(Int64(time.minute), width: 2)
        bytes.append(UInt8(ascii: ":"))
        appendInteger(Int64(time.second), width: 2)
        if time.microsecond != 0 {
            bytes.append(UInt8(ascii: "."))
            appendInteger(Int64(time.microsecond), width: 6)
        }
        bytes.append(UInt8(ascii: "Z"))
    }

    private mutating func appendInteger(_ value: Int64, width: Int = 1) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var digits = InlineArray<20, UInt8>(repeating: UInt8(ascii: "0"))
        var rest = value.magnitude
        var start = 20
        while rest != 0 {
            start &-= 1
            digits[start] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        append(digits.span.extracting(min(start, 20 &- width)..<20))
    }

    /// Sixteen digits, with a dash in front of those pairs whose bit is set, the first pair being the lowest bit.
    private mutating func appendHex(_ word: UInt64, dashesAt pairs: UInt8) {
        var text = InlineArray<18, UInt8>(repeating: UInt8(ascii: "-"))
        var position = 0
        for pair in 0..<8 {
            if pairs >> UInt8(pair) & 1 == 1 { position &+= 1 }
            let byte = UInt8(truncatingIfNeeded: word >> UInt64(56 &- 8 &* pair))
            text[position] = Self.hexDigit(byte >> 4)
            text[position &+ 1] = Self.hexDigit(byte & 15)
            position &+= 2
        }
        append(text.span.extracting(0..<position))
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") &+ value : UInt8(ascii: "a") &+ value &- 10
    }
}
