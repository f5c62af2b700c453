import Base
import Synchronization
import Testing

@testable import Configuration

@Suite struct CommandLineTests {
    /// What a command wrote.
    private final class Recorder: Sendable {
        private let texts = Mutex<(out: String, error: String)>(("", ""))

        var out: String { texts.withLock { $0.out } }
        var error: String { texts.withLock { $0.error } }
        var output: Output {
            Output(
                out: { text in self.texts.withLock { $0.out += text } },
                error: { text in self.texts.withLock { $0.error += text } })
        }
    }

    private static let program = Command(
        "tool", "A tool.",
        commands: [
            Command(
                "copy", "Copy.",
                options: [
                    CommandOption("from", letter: "f", value: "FILE", "Where from.", completion: .file),
                    CommandOption("tag", letter: "t", value: "TAG", isRepeatable: true, "A tag."),
                    CommandOption("quick", letter: "q", "Quickly."),
                ],
                arguments: [CommandArgument("TO", "Where to."), CommandArgument("MODE", isOptional: true, "How.")]
            ) { invocation in
                let from = invocation.value("from") ?? "-"
                let tags = invocation.values("tag").joined(separator: "+")
                let mode = invocation.argument("MODE") ?? "-"
                invocation.output.line(
                    "\(from) \(tags) \(invocation.has("quick")) \(invocation.argument("TO") ?? "") \(mode)")
                return .success
            },
            Command("group", "More.", commands: [Command("inner", "Inner.") { _ in .failure }]),
        ])

    private func run(_ words: String...) async -> (code: ExitCode, out: String, error: String) {
        let recorder = Recorder()
        let code = await Self.program.run(words, environment: [:], output: recorder.output)
        return (code, recorder.out, recorder.error)
    }

    @Test func `options and arguments come in any order and spelling`() async {
        #expect(await run("copy", "a").out == "-  false a -\n")
        #expect(await run("copy", "--from", "x", "a", "b").out == "x  false a b\n")
        #expect(await run("copy", "a", "--from=x=y", "-q", "b").out == "x=y  true a b\n")
        #expect(await run("copy", "-fx", "-t", "1", "--tag=2", "a").out == "x 1+2 false a -\n")
        #expect(await run("copy", "--from=", "a").out == "  false a -\n")
        #expect(await run("copy", "--", "--from", "-q").out == "-  false --from -q\n")
        #expect(await run("copy", "-").out == "-  false - -\n")
    }

    @Test func `what a command returns is the exit code`() async {
        #expect(await run("group", "inner").code == .failure)
    }

    @Test(arguments: [
        ([], "a command is missing: copy, group"), (["group"], "a command is missing: inner"),
        (["cpoy"], "unknown command `cpoy`, did you mean `copy`?"), (["xyzzy"], "unknown command `xyzzy`"),
        (["copy"], "TO is missing"), (["copy", "a", "b", "c"], "`c` is one argument too many"),
        (["copy", "a", "--form", "x"], "unknown option --form, did you mean `--from`?"),
        (["copy", "a", "-x"], "unknown option -x"), (["copy", "a", "--from"], "--from needs FILE"),
        (["copy", "a", "--quick=1"], "--quick takes no value"), (["copy", "a", "-qx"], "--quick takes no value"),
        (["copy", "a", "--from", "x", "--from", "y"], "--from is given twice"),
    ])
    func `a wrong command line is answered with the reason and exit code 2`(_ words: [String], _ reason: String) async {
        let recorder = Recorder()
        #expect(await Self.program.run(words, environment: [:], output: recorder.output) == .usage)
        #expect(recorder.out == "")
        #expect(recorder.error.hasPrefix("tool: \(reason)\nTry `tool"))
    }

    @Test func `help is there at every level and exits with 0`() async {
        for words in [["--help"], ["-h"], ["copy", "--help"], ["copy", "a", "-h"], ["group", "--help"]] {
            let recorder = Recorder()
            #expect(await Self.program.run(words, environment: [:], output: recorder.output) == .success)
            #expect(recorder.out.contains("Usage: tool") && recorder.error == "")
        }
        let help = await run("copy", "--help").out
        #expect(help.contains("Usage: tool copy TO [MODE] [options]\n"))
        #expect(help.contains("\n  -f, --from FILE  Where from.\n"))
        #expect(help.contains("\n  -t, --tag TAG …  A tag.\n"))
    }

    @Test func `no word can make the parser stop`() {
        var generator = SystemRandomNumberGenerator()
        let words = [
            "copy", "group", "inner", "-", "--", "---", "--=", "-=", "--from", "-f", "-qf", "--help=", "ü", "",
        ]
        for _ in 0..<2_000 {
            let line = (0..<Int.random(in: 0...6, using: &generator)).map { _ in words.randomElement() ?? "" }
            _ = try? CommandLineParser(Self.program).parse(line)
        }
    }
}

@Suite struct PlexiChatCommandTests {
    private static let nothing: Command.Body = { _ in .failure }
    private static let program = Command.plexichat(
        CommandBodies(
            serve: nothing, doctor: nothing, createUser: nothing, setPassword: nothing, grant: nothing, token: nothing,
            openAPI: nothing, turn: nothing, turnDoctor: nothing,
            backup: BackupCommandBodies(
                create: nothing, list: nothing, verify: nothing, restore: nothing, remove: nothing, drill: nothing),
            vault: VaultCommandBodies(
                status: nothing, rotate: nothing, rewrap: nothing, disable: nothing, enable: nothing, destroy: nothing,
                keep: nothing, shares: nothing, recover: nothing, rekeyRoot: nothing)))

    private func run(
        _ words: [String], environment: [String: String] = [:]
    ) async -> (code: ExitCode, out: [String], error: [String]) {
        let out = Collected()
        let error = Collected()
        let code = await Self.program.run(
            words, environment: environment, output: Output(out: out.append, error: error.append))
        return (code, out.lines, error.lines)
    }

    private final class Collected: Sendable {
        private let text = Mutex("")
        var lines: [String] { text.withLock { $0.split(separator: "\n").map(String.init) } }
        var append: @Sendable (String) -> Void { { more in self.text.withLock { $0 += more } } }
    }

    @Test func `a good configuration is said to be good`() async {
        let result = await run(["config", "check", "--set", "server.shards=2"])
        #expect(result.code == .success)
        #expect(result.out[0].hasPrefix("The configuration is good; 1 of "))
    }

    @Test func `every fault is a line, and the exit code is 2`() async {
        let result = await run(
            ["config", "check", "--config", "/nonexistent", "--set", "x", "--set", "server.shards=x", "--listen", "a"])
        #expect(result.code == .usage)
        #expect(result.out == [])
        #expect(
            result.error == [
                "plexichat: the configuration file could not be read: open /nonexistent: No such file or directory "
                    + "(from --config)",
                "plexichat: an argument is not of the form KEY=VALUE (from --set)",
                "plexichat: server.shards: `x` is not a whole number (from --set); allowed: 0 to 256",
                "plexichat: server.listen: `a` is no address such as 127.0.0.1:8000, [::]:8000 or "
                    + "unix:/run/plexichat/http (from --listen); allowed: ADDRESS:PORT, [ADDRESS]:PORT, unix:PATH",
            ])
    }

    @Test func `print shows what the options of their own say`() async {
        let result = await run(
            ["config", "print", "--data", "/srv", "--listen", "127.0.0.1:0", "--listen", "[::1]:0"])
        #expect(result.code == .success)
        #expect(result.out.contains("  folder: /srv  # --data"))
        #expect(result.out.contains("  listen: [127.0.0.1:0, \"[::1]:0\"]  # --listen"))
    }

    @Test func `the file may be named by the environment`() async {
        let result = await run(["config", "check"], environment: ["PLEXICHAT_CONFIG": "/nonexistent"])
        #expect(result.code == .usage)
        #expect(result.error[0].hasSuffix("(from environment PLEXICHAT_CONFIG)"))
    }

    @Test func `doc prints the reference`() async {
        #expect(await run(["config", "doc"]).out.first == "# Configuration")
    }

    @Test func `version prints one line`() async {
        #expect(await run(["version"]).out == ["plexichat \(ProductVersion.text)"])
    }

    @Test func `every command has a summary, and options have one meaning each`() {
        func check(_ command: Command) {
            #expect(command.summary.hasSuffix("."))
            #expect(Set(command.options.map(\.name)).count == command.options.count)
            let letters = command.options.compactMap(\.letter)
            #expect(Set(letters).count == letters.count)
            // `turn` does something itself and has commands beside that.
            #expect(command.body != nil || !command.commands.isEmpty)
            command.commands.forEach(check)
        }
        check(Self.program)
    }

    @Test func `no option takes a password or a token`() {
        func check(_ command: Command) {
            for option in command.options where option.value != nil {
                #expect(!option.name.contains("password") && !option.name.contains("token"))
            }
            command.commands.forEach(check)
        }
        check(Self.program)
    }

    @Test(arguments: CompletionScript.Shell.allCases)
    func `the completions name every command and option`(_ shell: CompletionScript.Shell) async {
        let script = await run(["completions", shell.rawValue]).out.joined(separator: "\n")
        for word in ["serve", "create-user", "print", "completions", "server.listen=", "listen", "dialect", "rooms"] {
            #expect(script.contains(word), "\(word)")
        }
    }

    @Test func `an unknown shell is a wrong command line`() async {
        #expect(await run(["completions", "csh"]).code == .usage)
    }
}
