// What several of these tests need.

import Base
import Glibc
import Testing

@testable import Configuration

/// The problems, as text, that these sources have; empty when there are none.
func problems(
    yaml: String? = nil, environment: [String: String] = [:], set: [String] = [], files: [String: String] = [:]
) -> [String] {
    do throws(ConfigurationProblems) {
        _ = try load(yaml: yaml, environment: environment, set: set, files: files)
        return []
    } catch {
        return error.all.map(\.description)
    }
}

func load(
    yaml: String? = nil, environment: [String: String] = [:], set: [String] = [], files: [String: String] = [:]
) throws(ConfigurationProblems) -> LoadedConfiguration {
    var sources = ConfigurationSources(environment: environment) { path throws(SystemError) in
        guard let text = files[path] else { throw SystemError("open \(path)", code: ENOENT) }
        return Bytes(text.utf8)
    }
    if let yaml { sources.file = ("test.yaml", Bytes(yaml.utf8)) }
    sources.settings = set.compactMap(GivenSetting.init(assignment:))
    return try Configuration.load(sources)
}

/// A file of the repository, found by walking up from this one.
func repositoryFile(_ path: String) throws -> String {
    var folder = "\(#filePath)"
    for _ in 0..<3 { folder = String(folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)]) }
    return String(decoding: try ConfigurationFile.read("\(folder)/\(path)"), as: UTF8.self)
}
