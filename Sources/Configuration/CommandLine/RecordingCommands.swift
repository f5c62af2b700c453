// `plexichat recordings`: what was recorded, by who has the machine.

/// The bodies of its commands.
package struct RecordingCommandBodies: Sendable {
    package var list: Command.Body
    package var verify: Command.Body
    package var export: Command.Body
    package var decrypt: Command.Body

    package init(
        list: @escaping Command.Body, verify: @escaping Command.Body, export: @escaping Command.Body,
        decrypt: @escaping Command.Body
    ) {
        self.list = list
        self.verify = verify
        self.export = export
        self.decrypt = decrypt
    }
}

extension Command {
    static func recordings(_ bodies: RecordingCommandBodies) -> Command {
        Command(
            "recordings", "List, verify, export and decrypt recordings of calls.",
            discussion: """
                Opens recordings with the keys of this machine's data, with the server running or not. What is exported
                or decrypted is no longer encrypted: take care of it. docs/operate/recordings-cli.md tells more.
                """,
            commands: [
                Command("list", "List the recordings.", options: common, run: bodies.list),
                Command(
                    "verify", "Read every byte, and say what is not as it was written.",
                    discussion: "Exit code 0 when all is whole, 1 when something is not.",
                    options: common,
                    arguments: [CommandArgument("ID", isOptional: true, "The recording; without, all of them.")],
                    run: bodies.verify),
                Command(
                    "export", "Make files that can be played: one for each track, who spoke when, and a manifest.",
                    discussion: """
                        Of who withdrew their consent nothing is exported. One that was stopped goes on where it was when it
                        is started again with the same folder.
                        """,
                    options: common + [
                        CommandOption("to", value: "DIR", "The folder to write to.", completion: .folder),
                        CommandOption("salvage", "Pass over what is damaged, and say what it was."),
                    ],
                    arguments: [recordingArgument], run: bodies.export),
                Command(
                    "decrypt",
                    "Write the segments in the clear (docs/formats/journal.md), for other programs.",
                    discussion: "All of it, of who withdrew as well: that is why it asks for --everything.",
                    options: common + [
                        CommandOption("to", value: "DIR", "The folder to make.", completion: .folder),
                        CommandOption("everything", "Yes, also what may not be given out."),
                    ],
                    arguments: [recordingArgument], run: bodies.decrypt),
            ])
    }

    private static let recordingArgument = CommandArgument("ID", "The recording.")

    private static let common =
        configurationOptions + [
            CommandOption(
                "in", value: "DIR",
                "The folder with the recordings' folders; without, `recordings` in the data folder.",
                completion: .folder)
        ]
}
