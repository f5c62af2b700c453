// What the pages of documentation name, and whether it is there.

enum Pages {
    private static let extensions = [".swift", ".md", ".c", ".h", ".txt", ".service", ".socket", ".tsv", ".yaml"]
    private static let folders = ["Sources/", "Tests/", "docs/", "scripts/", "deploy/", ".ci/"]

    /// `](target)`, without the part after `#`; links to other sites are left out.
    static func links(_ page: SourceFile) -> [(target: String, line: Int)] {
        page.lines.enumerated().flatMap { index, line in
            line.split(separator: "](", omittingEmptySubsequences: false).dropFirst().compactMap { rest in
                let target = String(rest.prefix { $0 != ")" && $0 != "#" })
                return target.isEmpty || target.contains("://") ? nil : (target, index + 1)
            }
        }
    }

    static func brokenLinks(_ page: SourceFile) -> [Finding] {
        links(page).compactMap { link in
            SourceTree.exists(resolve(link.target, from: page.path))
                ? nil : Finding(path: page.path, line: link.line, reason: "links to \(link.target), which is not there")
        }
    }

    /// A path relative to a page, as one from the root.
    static func resolve(_ target: String, from page: String) -> String {
        var parts = page.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(String(part))
            }
        }
        return parts.joined(separator: "/")
    }

    /// Code spans that name a file: by path, or a Swift file by its name alone.
    static func missingFiles(_ page: SourceFile) -> [Finding] {
        var isInBlock = false
        var findings: [Finding] = []
        for (index, line) in page.lines.enumerated() {
            if line.hasPrefix("```") { isInBlock.toggle() }
            if isInBlock { continue }
            for span in spans(line) where namesAFile(span) && !isThere(span, from: page.path) {
                findings.append(
                    Finding(path: page.path, line: index + 1, reason: "names `\(span)`, which is not there"))
            }
        }
        return findings
    }

    private static func spans(_ line: String) -> [String] {
        line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }

    private static func namesAFile(_ span: String) -> Bool {
        guard span.allSatisfy({ $0.isLetter || $0.isNumber || "/._+-".contains($0) }) else { return false }
        if folders.contains(where: { span.hasPrefix($0) && span.count > $0.count }) { return true }
        return !span.hasPrefix("/") && !span.hasPrefix(".") && extensions.contains { span.hasSuffix($0) && span != $0 }
            && (span.hasSuffix(".swift") || span.contains("/"))
    }

    /// From the root, from the page, or anywhere among the sources.
    private static func isThere(_ span: String, from page: String) -> Bool {
        SourceTree.exists(span) || SourceTree.exists(resolve(span, from: page))
            || SourceTree.swift.contains { $0.path.hasSuffix("/\(span)") }
    }

    /// Pages that no path of links leads to from the README.
    static func unreachable(_ pages: [SourceFile]) -> [Finding] {
        var reached: Set<String> = []
        var next = ["README.md"]
        while let path = next.popLast() {
            guard reached.insert(path).inserted, let page = pages.first(where: { $0.path == path }) else { continue }
            next += links(page).map { resolve($0.target, from: path) }
            // A link to a folder leads to what is in it.
            next += links(page).filter { $0.target.hasSuffix("/") }.flatMap { link in
                let folder = resolve(link.target, from: path)
                return pages.map(\.path).filter { $0.hasPrefix("\(folder)/") }
            }
        }
        return pages.filter { !reached.contains($0.path) && !$0.path.hasPrefix("Sources/") }
            .map { Finding(path: $0.path, line: 1, reason: "no link leads here from README.md") }
    }
}
