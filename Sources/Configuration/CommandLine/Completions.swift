// Completion scripts for three shells, from the table.
//
// Each script holds one line for every command: its path, and the words that may come next. They complete command
// names, options and fixed words themselves and leave files and folders to the shell.

package enum CompletionScript {
    package enum Shell: String, Sendable, CaseIterable { case bash, zsh, fish }

    package static func text(for root: Command, _ shell: Shell) -> String {
        let levels = levels(of: root, path: [])
        return switch shell {
        case .bash: bash(root.name, levels)
        case .zsh: zsh(root.name, levels)
        case .fish: fish(root.name, levels)
        }
    }

    /// A command and the words that lead to it, without the program's name.
    private struct Level {
        let path: [String]
        let command: Command

        /// A name for a `case` branch: `admin grant`.
        var pattern: String { path.joined(separator: " ") }
    }

    private static func levels(of command: Command, path: [String]) -> [Level] {
        [Level(path: path, command: command)]
            + command.commands.flatMap { levels(of: $0, path: path + [$0.name]) }
    }

    // MARK: - bash

    /// Walks over the words typed so far to find the command, then offers what may follow it.
    private static func bash(_ program: String, _ levels: [Level]) -> String {
        """
        # bash completion for \(program)
        _\(program)() {
            local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} path='' word
            for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
                case "$path/$word" in
        \(levels.flatMap(steps).map { "            \($0)" }.joined(separator: "\n"))
                esac
            done
            COMPREPLY=()
            case "$path:$previous" in
        \(levels.flatMap(bashValues).map { "        \($0)" }.joined(separator: "\n"))
            esac
            case "$path" in
        \(levels.map(bashWords).map { "        \($0)" }.joined(separator: "\n"))
            esac
        }
        complete -o nosort -F _\(program) \(program) 2>/dev/null || complete -F _\(program) \(program)

        """
    }

    /// `'/admin') path='admin' ;;`
    private static func steps(_ level: Level) -> [String] {
        level.command.commands.map { command in
            let next = (level.path + [command.name]).joined(separator: " ")
            return "'\(level.pattern)/\(command.name)') path='\(next)' ;;"
        }
    }

    private static func bashValues(_ level: Level) -> [String] {
        level.command.options.filter { $0.value != nil }.map { option in
            let patterns = spellings(option).map { "'\(level.pattern):\($0)'" }.joined(separator: "|")
            return "\(patterns)) \(bashReply(option.completion)); return ;;"
        }
    }

    private static func bashReply(_ completion: Completion) -> String {
        switch completion {
        case .nothing: "COMPREPLY=()"
        case .file: "mapfile -t COMPREPLY < <(compgen -f -- \"$current\")"
        case .folder: "mapfile -t COMPREPLY < <(compgen -d -- \"$current\")"
        case .words(let words):
            "mapfile -t COMPREPLY < <(compgen -W '\(words.joined(separator: " "))' -- \"$current\")"
                + (words.contains { $0.hasSuffix("=") } ? "; compopt -o nospace 2>/dev/null" : "")
        }
    }

    private static func bashWords(_ level: Level) -> String {
        let words = nextWords(level.command).joined(separator: " ")
        return "'\(level.pattern)') \(bashReply(.words([words]))) ;;"
    }

    // MARK: - zsh

    private static func zsh(_ program: String, _ levels: [Level]) -> String {
        """
        #compdef \(program)
        # zsh completion for \(program)
        _\(program)() {
            local current=$words[CURRENT] previous=$words[CURRENT-1] path_='' word
            for word in ${words[2,CURRENT-1]}; do
                case "$path_/$word" in
        \(levels.flatMap(steps).map { "            \($0.replacing(") path=", with: ") path_="))" }
            .joined(separator: "\n"))
                esac
            done
            case "$path_:$previous" in
        \(levels.flatMap(zshValues).map { "        \($0)" }.joined(separator: "\n"))
            esac
            local -a offers
            case "$path_" in
        \(levels.map(zshWords).map { "        \($0)" }.joined(separator: "\n"))
            esac
            _describe '\(program)' offers
        }
        if [ "$funcstack[1]" = "_\(program)" ]; then
            _\(program) "$@"
        else
            compdef _\(program) \(program)
        fi

        """
    }

    private static func zshValues(_ level: Level) -> [String] {
        level.command.options.filter { $0.value != nil }.map { option in
            let patterns = spellings(option).map { "'\(level.pattern):\($0)'" }.joined(separator: "|")
            let action =
                switch option.completion {
                case .nothing: "_message '\(option.value ?? "value")'"
                case .file: "_files"
                case .folder: "_files -/"
                case .words(let words): "compadd -S '' -- \(words.map { "'\($0)'" }.joined(separator: " "))"
                }
            return "\(patterns)) \(action); return ;;"
        }
    }

    private static func zshWords(_ level: Level) -> String {
        let described =
            level.command.commands.map { ($0.name, $0.summary) }
            + argumentWords(level.command).map { ($0, "") }
            + level.command.options.map { ("--\($0.name)", $0.summary) }
        let offers = described.map { name, summary in "'\(name):\(quoted(summary))'" }.joined(separator: " ")
        return "'\(level.pattern)') offers=(\(offers)) ;;"
    }

    // MARK: - fish

    /// fish asks a condition for every offer: which words were typed so far, options left out.
    private static func fish(_ program: String, _ levels: [Level]) -> String {
        """
        # fish completion for \(program)
        function __\(program)_at
            set -l path ''
            for word in (commandline -opc)[2..-1]
                switch "$path/$word"
        \(levels.flatMap(fishSteps).map { "            \($0)" }.joined(separator: "\n"))
                end
            end
            test "$path" = "$argv[1]"
        end
        complete -c \(program) -f
        \(levels.flatMap { fishOffers(program, $0) }.joined(separator: "\n"))

        """
    }

    private static func fishSteps(_ level: Level) -> [String] {
        level.command.commands.flatMap { command in
            let next = (level.path + [command.name]).joined(separator: " ")
            return ["case '\(level.pattern)/\(command.name)'", "    set path '\(next)'"]
        }
    }

    private static func fishOffers(_ program: String, _ level: Level) -> [String] {
        let start = "complete -c \(program) -n \"__\(program)_at '\(level.pattern)'\""
        var lines = level.command.commands.map { "\(start) -a \($0.name) -d '\(quoted($0.summary))'" }
        lines += argumentWords(level.command).map { "\(start) -a \($0)" }
        for option in level.command.options {
            let letter = option.letter.map { " -s \($0)" } ?? ""
            lines.append("\(start) -l \(option.name)\(letter)\(fishValue(option)) -d '\(quoted(option.summary))'")
        }
        return lines
    }

    private static func fishValue(_ option: CommandOption) -> String {
        guard option.value != nil else { return "" }
        return switch option.completion {
        case .nothing: " -x"
        case .file: " -r -F"
        case .folder: " -x -a '(__fish_complete_directories)'"
        case .words(let words): " -x -a '\(words.joined(separator: " "))'"
        }
    }

    // MARK: - Words

    private static func nextWords(_ command: Command) -> [String] {
        command.commands.map(\.name) + argumentWords(command) + command.options.map { "--\($0.name)" }
    }

    private static func argumentWords(_ command: Command) -> [String] {
        command.arguments.flatMap { argument in
            if case .words(let words) = argument.completion { words } else { [] as [String] }
        }
    }

    private static func spellings(_ option: CommandOption) -> [String] {
        ["--\(option.name)"] + (option.letter.map { ["-\($0)"] } ?? [])
    }

    /// For single quotes in all three shells, and for zsh's `name:text`.
    private static func quoted(_ text: String) -> String {
        text.replacing("'", with: "’").replacing(":", with: " -").replacing("\\", with: "")
    }
}
