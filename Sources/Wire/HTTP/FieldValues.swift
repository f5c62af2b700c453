// The words that most header fields are made of (RFC 9110 §5.6): lists, tokens, quoted strings and parameters.

import Base

/// Reads a field value from left to right. Nothing is skipped without being asked for.
struct FieldScanner {
    let bytes: Bytes
    private(set) var index = 0

    init(_ text: String) { bytes = Bytes(text.utf8) }

    var isAtEnd: Bool { index >= bytes.count }
    var peek: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func skipBlanks() {
        while let byte = peek, isBlank(byte) { index += 1 }
    }

    mutating func take(_ byte: UInt8) -> Bool {
        guard peek == byte else { return false }
        index += 1
        return true
    }

    /// The bytes up to the first that is not in `set`.
    mutating func take(_ set: ByteSet) -> ArraySlice<UInt8> {
        take { set.contains($0) }
    }

    mutating func take(while isWanted: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        let start = index
        while let byte = peek, isWanted(byte) { index += 1 }
        return bytes[start..<index]
    }

    /// At least one character.
    mutating func token() -> String? {
        let word = take(.token)
        return word.isEmpty ? nil : String(decoding: word, as: UTF8.self)
    }

    /// A token in lower case, as names and codings are compared.
    mutating func lowercasedToken() -> String? {
        let word = take(.token)
        return word.isEmpty ? nil : String(decoding: word.map(lowercased), as: UTF8.self)
    }

    /// `"…"` without the quotes. With `onlyQuoteEscapes`, a backslash before anything but `"` and `\` stands for
    /// itself, as in the file names that old browsers send.
    mutating func quotedString(onlyQuoteEscapes: Bool = false) -> String? {
        guard take(0x22) else { return nil }
        var text = Bytes()
        while let byte = peek {
            index += 1
            if byte == 0x22 { return String(validating: text, as: UTF8.self) }
            if byte == 0x5C, let next = peek, !onlyQuoteEscapes || next == 0x22 || next == 0x5C {
                index += 1
                text.append(next)
            } else {
                text.append(byte)
            }
        }
        return nil
    }

    mutating func tokenOrQuotedString() -> String? { peek == 0x22 ? quotedString() : token() }
}

/// `;name=value` pairs. Names are in lower case and occur once.
struct FieldParameters: Sendable, Equatable {
    struct Pair: Sendable, Equatable {
        let name: String
        let value: String
    }

    /// No field that we read has more than four.
    private static let maximumCount = 16

    private(set) var pairs: [Pair] = []

    /// `nil` when the rest of the text is not parameters up to its end.
    init?(_ scanner: inout FieldScanner, onlyQuoteEscapes: Bool = false) {
        scanner.skipBlanks()
        while scanner.take(0x3B) {
            scanner.skipBlanks()
            // An empty parameter, as in `text/html; `.
            if scanner.isAtEnd || scanner.peek == 0x3B { continue }
            guard let name = scanner.lowercasedToken(), scanner.take(0x3D),
                let value = scanner.peek == 0x22
                    ? scanner.quotedString(onlyQuoteEscapes: onlyQuoteEscapes) : scanner.token(),
                self[name] == nil, pairs.count < Self.maximumCount
            else { return nil }
            pairs.append(Pair(name: name, value: value))
            scanner.skipBlanks()
        }
        guard scanner.isAtEnd else { return nil }
    }

    subscript(_ name: String) -> String? { pairs.first { $0.name == name }?.value }
}

/// `text` as a token where it is one, else between quotes.
func tokenOrQuoted(_ text: String) -> String {
    if !text.isEmpty, text.utf8.allSatisfy(ByteSet.token.contains) { return text }
    var quoted = "\""
    for scalar in text.unicodeScalars {
        if scalar == "\"" || scalar == "\\" { quoted.unicodeScalars.append("\\") }
        quoted.unicodeScalars.append(scalar)
    }
    return quoted + "\""
}

extension RequestHeaders {
    /// All values of a field that is a list, as one list (RFC 9110 §5.3).
    package func list(of name: StaticString) -> String? {
        let all = values(of: name)
        return all.count > 1 ? all.joined(separator: ", ") : all.first
    }
}

extension String {
    init?(validating bytes: Bytes) { self.init(validating: bytes, as: UTF8.self) }
}
