// The repository against its rules.

import Testing

/// One failure for each finding, so that a list of them can be worked off.
private func report(_ findings: [Finding], sourceLocation: SourceLocation = #_sourceLocation) {
    for finding in findings { Issue.record("\(finding)", sourceLocation: sourceLocation) }
}

@Suite struct TidyTests {
    @Test func `the tree is found`() {
        #expect(SourceTree.sources.count > 20)
        #expect(SourceTree.pages.contains { $0.path == "README.md" })
        #expect(SourceTree.tooling.contains { $0.path == "scripts/install" })
    }

    @Test func `imports point down, and never to Foundation`() {
        report(SourceTree.swift.flatMap(Rules.imports))
    }

    @Test func `who imports a library with sockets uses none of its names for them`() {
        report(SourceTree.sources.flatMap(Rules.borrowedNames))
    }

    @Test func `every target has a layer`() {
        for target in Set(SourceTree.sources.map(\.target)) { #expect(Rules.layers[target] != nil, "\(target)") }
    }

    @Test func `targets declare what they import, and nothing else`() throws {
        let manifest = try #require(SourceTree.tooling.first { $0.path == "Package.swift" }).text
        for (target, files) in Dictionary(grouping: SourceTree.swift, by: \.target) {
            let (undeclared, unused) = Manifest.findings(target, files, in: manifest)
            #expect(undeclared.isEmpty, "\(target) imports what Package.swift does not give it")
            #expect(unused.isEmpty, "\(target) does not import what Package.swift gives it")
        }
    }

    @Test func `nothing prints but commands and benchmarks`() { report(SourceTree.sources.flatMap(Rules.prints)) }

    @Test func `nothing in Wire insists`() { report(SourceTree.sources.flatMap(Rules.insistence)) }

    @Test func `generic functions of Base and Wire are inlinable`() {
        let findings = SourceTree.sources.flatMap(Rules.genericPackageFunctions)
        report(findings.filter { finding in !Accepted.generic.contains { finding.isAbout($0) } })
        for accepted in Accepted.generic where !findings.contains(where: { $0.isAbout(accepted) }) {
            Issue.record("\(accepted) is an exception that nothing needs any more")
        }
    }

    @Test func `functions fit a screen, and files have one subject`() { report(SourceTree.swift.flatMap(Rules.size)) }

    @Test func `every source file says what it is for`() { report(SourceTree.sources.flatMap(Rules.opening)) }

    @Test func `no file is empty`() { report(SourceTree.swift.flatMap(Rules.emptiness)) }

    @Test func `no note to self and no machine's path is left`() {
        report((SourceTree.swift + SourceTree.pages + SourceTree.tooling).flatMap(Rules.words))
    }

    @Test func `no test links to the machine's own folders`() {
        report(SourceTree.swift.flatMap(Rules.linksToTheMachine))
    }

    @Test func `what the pages link to and name is there`() {
        report(SourceTree.pages.flatMap { Pages.brokenLinks($0) + Pages.missingFiles($0) })
    }

    @Test func `every page can be reached from the README`() { report(Pages.unreachable(SourceTree.pages)) }

    @Test func `every target is in the architecture page`() throws {
        let page = try #require(SourceTree.pages.first { $0.path == "docs/architecture.md" })
        for target in Set(SourceTree.sources.map(\.target)).union(["CShims"]) {
            #expect(page.text.contains("`\(target)`"), "\(target)")
        }
    }
}

/// Exceptions, each with its reason.
private enum Accepted {
    /// Texts of a few dozen bytes, read or written a few times a request at most: some microseconds in all.
    static let generic = [
        "Sources/Base/CivilTime.swift `init?`", "Sources/Base/CivilTime.swift `appendDecimal`",
        "Sources/Base/Identifier.swift `init?`", "Sources/Base/Identifier.swift `timeOrdered`",
        "Sources/Base/Log.swift `init?`", "Sources/Base/Log.swift `text`", "Sources/Base/Log.swift `count`",
        "Sources/Base/Log.swift `personal`", "Sources/Base/Private.swift `init`",
        "Sources/Base/Private.swift `withExposedBytes`", "Sources/Base/TextEncodings.swift `decode`",
        "Sources/Base/TextEncodings.swift `encode`",
    ]
}

extension Finding {
    /// `file name`, without the line, which moves.
    fileprivate func isAbout(_ accepted: String) -> Bool {
        let parts = accepted.split(separator: " ")
        return path == parts[0] && reason.hasPrefix(parts[1])
    }
}
