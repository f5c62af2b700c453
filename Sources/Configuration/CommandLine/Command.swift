// Commands as data: one table gives parsing, help and completions.

package enum ExitCode: Int32, Sendable {
    case success = 0
    /// It was tried and did not work.
    case failure = 1
    /// The command line or the configuration is wrong; nothing was tried.
    case usage = 2
}

/// How a shell completes a value.
package enum Completion: Sendable, Equatable {
    case nothing, file, folder
    case words([String])
}

package struct CommandOption: Sendable {
    /// Without the dashes.
    package let name: String
    package let letter: Character?
    /// What stands for the value in help, e.g. `DIR`; `nil` for a flag.
    package let value: String?
    package let isRepeatable: Bool
    package let summary: String
    package let completion: Completion

    package init(
        _ name: String, letter: Character? = nil, value: String? = nil, isRepeatable: Bool = false, _ summary: String,
        completion: Completion = .nothing
    ) {
        self.name = name
        self.letter = letter
        self.value = value
        self.isRepeatable = isRepeatable
        self.summary = summary
        self.completion = completion
    }

    static let help = CommandOption("help", letter: "h", "Show this help.")
}

package struct CommandArgument: Sendable {
    /// In capitals, as in help: `NAME`.
    package let name: String
    package let isOptional: Bool
    package let summary: String
    package let completion: Completion

    package init(_ name: String, isOptional: Bool = false, _ summary: String, completion: Completion = .nothing) {
        self.name = name
        self.isOptional = isOptional
        self.summary = summary
        self.completion = completion
    }
}

package struct Command: Sendable {
    package typealias Body = @Sendable (Invocation) async -> ExitCode

    package let name: String
    package let summary: String
    /// Further lines of help.
    package let discussion: String?
    package let options: [CommandOption]
    package let arguments: [CommandArgument]
    package let commands: [Command]
    /// `nil` for a command that only groups others.
    package let body: Body?

    /// A command that does something.
    package init(
        _ name: String, _ summary: String, discussion: String? = nil, options: [CommandOption] = [],
        arguments: [CommandArgument] = [], run body: @escaping Body
    ) {
        self.name = name
        self.summary = summary
        self.discussion = discussion
        self.options = options + [.help]
        self.arguments = arguments
        commands = []
        self.body = body
    }

    /// A command that does something, and has others beside it: without one of their names, it runs itself.
    package init(
        _ name: String, _ summary: String, discussion: String? = nil, options: [CommandOption],
        commands: [Command], run body: @escaping Body
    ) {
        self.name = name
        self.summary = summary
        self.discussion = discussion
        self.options = options + [.help]
        arguments = []
        self.commands = commands
        self.body = body
    }

    /// A group of commands.
    package init(_ name: String, _ summary: String, discussion: String? = nil, commands: [Command]) {
        self.name = name
        self.summary = summary
        self.discussion = discussion
        options = [.help]
        arguments = []
        self.commands = commands
        body = nil
    }
}

/// What the user asked for, checked against the table.
package struct Invocation: Sendable {
    /// `["plexichat", "admin", "grant"]`
    package let path: [String]
    private let options: [String: [String]]
    private let arguments: [String: String]
    package let environment: [String: String]
    package let output: Output

    init(
        path: [String], options: [String: [String]], arguments: [String: String], environment: [String: String],
        output: Output
    ) {
        self.path = path
        self.options = options
        self.arguments = arguments
        self.environment = environment
        self.output = output
    }

    package func has(_ flag: String) -> Bool { options[flag] != nil }
    /// Of an option given several times the last counts.
    package func value(_ option: String) -> String? { options[option]?.last }
    package func values(_ option: String) -> [String] { options[option] ?? [] }
    package func argument(_ name: String) -> String? { arguments[name] }
}
