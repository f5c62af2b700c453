// The table of PlexiChat's commands. What needs the server comes in from outside; the rest is here.

/// The bodies that `plexichat` supplies: it is the only place that knows the server's parts.
package struct CommandBodies: Sendable {
    package var serve: Command.Body
    package var doctor: Command.Body
    package var createUser: Command.Body
    package var setPassword: Command.Body
    package var grant: Command.Body
    package var token: Command.Body
    package var openAPI: Command.Body
    package var turn: Command.Body
    package var turnDoctor: Command.Body
    package var backup: BackupCommandBodies
    package var recordings: RecordingCommandBodies
    package var vault: VaultCommandBodies

    package init(
        serve: @escaping Command.Body, doctor: @escaping Command.Body, createUser: @escaping Command.Body,
        setPassword: @escaping Command.Body, grant: @escaping Command.Body, token: @escaping Command.Body,
        openAPI: @escaping Command.Body, turn: @escaping Command.Body, turnDoctor: @escaping Command.Body,
        backup: BackupCommandBodies, recordings: RecordingCommandBodies, vault: VaultCommandBodies
    ) {
        self.serve = serve
        self.doctor = doctor
        self.createUser = createUser
        self.setPassword = setPassword
        self.grant = grant
        self.token = token
        self.openAPI = openAPI
        self.turn = turn
        self.turnDoctor = turnDoctor
        self.backup = backup
        self.recordings = recordings
        self.vault = vault
    }
}

/// The options by which every command that reads the configuration finds it.
let configurationOptions = [
    CommandOption("config", letter: "c", value: "FILE", "Read this configuration file.", completion: .file),
    CommandOption("data", letter: "d", value: "DIR", "The data folder (data.folder).", completion: .folder),
    CommandOption(
        "set", letter: "s", value: "KEY=VALUE", isRepeatable: true,
        "Set one key of the configuration; stronger than the file and the environment.",
        completion: .words(Configuration.keys.map { "\($0.path)=" })),
]

let listenOption = CommandOption(
    "listen", letter: "l", value: "ADDR:PORT", isRepeatable: true, "Where to listen (server.listen).")

extension Command {
    package static func plexichat(_ bodies: CommandBodies) -> Command {
        Command(
            "plexichat", "PlexiChat, a server for calls and chat.",
            commands: [
                serve(bodies.serve), doctor(bodies.doctor), admin(bodies), vault(bodies.vault), backup(bodies.backup),
                recordings(bodies.recordings),
                config,
                turn(bodies),
                openAPI(bodies.openAPI),
                version, completions(bodies),
            ])
    }

    private static func serve(_ body: @escaping Body) -> Command {
        Command(
            "serve", "Start the server.",
            discussion: """
                It runs in the foreground until SIGTERM or SIGINT, and logs to standard error. The first start makes the user
                `admin` and shows the password once; set PLEXICHAT_ADMIN_PASSWORD to choose it.
                """,
            options: configurationOptions + [listenOption], run: body)
    }

    private static func doctor(_ body: @escaping Body) -> Command {
        Command(
            "doctor", "Say which part is not well, and what to do.",
            discussion: "Exit code 0 when all is well, 1 when something is not.",
            options: configurationOptions + [listenOption], run: body)
    }

    private static func admin(_ bodies: CommandBodies) -> Command {
        Command(
            "admin", "Manage users on this machine, without a login.",
            discussion:
                "Passwords are asked for on the terminal, or read from standard input; never given as arguments.",
            commands: [
                Command(
                    "create-user", "Add a user.",
                    options: configurationOptions + [
                        CommandOption("email", value: "ADDRESS", "The user's e-mail address."),
                        CommandOption("admin", "Make the user an administrator."),
                    ],
                    arguments: [userArgument], run: bodies.createUser),
                Command(
                    "set-password", "Give a user a new password and end all logins.", options: configurationOptions,
                    arguments: [userArgument], run: bodies.setPassword),
                Command(
                    "grant", "Give a user a role.",
                    options: configurationOptions + [CommandOption("revoke", "Take the role away instead.")],
                    arguments: [userArgument, CommandArgument("ROLE", "The role, e.g. `admin`.")], run: bodies.grant),
                Command(
                    "token", "Print an access token for a user, for scripts and trouble-shooting.",
                    options: configurationOptions + [
                        CommandOption("lifetime", value: "DURATION", "How long it works, e.g. 15m."),
                        CommandOption("scope", value: "SCOPE", isRepeatable: true, "Limit it to this scope."),
                    ],
                    arguments: [userArgument], run: bodies.token),
            ])
    }

    private static let userArgument = CommandArgument("NAME", "The user's name.")

    private static func openAPI(_ body: @escaping Body) -> Command {
        Command(
            "openapi", "Print the API's description (OpenAPI 3.1).",
            options: [
                CommandOption(
                    "dialect", value: "NAME", "One dialect's document instead of the merged one.",
                    completion: .words(["manual", "reference", "design", "calls", "rooms"])),
                CommandOption("output", letter: "o", value: "FILE", "Write it to a file.", completion: .file),
            ],
            run: body)
    }

    private static var version: Command {
        Command("version", "Print the version.") { invocation in
            invocation.output.line("plexichat \(ProductVersion.text)")
            return .success
        }
    }

    private static func completions(_ bodies: CommandBodies) -> Command {
        Command(
            "completions", "Print a script that completes plexichat's commands in a shell.",
            discussion: """
                bash: plexichat completions bash > ~/.local/share/bash-completion/completions/plexichat
                zsh:  plexichat completions zsh > a folder of $fpath, as _plexichat
                fish: plexichat completions fish > ~/.config/fish/completions/plexichat.fish
                """,
            arguments: [
                CommandArgument(
                    "SHELL", "bash, zsh or fish.", completion: .words(CompletionScript.Shell.allCases.map(\.rawValue)))
            ]
        ) { invocation in
            guard let shell = invocation.argument("SHELL").flatMap(CompletionScript.Shell.init) else {
                invocation.output.complain("plexichat: completions are made for bash, zsh and fish")
                return .usage
            }
            invocation.output.text(CompletionScript.text(for: .plexichat(bodies), shell))
            return .success
        }
    }
}

package enum ProductVersion {
    package static let text = "0.1.0"
}
