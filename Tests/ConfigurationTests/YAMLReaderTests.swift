import Base
import Testing

@testable import Configuration

@Suite struct YAMLReaderTests {
    private func parse(_ text: String, _ limits: YAMLLimits = YAMLLimits()) throws(YAMLError) -> YAMLNode? {
        try YAML.parse(Bytes(text.utf8), limits: limits)
    }

    private func failure(_ text: String, _ limits: YAMLLimits = YAMLLimits()) -> YAMLError? {
        do throws(YAMLError) {
            _ = try parse(text, limits)
            return nil
        } catch {
            return error
        }
    }

    @Test func `maps, lists and scalars keep their order and lines`() throws {
        let root = try #require(try parse("b: 1\na:\n  - x\n  - 'y z'\n"))
        guard case .map(let entries) = root.content else { throw YAMLError(line: root.line, reason: "no map") }
        #expect(entries.map(\.key) == ["b", "a"])
        #expect(entries.map(\.line) == [1, 2])
        guard case .list(let items) = entries[1].value.content else { throw YAMLError(line: 2, reason: "no list") }
        #expect(items.map(\.line) == [3, 4])
        guard case .scalar("y z") = items[1].content else { throw YAMLError(line: 4, reason: "no text") }
    }

    @Test(arguments: ["", "# only a comment\n", "\u{FEFF}", "---\n", "~"])
    func `a file without content is nothing`(_ text: String) throws {
        let root = try parse(text)
        if let root { guard case .null = root.content else { throw YAMLError(line: 1, reason: "not null") } }
    }

    @Test func `a quoted null is text`() throws {
        let root = try #require(try parse("\"null\""))
        guard case .scalar("null") = root.content else { throw YAMLError(line: 1, reason: "not text") }
    }

    @Test(arguments: [
        ("a: &x 1\nb: *x\n", 1, "anchors (&name) are not allowed"),
        ("a: [&x 1]\n", 1, "anchors (&name) are not allowed"),
        ("a: 1\nb: *x\n", 2, "aliases (*name) are not allowed"),
        ("a: !!binary aGk=\n", 1, "tags (!name) are not allowed"),
        ("a: !thing {}\n", 1, "tags (!name) are not allowed"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key `a` is there twice"),
        ("? [x]\n: 1\n", 1, "a key should be plain text"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins; there should be one only"),
    ])
    func `what a configuration does not need is refused with its line`(_ text: String, _ line: Int, _ reason: String) {
        #expect(failure(text) == YAMLError(line: line, reason: reason))
    }

    @Test(arguments: ["a: [1", "a: 'x", "\ta: 1", "a: b: c", "{", "- a\nb", "%YAML 9\n--- a", "a: \u{1}"])
    func `broken syntax is refused`(_ text: String) {
        #expect(failure(text) != nil)
    }

    @Test func `bytes that are not UTF-8 are refused with their line`() {
        let error = #expect(throws: YAMLError.self) {
            try YAML.parse(Bytes("a: 1\nb: ".utf8) + [0xFF, 0xFE, 0x0A])
        }
        #expect(error?.line == 2)
    }

    @Test func `depth, count and size are bounded`() {
        var limits = YAMLLimits()
        limits.depth = 2
        #expect(failure("[[1]]", limits) == nil)
        #expect(failure("[[[1]]]", limits)?.reason == "nested deeper than 2")
        limits.nodes = 4
        #expect(failure("[1, 2, 3]", limits) == nil)
        #expect(failure("[1, 2, 3, 4]", limits)?.reason == "more than 4 values")
        limits.bytes = 4
        #expect(failure("a: 12", limits)?.reason == "the file is larger than 4")
    }

    @Test func `a megabyte of opening brackets is refused at once`() {
        #expect(failure(String(repeating: "[", count: 1 << 20)) != nil)
        #expect(failure(String(repeating: "{a: ", count: 1 << 18)) != nil)
        #expect(failure(String(repeating: "- ", count: 1 << 19)) != nil)
    }
}
