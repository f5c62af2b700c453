// `plexichat vault …`: the keys of this machine's data.

/// The bodies that `plexichat` supplies.
package struct VaultCommandBodies: Sendable {
    package var status: Command.Body
    package var rotate: Command.Body
    package var rewrap: Command.Body
    package var disable: Command.Body
    package var enable: Command.Body
    package var destroy: Command.Body
    package var keep: Command.Body
    package var shares: Command.Body
    package var recover: Command.Body
    package var rekeyRoot: Command.Body

    package init(
        status: @escaping Command.Body, rotate: @escaping Command.Body, rewrap: @escaping Command.Body,
        disable: @escaping Command.Body, enable: @escaping Command.Body, destroy: @escaping Command.Body,
        keep: @escaping Command.Body, shares: @escaping Command.Body, recover: @escaping Command.Body,
        rekeyRoot: @escaping Command.Body
    ) {
        self.status = status
        self.rotate = rotate
        self.rewrap = rewrap
        self.disable = disable
        self.enable = enable
        self.destroy = destroy
        self.keep = keep
        self.shares = shares
        self.recover = recover
        self.rekeyRoot = rekeyRoot
    }
}

extension Command {
    static func vault(_ bodies: VaultCommandBodies) -> Command {
        Command(
            "vault", "Look after the keys of this machine's data.",
            discussion: """
                Works with the server running or not; the running server sees a change within a minute. Every change is in
                the audit log. docs/operate/keys.md tells more.
                """,
            commands: [
                Command(
                    "status", "Show the root key's source and all keys with their versions.",
                    options: configurationOptions, run: bodies.status),
                Command(
                    "rotate", "Make a new version of a key; the older ones open on.",
                    options: configurationOptions + [
                        CommandOption(
                            "schedule", value: "WHEN",
                            "Set when it is rotated instead: 90d, five fields as cron has them (UTC), or `policy`.")
                    ], arguments: [keyArgument], run: bodies.rotate),
                Command(
                    "rewrap", "Have what older versions of a key sealed sealed by the active one, now.",
                    options: configurationOptions, arguments: [keyArgument], run: bodies.rewrap),
                Command(
                    "disable", "Have a version open nothing, until it is enabled.", options: configurationOptions,
                    arguments: [versionArgument], run: bodies.disable),
                Command(
                    "enable", "Have a disabled version open again.", options: configurationOptions,
                    arguments: [versionArgument], run: bodies.enable),
                Command(
                    "destroy", "Have a version destroyed after a waiting time.",
                    discussion: """
                        It opens nothing from now on. Until its time has come, `plexichat vault keep` takes that back. What it
                        still opens stands in the way: have that sealed anew first (`plexichat vault rewrap`).
                        """,
                    options: configurationOptions + [
                        CommandOption("force", "Also when it still opens something, which is lost with it."),
                        CommandOption(
                            "wait", value: "DURATION", "The waiting time, 1h to 365d (vault.destruction_wait)."),
                    ], arguments: [versionArgument], run: bodies.destroy),
                Command(
                    "keep", "Take back that a version is to be destroyed; it is disabled then.",
                    options: configurationOptions, arguments: [versionArgument], run: bodies.keep),
            ] + rootCommands(bodies))
    }

    /// What is done to the root key.
    private static func rootCommands(_ bodies: VaultCommandBodies) -> [Command] {
        [
            Command(
                "shares", "Print the root key in parts, some of which bring it back.",
                discussion: """
                    Give each to another person, on paper. They go to standard output, and nowhere else. Shares that were
                    made before work as long as the root key is the same.
                    """,
                options: configurationOptions + [
                    CommandOption("of", value: "COUNT", "How many shares: 2 to 32."),
                    CommandOption(
                        "needed", value: "COUNT", "How many of them bring the root key back: at least 2."),
                ], run: bodies.shares),
            Command(
                "recover", "Write the root key into a new file, from shares on standard input, one a line.",
                options: configurationOptions + [
                    CommandOption(
                        "output", letter: "o", value: "FILE",
                        "The file, which must not be there; without: where vault.root_key looks for it.",
                        completion: .file),
                    CommandOption(
                        "place", letter: "p", value: "PLACE", isRepeatable: true,
                        "A place of backups, where the data is lost too: what the shares give is compared with the keys that "
                            + "lie there.",
                        completion: .folder),
                ], run: bodies.recover),
            Command(
                "rekey-root", "Replace the root key, and wrap all keys anew under the new one.",
                discussion: """
                    Without --to a new key takes the place of the file in use, which stays as FILE.old for backups from
                    before. With --to, set vault.root_key to the same before the next start. A file must not be there yet;
                    any other source must hold a new key or passphrase already.
                    """,
                options: configurationOptions + [
                    CommandOption(
                        "to", value: "SOURCE",
                        "Where the next root key comes from, as vault.root_key has it: file:PATH, environment:NAME, "
                            + "credential:NAME, passphrase:file:PATH.")
                ], run: bodies.rekeyRoot),
        ]
    }

    private static let keyArgument = CommandArgument("KEY", "The key's name, e.g. `backup`.")
    private static let versionArgument = CommandArgument("KEY:VERSION", "A version of a key, e.g. `backup:1`.")
}
