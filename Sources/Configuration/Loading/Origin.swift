// Where a value came from, and what was wrong with it.

/// Where a value was given.
package enum Origin: Sendable, Equatable, CustomStringConvertible {
    case standard
    /// An administrator, over the API.
    case stored
    case file(path: String, line: Int)
    case environment(name: String)
    /// An option of the command line, as it was written: `--set` or `--listen`.
    case option(String)
    /// A secret's file, named by one of the above.
    indirect case secretFile(path: String, Origin)

    package var description: String {
        switch self {
        case .standard: "default"
        case .stored: "the settings of an administrator"
        case .file(let path, let line): "\(path) line \(line)"
        case .environment(let name): "environment \(name)"
        case .option(let name): name
        case .secretFile(let path, let origin): "file \(path), named by \(origin)"
        }
    }
}

/// One thing to put right, in one line.
package struct ConfigurationProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// `nil` when the fault is not in one key's value: a file that is no YAML.
    package let key: String?
    /// As given; a secret's is masked, and an unknown key's is left out, since it may be a secret misspelt.
    package let value: String?
    package let origin: Origin
    package let reason: String
    package let allowed: String?

    init(key: String? = nil, value: String? = nil, origin: Origin, reason: String, allowed: String? = nil) {
        self.key = key
        self.value = value
        self.origin = origin
        self.reason = reason
        self.allowed = allowed
    }

    package var description: String {
        var line = key.map { "\($0): " } ?? ""
        if let value { line += "`\(value)` " }
        line += "\(reason) (from \(origin))"
        if let allowed { line += "; allowed: \(allowed)" }
        return line
    }
}

/// All that was found wrong at once.
package struct ConfigurationProblems: Error, Sendable, CustomStringConvertible {
    package let all: [ConfigurationProblem]
    package var description: String { all.map(\.description).joined(separator: "\n") }
}
