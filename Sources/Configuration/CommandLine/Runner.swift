// The way from the process's arguments to its exit code.

extension Command {
    /// Parses, runs, and says what is wrong: help goes to standard output when asked for, else to standard error.
    package func run(_ words: [String], environment: [String: String], output: Output = .standard) async -> ExitCode {
        do throws(UsageError) {
            switch try CommandLineParser(self).parse(words, environment: environment, output: output) {
            case .help(let command, let path):
                output.text(Help.text(for: command, path: path))
                return .success
            case .run(let command, let invocation):
                // The parser lets no command through that has no body.
                return await command.body?(invocation) ?? .usage
            }
        } catch {
            output.complain("\(name): \(error.reason)")
            output.complain("Try `\(error.path.joined(separator: " ")) --help`.")
            return .usage
        }
    }
}
