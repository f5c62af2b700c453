// From words to an invocation, by the table.

package enum ParsedCommandLine: Sendable {
    case run(Command, Invocation)
    case help(Command, path: [String])
}

/// What the user should put right.
package struct UsageError: Error, Equatable {
    package let reason: String
    /// The command that was being read, for "try … --help".
    package let path: [String]
}

package struct CommandLineParser: Sendable {
    private let root: Command

    package init(_ root: Command) { self.root = root }

    /// `words` without the program's name.
    package func parse(
        _ words: [String], environment: [String: String] = [:], output: Output = .standard
    ) throws(UsageError) -> ParsedCommandLine {
        var reading = Reading(root)
        var rest = words[...]
        while let word = rest.popFirst() {
            try reading.take(word, &rest)
            if reading.wantsHelp { return .help(reading.command, path: reading.path) }
        }
        return try reading.finish(environment: environment, output: output)
    }
}

/// How far the words have been understood.
private struct Reading {
    private(set) var command: Command
    private(set) var path: [String]
    private(set) var wantsHelp = false
    private var options: [String: [String]] = [:]
    private var arguments: [String] = []
    /// After `--` nothing is an option.
    private var optionsEnded = false

    init(_ root: Command) {
        command = root
        path = [root.name]
    }

    mutating func take(_ word: String, _ rest: inout ArraySlice<String>) throws(UsageError) {
        if optionsEnded || word == "-" || !word.hasPrefix("-") {
            try takeWord(word)
        } else if word == "--" {
            optionsEnded = true
        } else if word.hasPrefix("--") {
            try takeLong(word.dropFirst(2), &rest)
        } else {
            try takeShort(word.dropFirst(), &rest)
        }
    }

    private mutating func takeWord(_ word: String) throws(UsageError) {
        if command.commands.isEmpty {
            guard arguments.count < command.arguments.count else { throw fault("`\(word)` is one argument too many") }
            arguments.append(word)
        } else if let next = command.commands.first(where: { $0.name == word }) {
            command = next
            path.append(word)
        } else {
            throw fault(unknown("command `\(word)`", near: word, command.commands.map(\.name)))
        }
    }

    /// `--name`, `--name value`, `--name=value`.
    private mutating func takeLong(_ text: Substring, _ rest: inout ArraySlice<String>) throws(UsageError) {
        let name = String(text.prefix { $0 != "=" })
        let value = text.contains("=") ? String(text.dropFirst(name.count + 1)) : nil
        guard let option = command.options.first(where: { $0.name == name }) else {
            let names = command.options.map { "--\($0.name)" }
            throw fault(unknown("option --\(name)", near: "--\(name)", names))
        }
        try take(option, value, &rest)
    }

    /// `-c`, `-c value`, `-cvalue`.
    private mutating func takeShort(_ text: Substring, _ rest: inout ArraySlice<String>) throws(UsageError) {
        guard let option = command.options.first(where: { $0.letter == text.first }) else {
            throw fault("unknown option -\(text)")
        }
        let value = text.dropFirst()
        try take(option, value.isEmpty ? nil : String(value), &rest)
    }

    private mutating func take(
        _ option: CommandOption, _ given: String?, _ rest: inout ArraySlice<String>
    ) throws(UsageError) {
        guard option.isRepeatable || options[option.name] == nil else {
            throw fault("--\(option.name) is given twice")
        }
        if let placeholder = option.value {
            guard let value = given ?? rest.popFirst() else { throw fault("--\(option.name) needs \(placeholder)") }
            options[option.name, default: []].append(value)
        } else {
            guard given == nil else { throw fault("--\(option.name) takes no value") }
            options[option.name] = []
            wantsHelp = wantsHelp || option.name == CommandOption.help.name
        }
    }

    func finish(environment: [String: String], output: Output) throws(UsageError) -> ParsedCommandLine {
        guard command.body != nil else {
            throw fault("a command is missing: \(command.commands.map(\.name).joined(separator: ", "))")
        }
        if arguments.count < command.arguments.count, !command.arguments[arguments.count].isOptional {
            throw fault("\(command.arguments[arguments.count].name) is missing")
        }
        let named = Dictionary(uniqueKeysWithValues: zip(command.arguments.map(\.name), arguments))
        let invocation = Invocation(
            path: path, options: options, arguments: named, environment: environment, output: output)
        return .run(command, invocation)
    }

    private func fault(_ reason: String) -> UsageError { UsageError(reason: reason, path: path) }

    private func unknown(_ what: String, near word: String, _ candidates: [String]) -> String {
        Suggestion.nearest(to: word, among: candidates).map { "unknown \(what), did you mean `\($0)`?" }
            ?? "unknown \(what)"
    }
}
