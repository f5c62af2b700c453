// How well a message answers a question, and where in it. The same on both engines: they find, this ranks.
//
// A unit of the question counts for 0 to 1: it saturates with repetition and is worth more in a short text, as in BM25.
// All that is ranked has every unit, so rarity would only multiply all of them by the same; it is left out. Of two that
// say it alike, the newer is worth a little more.

import Base

struct SearchRanking: Sendable {
    /// How fast repetition stops to count, and how much the length does: the usual values of BM25.
    private static let saturation = 1.2
    private static let lengthShare = 0.75
    /// Words of a usual message.
    private static let usualLength = 20.0
    /// A beginning of a word is worth less than the word.
    private static let prefixWeight = 0.7
    private static let recencyShare = 0.1
    private static let contextCharacters = 60
    private static let matchedTermLimit = 20

    struct Match: Sendable {
        let score: Double
        let terms: [String]
        let context: SearchContext?
    }

    let units: [SearchUnit]

    /// `recency` from 1, the newest, to 0.
    func match(_ body: MessageBody, recency: Double) -> Match {
        guard case .plain(let text) = body else { return Match(score: score(1, recency), terms: [], context: nil) }
        let terms = SearchTerms.read(text)
        var total = 0.0
        var ranges: [Range<Int>] = []
        for unit in units {
            let (weight, found) = occurrences(of: unit, in: terms)
            let length = 1 - Self.lengthShare + Self.lengthShare * Double(terms.count) / Self.usualLength
            total += weight / (weight + Self.saturation * length)
            ranges += found
        }
        let relevance = units.isEmpty ? 0 : total / Double(units.count)
        return Match(
            score: score(relevance, recency), terms: Self.distinct(ranges, in: text),
            context: Self.context(ranges, in: text))
    }

    private func score(_ relevance: Double, _ recency: Double) -> Double {
        relevance * (1 - Self.recencyShare + Self.recencyShare * recency)
    }

    private func occurrences(of unit: SearchUnit, in terms: [SearchTerm]) -> (Double, [Range<Int>]) {
        guard let last = unit.terms.last, terms.count >= unit.terms.count else { return (0, []) }
        var weight = 0.0
        var ranges: [Range<Int>] = []
        for start in 0...(terms.count - unit.terms.count) {
            let end = start + unit.terms.count - 1
            let isHere = unit.terms.indices.dropLast().allSatisfy { terms[start + $0].text == unit.terms[$0] }
            guard isHere else { continue }
            let isWhole = terms[end].text == last
            guard isWhole || unit.isPrefix && terms[end].text.hasPrefix(last) else { continue }
            weight += isWhole ? 1 : Self.prefixWeight
            ranges.append(terms[start].range.lowerBound..<terms[end].range.upperBound)
        }
        return (weight, ranges)
    }

    // MARK: Where

    private static func slice(_ range: Range<Int>, of text: String) -> Substring {
        let start = text.utf8.index(text.startIndex, offsetBy: range.lowerBound)
        return text[start..<text.utf8.index(start, offsetBy: range.count)]
    }

    /// As they stand in the text, each once, in its order.
    private static func distinct(_ ranges: [Range<Int>], in text: String) -> [String] {
        var seen: Set<String> = []
        var terms: [String] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            let term = String(slice(range, of: text))
            if seen.insert(term.lowercased()).inserted { terms.append(term) }
        }
        return Array(terms.prefix(matchedTermLimit))
    }

    private static func context(_ ranges: [Range<Int>], in text: String) -> SearchContext? {
        guard let first = ranges.min(by: { $0.lowerBound < $1.lowerBound }) else { return nil }
        let match = slice(first, of: text)
        return SearchContext(
            before: String(text[..<match.startIndex].suffix(contextCharacters)), match: String(match),
            after: String(text[match.endIndex...].prefix(contextCharacters)))
    }
}
