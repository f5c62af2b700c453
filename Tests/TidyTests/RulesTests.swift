// The rules themselves: each finds what it should, and lets pass what it should.

import Testing

@Suite struct RulesTests {
    private func file(_ path: String, _ text: String) -> SourceFile { SourceFile(path: path, text: text) }

    @Test func `comments and strings are not code, interpolations are`() {
        let text = """
            let a = "x // y" // print(1)
            /* print(2)
            */ let b = #"a"b"#
            let c = "\\(f("print(3)") + g(d!))"
            """
        #expect(SwiftCode.lines(of: text) == ["let a = \"\" ", "", " let b = \"\"", "let c = \"(f(\"\") + g(d!))\""])
        #expect(SwiftCode.lines(of: "let a = \"\"\"\n  x \"y\" z\n  \"\"\"\nb") == ["let a = \"", "", "\"", "b"])
    }

    @Test(arguments: [
        ("Sources/Wire/A.swift", "import Base", 0), ("Sources/Wire/A.swift", "package import Base", 0),
        ("Sources/Base/A.swift", "import Wire", 1), ("Sources/Wire/A.swift", "import Crypto", 1),
        ("Sources/Net/A.swift", "import Store", 1), ("Sources/API/A.swift", "import Foundation", 1),
        ("Sources/API/A.swift", "import FoundationEssentials", 1), ("Sources/API/A.swift", "import COpenSSL", 1),
        ("Sources/Crypto/A.swift", "import COpenSSL", 0), ("Sources/API/A.swift", "import struct Net.Shard", 0),
        ("Sources/API/A.swift", "import Testing", 1), ("Tests/APITests/A.swift", "@testable import API", 0),
        ("Tests/APITests/A.swift", "import XCTest", 1), ("Sources/Wire/A.swift", "// import Foundation", 0),
    ])
    func `imports follow the layers`(_ path: String, _ text: String, _ count: Int) {
        #expect(Rules.imports(file(path, text)).count == count)
    }

    @Test func `a target's dependencies are read, over lines, too`() {
        let manifest = #"library("A", ["B", "C"]), tests(\n "D",\n [\n"A",\n"E",\n]\n), system("F")"#
            .replacing("\\n", with: "\n")
        #expect(Manifest.dependencies(of: "A", in: manifest) == ["B", "C"])
        #expect(Manifest.dependencies(of: "D", in: manifest) == ["A", "E"])
        #expect(Manifest.dependencies(of: "F", in: manifest) == nil)
        let base = #"library("Wire", ["Base", "Crypto"])"#
        let found = Manifest.findings("Wire", [file("Sources/Wire/A.swift", "import Base\nimport CZlib")], in: base)
        #expect(found.undeclared == ["CZlib"] && found.unused == ["Crypto"])
    }

    @Test(arguments: [
        ("print(1)", 1), ("  Swift.print(1)", 0), ("x.print(1)", 0), ("func print(_ a: Int) {}", 0), ("sprint(1)", 0),
        ("a; debugPrint(b)", 1), ("\"print(1)\"", 0), ("\"\\(print(1))\"", 1),
    ])
    func `printing is found`(_ text: String, _ count: Int) {
        #expect(Rules.prints(file("Sources/Net/A.swift", text)).count == count)
    }

    @Test(arguments: [
        ("a!", 1), ("try! b()", 1), ("c as! D", 1), ("e[0]!.f", 1), ("g()!", 1), ("h != i", 0), ("j!=k", 0), ("!l", 0),
        ("if m, !n {", 0), ("// o!", 0), ("\"p!\"", 0),
    ])
    func `insisting is found`(_ text: String, _ count: Int) {
        #expect(Rules.insistence(file("Sources/Wire/A.swift", text)).count == count)
        #expect(Rules.insistence(file("Sources/Net/A.swift", text)).isEmpty)
    }

    @Test(arguments: [
        ("package func a<T>(_ b: T) {}", 1), ("package static func a(_ b: some Sequence) {}", 1),
        ("package init(_ b: some Sequence) {}", 1), ("@inlinable package func a<T>(_ b: T) {}", 0),
        ("@inlinable\npackage func a<T>(_ b: T) {}", 0), ("package func a(\n  _ b: some B\n) {}", 1),
        ("package func a(_ b: [Int]) {}", 0), ("func a<T>(_ b: T) {}", 0), ("public func a<T>(_ b: T) {}", 0),
        ("package func a() { let some = 1 }", 0),
    ])
    func `generic functions are found`(_ text: String, _ count: Int) {
        #expect(Rules.genericPackageFunctions(file("Sources/Base/A.swift", text)).count == count)
        #expect(Rules.genericPackageFunctions(file("Sources/Net/A.swift", text)).isEmpty)
    }

    @Test func `long functions and long files are found`() {
        func function(_ lines: Int) -> String {
            "struct A {\n    func a() {\n" + String(repeating: "        b()\n", count: lines - 2) + "    }\n}\n"
        }
        #expect(Rules.size(file("a.swift", function(Rules.functionLinesMax))).isEmpty)
        #expect(Rules.size(file("a.swift", function(Rules.functionLinesMax + 1))).map(\.line) == [2])
        let oneLine = "func a() {}\n" + String(repeating: "b\n", count: 80) + "}\n"
        #expect(Rules.size(file("a.swift", oneLine)).isEmpty)
        #expect(Rules.size(file("a.swift", String(repeating: "\n", count: Rules.fileLinesMax))).count == 1)
        #expect(Rules.size(file("a.swift", String(repeating: "\n", count: Rules.fileLinesMax - 1))).isEmpty)
    }

    @Test func `empty files and silent ones are found`() {
        #expect(Rules.emptiness(file("Tests/ATests/Placeholder.swift", "import Testing\n")).count == 1)
        #expect(Rules.emptiness(file("Sources/A/A.swift", "// A page.\n")).isEmpty)
        #expect(Rules.opening(file("Sources/A/A.swift", "import Base\n")).count == 1)
    }

    @Test func `forbidden words are found`() {
        for word in Rules.forbiddenWords { #expect(Rules.words(file("a", "b\n// \(word) c")).map(\.line) == [2]) }
    }

    @Test(arguments: [("Tests/A/A.swift", "/etc", 1), ("Tests/A/A.swift", "a", 0), ("Sources/Net/A.swift", "/a", 0)])
    func `links to the machine are found`(_ path: String, _ target: String, _ count: Int) {
        #expect(Rules.linksToTheMachine(file(path, "symlink(" + "\"\(target)\", b)")).count == count)
    }

    @Test func `names of sockets that a library's module has too are found`() {
        let use = "let type = SOCK_STREAM"
        #expect(Rules.borrowedNames(file("Sources/Net/A.swift", "import CCurl\nimport Glibc\n\(use)")).count == 1)
        #expect(Rules.borrowedNames(file("Sources/Net/A.swift", "import Glibc\n\(use)")).isEmpty)
        #expect(Rules.borrowedNames(file("Sources/Net/A.swift", "import CCurl\ncase AF_INET: MY_SOCK_X")).isEmpty)
    }

    @Test func `links and names of files are followed`() {
        let page = file(
            "docs/a.md", "[x](../README.md#top) [y](none.md) [z](https://a/b.md) `Sources/None/A.swift` `None.swift`")
        #expect(Pages.brokenLinks(page).count == 1)
        #expect(Pages.missingFiles(page).count == 2)
        #expect(
            Pages.missingFiles(file("docs/a.md", "`TidyTests.swift` `scripts/install` `a b.swift` `data/x`")).isEmpty)
    }

    @Test func `a page without a link to it is found`() {
        let pages = [
            file("README.md", "[a](docs/a.md) [d](docs/d/)"), file("docs/a.md", "[b](b.md)"), file("docs/b.md", ""),
            file("docs/c.md", ""), file("docs/d/e.md", ""),
        ]
        #expect(Pages.unreachable(pages).map(\.path) == ["docs/c.md"])
    }
}
