// A question to the index: what must be there, and where, in each engine's words.

import Base
import Store

/// Terms that stand one after the other; one word, or a run of a script without spaces.
struct SearchUnit: Sendable, Equatable {
    let terms: [String]
    /// The last term may be the beginning of one.
    let isPrefix: Bool
}

struct SearchRequest: Sendable {
    /// Words of one question: more narrow nothing, and each costs a list to intersect.
    static let unitLimit = 16
    /// Shorter beginnings would match half of everything.
    private static let prefixCharacters = 2

    let units: [SearchUnit]
    /// Terms of `SearchIndex.Scope` that must be there.
    var scope: [String] = []
    /// One of these must be; empty: any.
    var conversations: [ConversationID] = []

    init(units: [SearchUnit]) { self.units = units }

    init(_ terms: SearchQuery.Terms) throws(ChatError) {
        switch terms {
        case .words(let text):
            units = Self.units(of: text)
            guard !units.isEmpty else { throw .invalid(.query, .required, "needs a word or a number") }
            scope = []
        case .tokens(let tokens):
            guard !tokens.isEmpty else { throw .invalid(.searchTokens, .required, "needs a token") }
            guard tokens.allSatisfy({ MessageValidation.tokenBytes.contains($0.count) }) else {
                throw .invalid(.searchTokens, .format, "a token has from 8 to 32 bytes")
            }
            units = tokens.map { SearchUnit(terms: [SearchIndex.term(token: $0)], isPrefix: false) }
            scope = ["sealed"]
        }
        guard units.count <= Self.unitLimit else {
            throw .invalid(.query, .tooLong, "at most \(Self.unitLimit) words")
        }
    }

    /// As somebody types: what stands last, with nothing behind it, may still be going on.
    static func units(of text: String) -> [SearchUnit] {
        let terms = SearchTerms.read(text)
        let isOpen = terms.last?.range.upperBound == text.utf8.count
        var runs: [[SearchTerm]] = []
        for term in terms {
            if term.beginsUnit { runs.append([term]) } else { runs[runs.count - 1].append(term) }
        }
        return runs.enumerated().map { index, run in
            if run.count > 1 {
                // The single character at the end of a run is there for questions of one character.
                return SearchUnit(terms: run.dropLast().map(\.text), isPrefix: false)
            }
            let text = run[0].text
            let isSingle = text.unicodeScalars.count == 1
            let isDense = isSingle && SearchTerms.isDense(text)
            let isLast = isOpen && index == runs.count - 1
            let isLong = text.unicodeScalars.count >= prefixCharacters
            return SearchUnit(terms: [text], isPrefix: isDense || isLast && isLong)
        }
    }

    /// The last word may be going on. A single character of a script without spaces is a beginning in any case.
    var hasOpenWord: Bool { units.last.map { $0.isPrefix && !$0.terms.allSatisfy(SearchTerms.isDense) } ?? false }

    /// The same with the last word at its end.
    var whole: SearchRequest {
        guard let last = units.last, hasOpenWord else { return self }
        var request = SearchRequest(units: units.dropLast() + [SearchUnit(terms: last.terms, isPrefix: false)])
        (request.scope, request.conversations) = (scope, conversations)
        return request
    }

    // MARK: In the engines' words

    func match(_ engine: DatabaseHealth.Engine) -> String {
        switch engine {
        case .sqlite: sqlite
        case .postgresql: postgreSQL
        }
    }

    private var sqlite: String {
        var scopes = scope
        if !conversations.isEmpty {
            scopes.append("(" + conversations.map(SearchIndex.term).joined(separator: " OR ") + ")")
        }
        let words = units.map { unit in
            "\"" + unit.terms.joined(separator: " ") + "\"" + (unit.isPrefix ? " *" : "")
        }
        let terms = "terms : (" + words.joined(separator: " AND ") + ")"
        return scopes.isEmpty ? terms : "scope : (" + scopes.joined(separator: " AND ") + ") AND " + terms
    }

    private var postgreSQL: String {
        var parts = scope.map { "'#\($0)'" }
        if !conversations.isEmpty {
            parts.append("(" + conversations.map { "'#\(SearchIndex.term($0))'" }.joined(separator: " | ") + ")")
        }
        for unit in units {
            let terms = unit.terms.map { "'\($0)'" }.joined(separator: " <-> ")
            parts.append("(" + terms + (unit.isPrefix ? ":*" : "") + ")")
        }
        return parts.joined(separator: " & ")
    }
}
