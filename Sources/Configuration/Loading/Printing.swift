// `config print` and `config doc`: the table and the values, for people.

import Base

extension LoadedConfiguration {
    /// The settings in effect as YAML that can be read again, with the origin of each as a comment.
    package var yaml: String {
        var text = ""
        var open: [Substring] = []
        for key in Configuration.keys {
            let names = key.path.split(separator: ".")
            let common = zip(open, names.dropLast()).prefix { $0 == $1 }.count
            for depth in common..<(names.count - 1) {
                if depth == 0, !text.isEmpty { text += "\n" }
                text += indentation(depth) + "\(names[depth]):\n"
            }
            open = Array(names.dropLast())
            let value = YAMLText.flow(key.show(values))
            // A file's name may hold anything, even a line break.
            let origin = "\(origins[key.path] ?? .standard)".replacing("\n", with: "?")
            text += indentation(names.count - 1) + "\(names[names.count - 1]): \(value)  # \(origin)\n"
        }
        return text
    }

    private func indentation(_ depth: Int) -> String { String(repeating: "  ", count: depth) }
}

/// Scalars and lists on one line.
enum YAMLText {
    static func flow(_ value: ShownValue) -> String {
        switch value {
        case .none: "null"
        case .scalar(let text): scalar(text)
        case .list(let items): "[\(items.map(scalar).joined(separator: ", "))]"
        }
    }

    /// Plain where no reader could take it for something else, else in double quotes.
    static func scalar(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy(isHarmless) && text.utf8.first.map(isWordStart) == true
        let isReserved = ["null", "Null", "NULL", "~"].contains(text)
        if text == Codec<Secret>.placeholder || (isPlain && !isReserved && !text.hasSuffix(":")) { return text }
        return "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }

    private static func isWordStart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "/"): true
        default: false
        }
    }

    private static func isHarmless(_ byte: UInt8) -> Bool {
        isWordStart(byte)
            || [UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ":"), UInt8(ascii: "@")].contains(byte)
    }
}

extension Configuration {
    /// The reference, as Markdown: `docs/operate/configuration.md`.
    package static var reference: String {
        var text = introduction
        for section in sections {
            text += "\n## \(section.name)\n\n\(section.documentation)\n\n"
            text += "| key | value | default | meaning |\n|---|---|---|---|\n"
            for key in section.keys { text += row(key) }
        }
        return text
    }

    private static func row(_ key: Key) -> String {
        let type = key.allowed.map { "\(key.type): \($0)" } ?? key.type
        let standard =
            switch key.show(Configuration()) {
            case .none: "unset"
            case .list([]): "empty"
            case .scalar(""): "empty"
            case .scalar(let text): "`\(text)`"
            case .list(let items): items.map { "`\($0)`" }.joined(separator: ", ")
            }
        var meaning = key.documentation
        if let path = key.filePath { meaning += " Or `\(path)`: a file that holds it." }
        return "| `\(key.path)` | \(type) | \(standard) | \(meaning) |\n"
    }

    private static var introduction: String {
        var text = """
            # Configuration

            Written by `plexichat config doc`; do not edit.

            Every key has a default; a server needs none of them set. Each may be given in three places, and the later wins
            (what an administrator set over the API counts where none of them says anything):

            1. a YAML file, named by `--config FILE`: `server.listen` is `listen` under `server:`;
            2. the environment: `server.listen` is `PLEXICHAT_SERVER_LISTEN`, lists with commas between the items;
            3. the command line: `--set server.listen=127.0.0.1:8000`.

            `plexichat config check` finds everything that is wrong at once, `plexichat config print` shows what is in effect and
            where it came from. A key that is not known, a value of the wrong kind or out of its range stops the start with exit
            code 2. In the file, anchors, aliases, tags and repeated keys are refused.

            Durations are a whole number and a unit (`500ms`, `30s`, `15m`, `24h`, `7d`), sizes likewise (`4096`, `64KiB`, `10MB`;
            KiB is 1024 bytes, kB is 1000), rates a count and a span (`5/s`, `60/min`, `1000/h`, `100/day`, `unlimited`).

            A secret is never printed. Instead of the secret itself, `<key>_file` may name a file that holds it.

            | variable | meaning |
            |---|---|

            """
        for variable in otherVariables { text += "| `\(variable.name)` | \(variable.documentation) |\n" }
        return text
    }
}
