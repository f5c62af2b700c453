// From the sources to one configuration: what administrators have stored, then file, environment and command line; the
// later wins.
//
// Every fault of every source is found before any is reported, and a value that a stronger source overrides is
// checked all the same: it is waiting to fail on the day the other goes away.

package import Base

/// One key given on the command line: by `--set`, or by an option of its own such as `--listen`.
package struct GivenSetting: Sendable {
    package let key: String
    package let value: String
    package let option: String

    package init(key: String, value: String, option: String) {
        self.key = key
        self.value = value
        self.option = option
    }
}

package struct ConfigurationSources: Sendable {
    package var file: (path: String, contents: Bytes)?
    package var environment: [String: String]
    package var settings: [GivenSetting]
    /// What administrators have set over the API, by key; known once the database is open.
    package var stored: [String: String] = [:]
    /// Reads a secret's file. Tests hand in their own.
    package var readFile: @Sendable (String) throws(SystemError) -> Bytes

    package init(
        file: (path: String, contents: Bytes)? = nil, environment: [String: String] = [:],
        settings: [GivenSetting] = [],
        readFile: @escaping @Sendable (String) throws(SystemError) -> Bytes = ConfigurationFile.read
    ) {
        self.file = file
        self.environment = environment
        self.settings = settings
        self.readFile = readFile
    }
}

/// The settings in effect, and where each that is not a default came from.
package struct LoadedConfiguration: Sendable {
    package let values: Configuration
    package let origins: [String: Origin]
    /// What it was made from: later it is made again with other stored settings.
    package let sources: ConfigurationSources
}

extension Configuration {
    package static func load(_ sources: ConfigurationSources) throws(ConfigurationProblems) -> LoadedConfiguration {
        var loader = Loader(sources)
        return try loader.load()
    }

    /// Variables that begin like ours and are no keys.
    package static let otherVariables: [(name: String, documentation: String)] = [
        ("PLEXICHAT_CONFIG", "The configuration file, where `--config` is not given."),
        ("PLEXICHAT_ADMIN_PASSWORD", "The password of the user `admin` that the first start makes."),
        ("PLEXICHAT_ROOT_KEY", "Free for use with `vault.root_key: environment:PLEXICHAT_ROOT_KEY`."),
    ]
}

private struct Loader {
    private let sources: ConfigurationSources
    private var configuration = Configuration()
    private var origins: [String: Origin] = [:]
    private var problems: [ConfigurationProblem] = []

    /// A value on its way to its key.
    private struct Given {
        let path: String
        let raw: RawValue
        let origin: Origin
    }

    init(_ sources: ConfigurationSources) { self.sources = sources }

    mutating func load() throws(ConfigurationProblems) -> LoadedConfiguration {
        apply(givenByAdministrators())
        apply(givenByFile())
        apply(givenByEnvironment())
        // Repeating an option is no contradiction: the last one counts.
        for setting in sources.settings {
            apply([Given(path: setting.key, raw: .text(setting.value), origin: .option(setting.option))])
        }
        checkRules()
        guard problems.isEmpty else { throw ConfigurationProblems(all: problems) }
        return LoadedConfiguration(values: configuration, origins: origins, sources: sources)
    }

    // MARK: - Sources

    private mutating func givenByFile() -> [Given] {
        guard let (path, contents) = sources.file else { return [] }
        do throws(YAMLError) {
            guard let root = try YAML.parse(contents) else { return [] }
            var given: [Given] = []
            collect(root, at: "", in: path, into: &given)
            return given
        } catch {
            problems.append(
                ConfigurationProblem(origin: .file(path: path, line: error.line), reason: error.reason))
            return []
        }
    }

    /// Walks down to the keys. Depth is bounded by the reader.
    private mutating func collect(_ node: YAMLNode, at path: String, in file: String, into given: inout [Given]) {
        let origin = Origin.file(path: file, line: node.line)
        switch node.content {
        case .null: return
        case .map(let entries):
            for entry in entries {
                let inner = path.isEmpty ? entry.key : "\(path).\(entry.key)"
                let origin = Origin.file(path: file, line: entry.line)
                if Names.isKey(inner) {
                    guard let raw = RawValue(entry.value) else { continue }
                    given.append(Given(path: inner, raw: raw, origin: origin))
                } else if Names.sections.contains(inner) {
                    collect(entry.value, at: inner, in: file, into: &given)
                } else {
                    problems.append(Names.unknown(inner, origin))
                }
            }
        case .scalar, .list:
            problems.append(
                ConfigurationProblem(
                    key: path.isEmpty ? nil : path, origin: origin, reason: "should be a section with keys in it"))
        }
    }

    private mutating func givenByAdministrators() -> [Given] {
        var given: [Given] = []
        for (path, value) in sources.stored.sorted(by: { $0.key < $1.key }) {
            if let key = Configuration.keysByPath[path], key.adjustment == .never {
                problems.append(
                    ConfigurationProblem(
                        key: path, origin: .stored, reason: "is the operator's, and cannot be set over the API"))
            } else {
                given.append(Given(path: path, raw: .text(value), origin: .stored))
            }
        }
        return given
    }

    private mutating func givenByEnvironment() -> [Given] {
        var given: [Given] = []
        for (name, value) in sources.environment.sorted(by: { $0.key < $1.key }) where Names.looksLikeOurs(name) {
            let origin = Origin.environment(name: name)
            if let path = Names.pathsByVariable[name] {
                given.append(Given(path: path, raw: .text(value), origin: origin))
            } else {
                let near = Suggestion.nearest(to: name, among: Names.pathsByVariable.keys.sorted())
                problems.append(
                    ConfigurationProblem(key: name, origin: origin, reason: Names.unknownReason("variable", near)))
            }
        }
        return given
    }

    // MARK: - Values

    /// All of one source.
    private mutating func apply(_ given: [Given]) {
        var seen: [String: Origin] = [:]
        for item in given {
            guard let key = Names.key(for: item.path) else {
                problems.append(Names.unknown(item.path, item.origin))
                continue
            }
            if let other = seen.updateValue(item.origin, forKey: key.path) {
                problems.append(
                    ConfigurationProblem(key: key.path, origin: item.origin, reason: "is given twice, also by \(other)")
                )
            } else {
                apply(item, to: key)
            }
        }
    }

    private mutating func apply(_ item: Given, to key: Key) {
        do throws(ValueFault) {
            let (raw, origin) = try resolve(item, for: key)
            try key.assign(raw, &configuration)
            origins[key.path] = origin
        } catch {
            problems.append(
                ConfigurationProblem(
                    key: item.path, value: key.isSecret && item.path == key.path ? placeholder : item.raw.shown,
                    origin: item.origin, reason: error.reason, allowed: key.allowed))
        }
    }

    private var placeholder: String { Codec<Secret>.placeholder }

    /// A secret may stand in a file of its own; its last line break does not belong to it.
    private func resolve(_ item: Given, for key: Key) throws(ValueFault) -> (RawValue, Origin) {
        guard item.path == key.filePath else { return (item.raw, item.origin) }
        guard case .text(let path) = item.raw, !path.isEmpty else { throw ValueFault("should be a file's path") }
        do throws(SystemError) {
            let bytes = try sources.readFile(path)
            let text = String(decoding: bytes, as: UTF8.self)
            let line = String(text.reversed().drop { $0.isNewline }.reversed())
            return (.text(line), .secretFile(path: path, item.origin))
        } catch {
            throw ValueFault("could not be read: \(error)")
        }
    }

    private mutating func checkRules() {
        let faulty = Set(problems.compactMap(\.key))
        for rule in Rule.all where faulty.isDisjoint(with: rule.keys) && !rule.holds(configuration) {
            let key = rule.keys.first { origins[$0] != nil } ?? rule.keys[0]
            problems.append(
                ConfigurationProblem(
                    key: key, value: shown(key), origin: origins[key] ?? .standard, reason: rule.requirement))
        }
    }

    private func shown(_ path: String) -> String? {
        switch Configuration.keysByPath[path]?.show(configuration) {
        case .scalar(let text): text
        case .list(let items): items.joined(separator: ",")
        default: nil
        }
    }
}

/// Every name that a source may use.
private enum Names {
    /// All parts of the way to a key: `accounts` and `accounts.tokens`.
    static let sections: Set<String> = {
        var sections: Set<String> = []
        for key in Configuration.keys {
            var path = key.path
            while let dot = path.lastIndex(of: ".") {
                path = String(path[..<dot])
                sections.insert(path)
            }
        }
        return sections
    }()

    static let paths = Configuration.keys.flatMap { [$0.path] + ($0.filePath.map { [$0] } ?? []) }

    static let pathsByVariable = Dictionary(
        uniqueKeysWithValues: paths.map { (Key.environmentName($0), $0) })

    private static let keysByFilePath = Dictionary(
        uniqueKeysWithValues: Configuration.keys.compactMap { key in key.filePath.map { ($0, key) } })

    static func key(for path: String) -> Key? { Configuration.keysByPath[path] ?? keysByFilePath[path] }

    static func isKey(_ path: String) -> Bool { key(for: path) != nil }

    static func looksLikeOurs(_ variable: String) -> Bool {
        guard variable.hasPrefix(Key.environmentPrefix) else { return false }
        // Kubernetes tells every container where the service named `plexichat` is, in variables of these forms.
        for prefix in ["SERVICE_HOST", "SERVICE_PORT", "PORT"]
        where variable.dropFirst(Key.environmentPrefix.count).hasPrefix(prefix) {
            return false
        }
        return !Configuration.otherVariables.contains { $0.name == variable }
    }

    static func unknown(_ path: String, _ origin: Origin) -> ConfigurationProblem {
        let near = Suggestion.nearestKey(to: path, among: paths + sections.sorted())
        let shown = String(path.prefix(100))
        return ConfigurationProblem(key: shown, origin: origin, reason: unknownReason("key", near))
    }

    static func unknownReason(_ what: String, _ near: String?) -> String {
        near.map { "is no known \(what), did you mean \($0)?" } ?? "is no known \(what)"
    }
}

extension RawValue {
    /// `nil` for a key with nothing after it: it keeps its default.
    fileprivate init?(_ node: YAMLNode) {
        switch node.content {
        case .null: return nil
        case .scalar(let text): self = .text(text)
        case .list(let items): self = .list(items.map { RawValue($0) ?? .text("") })
        case .map: self = .map
        }
    }

    /// Short enough for a line that a person reads.
    fileprivate var shown: String {
        switch self {
        case .text(let text): text.utf8.count > 80 ? "\(text.prefix(80))…" : text
        case .list(let items): "[\(items.prefix(8).map(\.shown).joined(separator: ", "))]"
        case .map: "{…}"
        }
    }
}
