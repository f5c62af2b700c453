// Swift without its comments and the inside of its strings, so that rules look at code only.

struct SwiftCode {
    private var rest: Substring.UTF8View
    private var code: [UInt8] = []

    /// Lines with the same numbers as in `text`.
    static func lines(of text: String) -> [String] {
        var reader = SwiftCode(rest: text[...].utf8)
        reader.readCode(untilParenthesis: false)
        return String(decoding: reader.code, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
    }

    private init(rest: Substring.UTF8View) { self.rest = rest }

    /// Within an interpolation, up to the parenthesis that closes it.
    private mutating func readCode(untilParenthesis: Bool) {
        var depth = 0
        while let byte = rest.first {
            if rest.starts(with: "//".utf8) {
                skip { $0 != UInt8(ascii: "\n") }
            } else if rest.starts(with: "/*".utf8) {
                skipBlockComment()
            } else if byte == UInt8(ascii: "\"") || (byte == UInt8(ascii: "#") && startsRawString()) {
                readString()
            } else {
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") {
                    if untilParenthesis, depth == 0 { return }
                    depth -= 1
                }
                code.append(byte)
                rest.removeFirst()
            }
        }
    }

    private mutating func skip(while condition: (UInt8) -> Bool) {
        while let byte = rest.first, condition(byte) { rest.removeFirst() }
    }

    private mutating func skipBlockComment() {
        while !rest.isEmpty, !rest.starts(with: "*/".utf8) { dropByte() }
        rest = rest.dropFirst(2)
    }

    /// Keeps line breaks, so that the numbers of lines stay right.
    private mutating func dropByte() {
        if rest.first == UInt8(ascii: "\n") { code.append(UInt8(ascii: "\n")) }
        rest.removeFirst()
    }

    private func startsRawString() -> Bool {
        rest.drop { $0 == UInt8(ascii: "#") }.first == UInt8(ascii: "\"")
    }

    private mutating func readString() {
        let hashes = rest.prefix { $0 == UInt8(ascii: "#") }.count
        rest = rest.dropFirst(hashes)
        let quotes = rest.starts(with: "\"\"\"".utf8) ? 3 : 1
        rest = rest.dropFirst(quotes)
        let end = [UInt8](repeating: UInt8(ascii: "\""), count: quotes) + hashMarks(hashes)
        let escape = [UInt8(ascii: "\\")] + hashMarks(hashes)
        code += Array("\"".utf8)
        while !rest.isEmpty, !rest.starts(with: end) {
            if rest.starts(with: escape) { readEscape(escape.count) } else { dropByte() }
        }
        rest = rest.dropFirst(end.count)
        code += Array("\"".utf8)
    }

    private func hashMarks(_ count: Int) -> [UInt8] { [UInt8](repeating: UInt8(ascii: "#"), count: count) }

    private mutating func readEscape(_ length: Int) {
        rest = rest.dropFirst(length)
        guard rest.first == UInt8(ascii: "(") else {
            if !rest.isEmpty { dropByte() }
            return
        }
        rest.removeFirst()
        code += Array("(".utf8)
        readCode(untilParenthesis: true)
        code += Array(")".utf8)
        rest = rest.dropFirst()
    }
}
