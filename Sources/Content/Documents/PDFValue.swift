// The objects of PDF (ISO 32000-1, 7.3) as values, and the reader of their syntax. Bounded in depth and in tokens, for a
// file may nest and repeat as it likes.

import Base

indirect enum PDFValue: Equatable {
    case null
    case bool(Bool)
    /// Fractions are cut off: nothing that is looked for has one.
    case number(Int)
    case name(String)
    case string(Bytes)
    case array([PDFValue])
    case dictionary([String: PDFValue])
    case reference(Int)
    /// A dictionary and where the bytes behind it begin.
    case stream([String: PDFValue], at: Int)

    var number: Int? { if case .number(let value) = self { value } else { nil } }
    var name: String? { if case .name(let value) = self { value } else { nil } }
    var array: [PDFValue]? { if case .array(let value) = self { value } else { nil } }
    var reference: Int? { if case .reference(let value) = self { value } else { nil } }

    var dictionary: [String: PDFValue]? {
        switch self {
        case .dictionary(let value), .stream(let value, _): value
        default: nil
        }
    }
}

/// Reads one value after the other. `nil` for what is none; nothing is repaired.
struct PDFReader {
    static let depthMax = 32
    /// Of one value: names, numbers, strings and brackets in it.
    static let tokensMax = 200_000
    static let stringBytesMax = 65_536
    static let nameBytesMax = 128

    let bytes: Bytes
    var place: Int
    private var tokensLeft = PDFReader.tokensMax

    init(_ bytes: Bytes, at place: Int = 0) {
        self.bytes = bytes
        self.place = place
    }

    private var byte: UInt8? { place >= 0 && place < bytes.count ? bytes[place] : nil }

    static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0 || byte == 0x09 || byte == 0x0A || byte == 0x0C || byte == 0x0D || byte == 0x20
    }

    private static func isDelimiter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "["),
            UInt8(ascii: "]"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "/"), UInt8(ascii: "%"):
            true
        default: false
        }
    }

    mutating func skipSpace() {
        while let byte {
            if byte == UInt8(ascii: "%") {
                while let byte = self.byte, byte != 0x0A, byte != 0x0D { place += 1 }
            } else if Self.isSpace(byte) {
                place += 1
            } else {
                return
            }
        }
    }

    /// Whether `word` comes next; then it is passed.
    mutating func take(_ word: StaticString) -> Bool {
        skipSpace()
        guard place >= 0, place <= bytes.count, bytes[place...].has(word) else { return false }
        place += word.utf8CodeUnitCount
        return true
    }

    /// A number without sign and fraction.
    mutating func count() -> Int? {
        skipSpace()
        var value = 0
        let start = place
        while let byte, (0x30...0x39).contains(byte) {
            guard place - start < 15 else { return nil }
            value = value * 10 + Int(byte - 0x30)
            place += 1
        }
        return place > start ? value : nil
    }

    mutating func value(depth: Int = 0) -> PDFValue? {
        tokensLeft -= 1
        skipSpace()
        guard depth < Self.depthMax, tokensLeft > 0, let byte else { return nil }
        switch byte {
        case UInt8(ascii: "/"): return takeName().map { .name($0) }
        case UInt8(ascii: "("): return literal().map { .string($0) }
        case UInt8(ascii: "["): return list(depth)
        case UInt8(ascii: "<"):
            return place + 1 < bytes.count && bytes[place + 1] == byte
                ? table(depth) : hexadecimal().map { .string($0) }
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), 0x30...0x39: return numberOrReference()
        default: return word()
        }
    }

    private mutating func word() -> PDFValue? {
        if take("null") { return .null }
        if take("true") { return .bool(true) }
        return take("false") ? .bool(false) : nil
    }

    private mutating func numberOrReference() -> PDFValue? {
        let start = place
        if let number = count() {
            let end = place
            if byte.map({ Self.isSpace($0) }) == true, count() != nil, take("R"), !isInWord {
                return .reference(number)
            }
            place = end
            if byte != UInt8(ascii: ".") { return .number(number) }
        }
        place = start
        return real()
    }

    private var isInWord: Bool { byte.map { !Self.isSpace($0) && !Self.isDelimiter($0) } ?? false }

    private mutating func real() -> PDFValue? {
        let isNegative = byte == UInt8(ascii: "-")
        if isNegative || byte == UInt8(ascii: "+") { place += 1 }
        let whole = byte == UInt8(ascii: ".") ? 0 : count()
        guard let whole else { return nil }
        if byte == UInt8(ascii: ".") {
            place += 1
            while let byte, (0x30...0x39).contains(byte) { place += 1 }
        }
        return .number(isNegative ? -whole : whole)
    }

    private mutating func takeName() -> String? {
        place += 1
        var name: Bytes = []
        while let byte, !Self.isSpace(byte), !Self.isDelimiter(byte) {
            place += 1
            if byte == UInt8(ascii: "#"), let high = digit(place), let low = digit(place + 1) {
                name.append(high << 4 | low)
                place += 2
            } else {
                name.append(byte)
            }
            guard name.count <= Self.nameBytesMax else { return nil }
        }
        return String(decoding: name, as: UTF8.self)
    }

    private func digit(_ place: Int) -> UInt8? {
        guard place < bytes.count else { return nil }
        switch bytes[place] {
        case let byte where (0x30...0x39).contains(byte): return byte - 0x30
        case let byte where (0x41...0x46).contains(byte): return byte - 0x37
        case let byte where (0x61...0x66).contains(byte): return byte - 0x57
        default: return nil
        }
    }

    private mutating func literal() -> Bytes? {
        place += 1
        var text: Bytes = []
        var open = 1
        while let byte {
            place += 1
            switch byte {
            case UInt8(ascii: "("): open += 1
            case UInt8(ascii: ")"): open -= 1
            case UInt8(ascii: "\\"):
                if let escaped = escape() { text.append(escaped) }
                continue
            default: break
            }
            if open == 0 { return text }
            guard text.count < Self.stringBytesMax else { return nil }
            text.append(byte)
        }
        return nil
    }

    /// What stands behind a backslash; `nil` for a line that goes on.
    private mutating func escape() -> UInt8? {
        guard let byte else { return nil }
        place += 1
        switch byte {
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case 0x0D:
            if self.byte == 0x0A { place += 1 }
            return nil
        case 0x0A: return nil
        case 0x30...0x37:
            var value = Int(byte - 0x30)
            for _ in 0..<2 {
                guard let next = self.byte, (0x30...0x37).contains(next) else { break }
                value = value * 8 + Int(next - 0x30)
                place += 1
            }
            return UInt8(truncatingIfNeeded: value)
        default: return byte
        }
    }

    private mutating func hexadecimal() -> Bytes? {
        place += 1
        var text: Bytes = []
        var high: UInt8?
        while let byte {
            if byte == UInt8(ascii: ">") {
                place += 1
                if let high { text.append(high << 4) }
                return text
            }
            if let digit = digit(place) {
                if let first = high {
                    text.append(first << 4 | digit)
                    high = nil
                } else {
                    high = digit
                }
            } else if !Self.isSpace(byte) {
                return nil
            }
            place += 1
            guard text.count <= Self.stringBytesMax else { return nil }
        }
        return nil
    }

    private mutating func list(_ depth: Int) -> PDFValue? {
        place += 1
        var values: [PDFValue] = []
        while !take("]") {
            guard let value = value(depth: depth + 1) else { return nil }
            values.append(value)
        }
        return .array(values)
    }

    private mutating func table(_ depth: Int) -> PDFValue? {
        place += 2
        var values: [String: PDFValue] = [:]
        while !take(">>") {
            skipSpace()
            guard byte == UInt8(ascii: "/"), let name = takeName(), let value = value(depth: depth + 1) else {
                return nil
            }
            values[name] = value
        }
        return .dictionary(values)
    }

    /// `<number> <generation> obj <value>`, with the place of the bytes when it is a stream.
    mutating func object() -> (number: Int, value: PDFValue)? {
        guard let number = count(), count() != nil, take("obj"), let value = value() else { return nil }
        guard case .dictionary(let dictionary) = value, take("stream") else { return (number, value) }
        // One end of line belongs to the word.
        if byte == 0x0D { place += 1 }
        if byte == 0x0A { place += 1 }
        return (number, .stream(dictionary, at: place))
    }
}
