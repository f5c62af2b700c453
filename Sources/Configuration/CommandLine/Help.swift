// `--help`, at every level, from the table.

enum Help {
    private static let width = 100

    static func text(for command: Command, path: [String]) -> String {
        var text = "\(command.summary)\n\nUsage: \(usage(of: command, path: path))\n"
        if let discussion = command.discussion { text += "\n\(discussion)\n" }
        text += section("Commands", command.commands.map { ($0.name, $0.summary) })
        text += section("Arguments", command.arguments.map { ($0.name, $0.summary) })
        text += section("Options", command.options.map { (spelling($0), $0.summary) })
        if !command.commands.isEmpty { text += "\n`\(path.joined(separator: " ")) COMMAND --help` tells more.\n" }
        return text
    }

    static func usage(of command: Command, path: [String]) -> String {
        var words = path
        if !command.commands.isEmpty { words.append(command.body == nil ? "COMMAND" : "[COMMAND]") }
        words += command.arguments.map { $0.isOptional ? "[\($0.name)]" : $0.name }
        if command.options.count > 1 { words.append("[options]") }
        return words.joined(separator: " ")
    }

    private static func spelling(_ option: CommandOption) -> String {
        let short = option.letter.map { "-\($0), " } ?? "    "
        let value = option.value.map { " \($0)" } ?? ""
        return "\(short)--\(option.name)\(value)\(option.isRepeatable ? " …" : "")"
    }

    /// Two columns, the second wrapped.
    private static func section(_ title: String, _ rows: [(name: String, summary: String)]) -> String {
        guard !rows.isEmpty else { return "" }
        let column = (rows.map(\.name.count).max() ?? 0) + 4
        var text = "\n\(title):\n"
        for row in rows {
            text += "  " + row.name + String(repeating: " ", count: column - row.name.count - 2)
            text += wrapped(row.summary, indentation: column) + "\n"
        }
        return text
    }

    private static func wrapped(_ text: String, indentation: Int) -> String {
        var lines = [""]
        for word in text.split(separator: " ") {
            let line = lines[lines.count - 1]
            if !line.isEmpty, indentation + line.count + 1 + word.count > width {
                lines.append(String(word))
            } else {
                lines[lines.count - 1] = line.isEmpty ? String(word) : "\(line) \(word)"
            }
        }
        return lines.joined(separator: "\n" + String(repeating: " ", count: indentation))
    }
}
