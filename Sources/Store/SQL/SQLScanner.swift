// Cuts SQL into words, quoted pieces, placeholders and the rest: enough to replace some of them without touching
// what stands in quotes or comments.

struct SQLScanner {
    enum Piece: Equatable {
        /// A keyword or an unquoted name, number included.
        case word(Substring)
        case placeholder
        /// Anything else, verbatim: quotes with their content, comments, white space, punctuation.
        case other(Substring)
    }

    private var rest: Substring

    init(_ sql: String) { rest = sql[...] }

    mutating func next() -> Piece? {
        guard let first = rest.utf8.first else { return nil }
        switch first {
        case UInt8(ascii: "'"), UInt8(ascii: "\""): return .other(takeQuoted(first))
        case UInt8(ascii: "?"):
            rest = rest.dropFirst()
            return .placeholder
        case UInt8(ascii: "-") where rest.hasPrefix("--"): return .other(take { $0 != UInt8(ascii: "\n") })
        case UInt8(ascii: "/") where rest.hasPrefix("/*"): return .other(takeComment())
        case _ where Self.isWord(first): return .word(take(Self.isWord))
        default: return .other(takeFirst(1))
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...: true
        default: false
        }
    }

    private mutating func takeFirst(_ count: Int) -> Substring {
        let end = rest.utf8.index(rest.startIndex, offsetBy: count, limitedBy: rest.endIndex) ?? rest.endIndex
        defer { rest = rest[end...] }
        return rest[..<end]
    }

    private mutating func take(_ belongs: (UInt8) -> Bool) -> Substring {
        let end = rest.utf8.firstIndex { !belongs($0) } ?? rest.endIndex
        defer { rest = rest[end...] }
        return rest[..<end]
    }

    /// A doubled quote inside reads as two quoted pieces side by side, which comes to the same.
    private mutating func takeQuoted(_ quote: UInt8) -> Substring {
        let end = rest.utf8.dropFirst().firstIndex(of: quote).map { rest.utf8.index(after: $0) } ?? rest.endIndex
        defer { rest = rest[end...] }
        return rest[..<end]
    }

    private mutating func takeComment() -> Substring {
        let end = rest.firstRange(of: "*/")?.upperBound ?? rest.endIndex
        defer { rest = rest[end...] }
        return rest[..<end]
    }
}
