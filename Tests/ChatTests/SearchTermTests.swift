// How text is read for the index, and how a question is.

@testable import Chat
import Store
import Testing

@Suite struct SearchTermTests {
    private func terms(_ text: String) -> [String] { SearchTerms.read(text).map(\.text) }

    @Test func `words are letters and digits, in lower case`() {
        #expect(terms("The QUICK, brown-fox 42!") == ["the", "quick", "brown", "fox", "42"])
        #expect(terms("don't_stop") == ["don", "t", "stop"])
        #expect(terms("ÄRGER Straße Ελλάς") == ["ärger", "straße", "ελλάς"])
        #expect(terms("e\u{301}tude ＡＢ") == ["e\u{301}tude", "ab"])
        #expect(terms("") == [] && terms(" …\u{0}\n") == [])
    }

    @Test func `scripts without spaces become pairs, and their last character`() {
        #expect(terms("北京大学") == ["北京", "京大", "大学", "学"])
        #expect(terms("a北b") == ["a", "北", "b"])
        #expect(terms("タワー") == ["タワ", "ワー", "ー"])
    }

    @Test func `places are those of the text`() {
        let text = "Über 北京!"
        for term in SearchTerms.read(text) where term.text == "über" { #expect(term.range == 0..<5) }
        #expect(SearchTerms.read(text).map(\.range) == [0..<5, 6..<12, 9..<12])
        #expect(SearchTerms.read(text).map(\.beginsUnit) == [true, true, false])
    }

    @Test func `a long word is found by its beginning, and a text has an end`() {
        #expect(terms(String(repeating: "x", count: 500)) == [String(repeating: "x", count: 64)])
        #expect(terms(String(repeating: "x ", count: 20_000)).count == 16_000)
    }

    @Test func `text without accents is read as any other`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0...200, using: &generator)).map { _ in
                UInt8.random(in: 0..<0x80, using: &generator)
            }
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(SearchTerms.read(text) == SearchTerms.readUnicode(text), "\(bytes)")
        }
        for text in [String(repeating: "Ab9", count: 40), String(repeating: "x ", count: 20_000), "a", " a", "a "] {
            #expect(SearchTerms.read(text) == SearchTerms.readUnicode(text))
        }
    }

    @Test func `the last word of a question may be going on`() {
        #expect(
            SearchRequest.units(of: "two wor") == [
                SearchUnit(terms: ["two"], isPrefix: false), SearchUnit(terms: ["wor"], isPrefix: true),
            ])
        #expect(SearchRequest.units(of: "wor ") == [SearchUnit(terms: ["wor"], isPrefix: false)])
        #expect(SearchRequest.units(of: "w") == [SearchUnit(terms: ["w"], isPrefix: false)])
        #expect(SearchRequest.units(of: "京") == [SearchUnit(terms: ["京"], isPrefix: true)])
        #expect(
            SearchRequest.units(of: "京都 x") == [
                SearchUnit(terms: ["京都"], isPrefix: false), SearchUnit(terms: ["x"], isPrefix: false),
            ])
    }

    @Test func `nothing of a question becomes a word of the engine`() throws {
        let request = try SearchRequest(.words("a\"b OR c* NEAR(x) 'q' & |!:()"))
        #expect(
            request.match(.sqlite) == "terms : (\"a\" AND \"b\" AND \"or\" AND \"c\" AND \"near\" AND \"x\" AND \"q\")")
        #expect(
            request.match(.postgresql) == "('a') & ('b') & ('or') & ('c') & ('near') & ('x') & ('q')")
    }
}
