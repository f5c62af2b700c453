// Text as the index has it: words in lower case; scripts that write no spaces as pairs of characters.
//
// One reading for both engines, so that they find the same: what goes into them is a list of terms that neither
// engine's own parser can take apart any further (letters and digits, nothing else). docs/chat/search.md.

import Base

struct SearchTerm: Sendable, Equatable {
    let text: String
    /// Where it stands in what was read, in UTF-8.
    let range: Range<Int>
    /// The first of a run without spaces, or a word by itself.
    let beginsUnit: Bool
}

enum SearchTerms {
    /// Characters of a word that count; a longer one is found by its beginning.
    private static let longestWord = 64
    /// Terms of one text. PostgreSQL keeps no position beyond 16,383.
    private static let limit = 16_000

    private enum Kind { case word, dense, space }

    static func read(_ text: String) -> [SearchTerm] {
        text.utf8.allSatisfy { $0 < 0x80 } ? readASCII(text) : readUnicode(text)
    }

    /// The same for the commonest text, byte by byte: a letter is one byte, and nothing is dense.
    private static func readASCII(_ text: String) -> [SearchTerm] {
        var terms: [SearchTerm] = []
        var word = Bytes()
        var start = 0
        var position = 0
        func finish() {
            guard position > start else { return }
            let text = String(decoding: word, as: UTF8.self)
            terms.append(SearchTerm(text: text, range: start..<position, beginsUnit: true))
            word.removeAll(keepingCapacity: true)
        }
        for byte in text.utf8 {
            if isASCIIWord(UInt32(byte)) {
                if word.count < longestWord { word.append(lowered(byte)) }
            } else {
                finish()
                if terms.count == limit { return terms }
                start = position + 1
            }
            position += 1
        }
        finish()
        return terms
    }

    /// Any text.
    static func readUnicode(_ text: String) -> [SearchTerm] {
        var terms: [SearchTerm] = []
        var run: [(scalar: Unicode.Scalar, start: Int, end: Int)] = []
        var kind = Kind.space
        var position = 0
        for scalar in text.unicodeScalars {
            let folded = widthFolded(scalar)
            let end = position + UTF8.width(scalar)
            let next = self.kind(of: folded, after: kind)
            if next != kind, kind != .space {
                append(run, kind, to: &terms)
                run.removeAll(keepingCapacity: true)
            }
            if next != .space { run.append((folded, position, end)) }
            kind = next
            position = end
            if terms.count >= limit { return Array(terms.prefix(limit)) }
        }
        if kind != .space { append(run, kind, to: &terms) }
        return Array(terms.prefix(limit))
    }

    private static func append(
        _ run: [(scalar: Unicode.Scalar, start: Int, end: Int)], _ kind: Kind, to terms: inout [SearchTerm]
    ) {
        guard let first = run.first, let last = run.last else { return }
        if kind == .word {
            var word = String.UnicodeScalarView()
            for part in run.prefix(longestWord) { lower(part.scalar, into: &word) }
            terms.append(SearchTerm(text: String(word), range: first.start..<last.end, beginsUnit: true))
            return
        }
        for index in run.indices {
            var pair = String.UnicodeScalarView([run[index].scalar])
            let following = index + 1 < run.count ? run[index + 1] : nil
            if let following { pair.append(following.scalar) }
            let end = following?.end ?? run[index].end
            terms.append(
                SearchTerm(text: String(pair), range: run[index].start..<end, beginsUnit: index == 0))
        }
    }

    private static func lower(_ scalar: Unicode.Scalar, into word: inout String.UnicodeScalarView) {
        if scalar.isASCII {
            word.append(Unicode.Scalar(lowered(UInt8(truncatingIfNeeded: scalar.value))))
            return
        }
        word.append(contentsOf: scalar.properties.lowercaseMapping.unicodeScalars)
    }

    private static func lowered(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    private static func isASCIIWord(_ value: UInt32) -> Bool {
        (0x30...0x39).contains(value) || (0x41...0x5A).contains(value) || (0x61...0x7A).contains(value)
    }

    /// Full-width letters and digits are those of ASCII, written wider.
    private static func widthFolded(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        guard (0xFF01...0xFF5E).contains(scalar.value) else { return scalar }
        return Unicode.Scalar(UInt8(truncatingIfNeeded: scalar.value &- 0xFEE0))
    }

    private static func kind(of scalar: Unicode.Scalar, after kind: Kind) -> Kind {
        let value = scalar.value
        if value < 0x80 {
            return isASCIIWord(value) ? .word : .space
        }
        if isDense(value) { return .dense }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
            .letterNumber:
            return .word
        case .nonspacingMark, .spacingMark:
            // Belongs to the letter before it.
            return kind
        default:
            return .space
        }
    }

    static func isDense(_ text: String) -> Bool { text.unicodeScalars.allSatisfy { isDense($0.value) } }

    /// Han, Kana, Hangul and Bopomofo.
    private static func isDense(_ value: UInt32) -> Bool {
        switch value {
        case 0x1100...0x11FF, 0x3005...0x3007, 0x3040...0x30FF, 0x3105...0x312F, 0x31F0...0x31FF, 0x3400...0x4DBF,
            0x4E00...0x9FFF, 0xAC00...0xD7AF, 0xF900...0xFAFF, 0xFF66...0xFF9F, 0x20000...0x323AF:
            true
        default: false
        }
    }
}
