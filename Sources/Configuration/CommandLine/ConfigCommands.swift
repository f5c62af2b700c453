// `config check | print | doc`, and how every command gets its configuration.

import Base

extension Invocation {
    /// The configuration that this command line, its environment and its file make together.
    package func loadConfiguration() throws(ConfigurationProblems) -> LoadedConfiguration {
        var sources = ConfigurationSources(environment: environment)
        var problems: [ConfigurationProblem] = []
        if let path = value("config") ?? environment["PLEXICHAT_CONFIG"], !path.isEmpty {
            do throws(SystemError) {
                sources.file = (path, try ConfigurationFile.read(path))
            } catch {
                problems.append(
                    ConfigurationProblem(
                        origin: value("config") == nil ? .environment(name: "PLEXICHAT_CONFIG") : .option("--config"),
                        reason: "the configuration file could not be read: \(error)"))
            }
        }
        for setting in values("set") {
            if let setting = GivenSetting(assignment: setting) {
                sources.settings.append(setting)
            } else {
                problems.append(
                    ConfigurationProblem(origin: .option("--set"), reason: "an argument is not of the form KEY=VALUE"))
            }
        }
        sources.settings += ownOptions
        return try Self.load(sources, adding: problems)
    }

    /// Options that stand for one key.
    private var ownOptions: [GivenSetting] {
        var settings: [GivenSetting] = []
        if let folder = value("data") {
            settings.append(GivenSetting(key: "data.folder", value: folder, option: "--data"))
        }
        if !values("listen").isEmpty {
            let addresses = values("listen").joined(separator: ",")
            settings.append(GivenSetting(key: "server.listen", value: addresses, option: "--listen"))
        }
        return settings
    }

    private static func load(
        _ sources: ConfigurationSources, adding problems: [ConfigurationProblem]
    ) throws(ConfigurationProblems) -> LoadedConfiguration {
        do throws(ConfigurationProblems) {
            let loaded = try Configuration.load(sources)
            if problems.isEmpty { return loaded }
        } catch {
            throw ConfigurationProblems(all: problems + error.all)
        }
        throw ConfigurationProblems(all: problems)
    }

    /// Says what is wrong with the configuration, one problem a line.
    package func complain(about problems: ConfigurationProblems) -> ExitCode {
        for problem in problems.all { output.complain("plexichat: \(problem)") }
        return .usage
    }
}

extension GivenSetting {
    /// `server.listen=127.0.0.1:8000`
    init?(assignment: String) {
        guard let sign = assignment.firstIndex(of: "="), sign > assignment.startIndex else { return nil }
        self.init(
            key: String(assignment[..<sign]), value: String(assignment[assignment.index(after: sign)...]),
            option: "--set")
    }
}

extension Command {
    static var config: Command {
        Command(
            "config", "Check, show and explain the configuration.",
            commands: [
                Command(
                    "check", "Find everything that is wrong with the configuration.",
                    discussion: "Exit code 0 when the server would start with it, 2 when it would not.",
                    options: configurationOptions + [listenOption], run: check),
                Command(
                    "print", "Print the settings in effect, and where each comes from.",
                    discussion: "The output is a configuration file; secrets are left out of it.",
                    options: configurationOptions + [listenOption], run: print),
                Command("doc", "Print the reference of all keys, as Markdown.") { invocation in
                    invocation.output.text(Configuration.reference)
                    return .success
                },
            ])
    }

    @Sendable private static func check(_ invocation: Invocation) async -> ExitCode {
        do throws(ConfigurationProblems) {
            let loaded = try invocation.loadConfiguration()
            let count = loaded.origins.count
            invocation.output.line("The configuration is good; \(count) of \(Configuration.keys.count) keys are set.")
            return .success
        } catch {
            return invocation.complain(about: error)
        }
    }

    @Sendable private static func print(_ invocation: Invocation) async -> ExitCode {
        do throws(ConfigurationProblems) {
            invocation.output.text(try invocation.loadConfiguration().yaml)
            return .success
        } catch {
            return invocation.complain(about: error)
        }
    }
}
