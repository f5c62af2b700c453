// Fuzzers of the configuration: a file, and settings of the command line.

import Base
import Configuration

extension Fuzzers {
    static let configuration: [Fuzzer] = [
        Fuzzer("yaml", fuzzConfigurationFile),
        Fuzzer("settings", fuzzSettings),
    ]
}

/// Any file is either refused, with at least one problem, or printed as one that says the same.
@Sendable private func fuzzConfigurationFile(_ input: Bytes) {
    checkTree(input)
    checkPrinting(ConfigurationSources(file: ("fuzz.yaml", input), readFile: noFile))
}

/// The same for lines of `key=value`.
@Sendable private func fuzzSettings(_ input: Bytes) {
    let settings = String(decoding: input, as: UTF8.self).split(separator: "\n").compactMap { line -> GivenSetting? in
        guard let sign = line.firstIndex(of: "=") else { return nil }
        return GivenSetting(
            key: String(line[..<sign]), value: String(line[sign...].dropFirst()), option: "--set")
    }
    checkPrinting(ConfigurationSources(settings: settings, readFile: noFile))
}

@Sendable private func noFile(_ path: String) throws(SystemError) -> Bytes { throw SystemError("open \(path)") }

private func checkTree(_ input: Bytes) {
    let limits = YAMLLimits()
    guard let tree = try? YAML.parse(input, limits: limits) else { return }
    var nodes = 0
    func visit(_ node: YAMLNode, depth: Int) {
        nodes += 1
        promise(depth <= limits.depth, "a tree of depth \(depth)")
        switch node.content {
        case .null, .scalar: return
        case .list(let items): for item in items { visit(item, depth: depth + 1) }
        case .map(let entries):
            promise(Set(entries.map(\.key)).count == entries.count, "a key that is there twice")
            for entry in entries { visit(entry.value, depth: depth + 1) }
        }
    }
    visit(tree, depth: 0)
    promise(nodes <= limits.nodes, "a tree of \(nodes) nodes")
}

private func checkPrinting(_ sources: ConfigurationSources) {
    do throws(ConfigurationProblems) {
        let loaded = try Configuration.load(sources)
        let printed = loaded.yaml
        promise(!printed.utf8.contains(0), "a NUL in what is printed")
        // Where a secret is set its placeholder stands, which is refused on purpose.
        guard !printed.contains("‹secret›") else { return }
        let again = ConfigurationSources(file: ("printed.yaml", Bytes(printed.utf8)), readFile: noFile)
        do throws(ConfigurationProblems) {
            let reread = try Configuration.load(again)
            promise(
                withoutComments(reread.yaml) == withoutComments(printed), "what is printed is read as something else")
        } catch {
            promise(false, "what is printed is refused: \(error)")
        }
    } catch {
        promise(!error.all.isEmpty, "a refusal without a problem")
        for problem in error.all { promise(problem.description.utf8.count < 2_048, "a problem of many words") }
    }
}

/// The origins differ.
private func withoutComments(_ yaml: String) -> [Substring] {
    yaml.split(separator: "\n").map { line in
        line.ranges(of: "  # ").last.map { line[..<$0.lowerBound] } ?? line
    }
}
