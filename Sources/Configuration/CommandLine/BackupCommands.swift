// `plexichat backup`: copies of all that the server keeps, and back.

/// The bodies of its commands.
package struct BackupCommandBodies: Sendable {
    package var create: Command.Body
    package var list: Command.Body
    package var verify: Command.Body
    package var restore: Command.Body
    package var remove: Command.Body
    package var drill: Command.Body

    package init(
        create: @escaping Command.Body, list: @escaping Command.Body, verify: @escaping Command.Body,
        restore: @escaping Command.Body, remove: @escaping Command.Body, drill: @escaping Command.Body
    ) {
        self.create = create
        self.list = list
        self.verify = verify
        self.restore = restore
        self.remove = remove
        self.drill = drill
    }
}

extension Command {
    static func backup(_ bodies: BackupCommandBodies) -> Command {
        Command(
            "backup", "Make, list, verify and restore backups.",
            discussion: """
                A backup lies in one or more places, encrypted with keys that the server's root key protects: keep a copy of
                that key elsewhere, for without it nothing can be restored. The server may run meanwhile.
                docs/formats/backup.md tells what lies where.
                """,
            commands: [
                Command(
                    "create", "Make a backup.",
                    options: common + [
                        CommandOption(
                            "new",
                            "Make the repository when there is none yet, and a place of each folder that is none."),
                        CommandOption(
                            "protection", value: "COPIES|K+M",
                            "To how many places everything is copied, or of how many pieces (K and M more) any K are "
                                + "enough. Without: backup.protection, or else a copy in every place."),
                        CommandOption("incremental", "Do not read what is known not to have changed."),
                        CommandOption("limit", value: "BYTES", "Bytes a second to write; without: backup.bandwidth."),
                        CommandOption("note", value: "TEXT", "A note to find it by."),
                    ], run: bodies.create),
                Command("list", "List the backups.", options: common, run: bodies.list),
                Command(
                    "verify", "Say whether backups could be restored.",
                    discussion: "Exit code 0 when they could, 1 when something of them is lost.",
                    options: common + [
                        CommandOption("structure", "Do not read every byte: only what lists what, and what is there.")
                    ],
                    arguments: [CommandArgument("ID", isOptional: true, "The backup; without, all of them.")],
                    run: bodies.verify),
                Command(
                    "restore", "Restore a backup to a folder.",
                    discussion: """
                        `data` in the restored folder is a data folder: put the root key into it as `root.key`, and start the
                        server with it. A PostgreSQL database is there as `data/plexichat.pgdump`, for pg_restore.
                        """,
                    options: common + [
                        CommandOption(
                            "to", value: "DIR",
                            "The folder to restore to; absent or empty. Without: one of its own in backup.restore_folder.",
                            completion: .folder),
                        CommandOption("overwrite", "Replace the folder by what is restored, in one step."),
                        CommandOption(
                            "merge", "Restore what the folder lacks; what is there stays, a database as a whole."),
                        CommandOption(
                            "only", value: "PATH", isRepeatable: true, "Restore this item, or all below this folder."),
                    ],
                    arguments: [CommandArgument("ID", "The backup, or `latest`.")], run: bodies.restore),
                Command(
                    "remove", "Remove backups, and what only they needed.",
                    discussion:
                        "The newest backup is never removed. With neither an ID nor --keep…, only leftovers go.",
                    options: common + [
                        CommandOption("keep-last", value: "COUNT", "Keep the last COUNT, and remove others."),
                        CommandOption("keep-daily", value: "COUNT", "Keep one of each of the last COUNT days."),
                        CommandOption("keep-weekly", value: "COUNT", "Keep one of each of the last COUNT weeks."),
                        CommandOption("keep-monthly", value: "COUNT", "Keep one of each of the last COUNT months."),
                    ],
                    arguments: [CommandArgument("ID", isOptional: true, "The backup.")], run: bodies.remove),
                drill(bodies.drill),
            ])
    }

    private static func drill(_ body: @escaping Command.Body) -> Command {
        Command(
            "drill", "Prove that a server comes back from a backup.",
            discussion: """
                Restores the backup beside the data, looks at the root key, the audit log, the rows and the files that they speak
                of, starts a server from it on a port of the loopback and waits until it is ready; then all of that is removed.
                That server reaches nobody. Exit code 0 when all of it went well, 1 when not.
                """,
            options: common + [
                CommandOption(
                    "scratch", value: "DIR",
                    "Where to restore to, with room for all of it. Without: backup.restore_folder.", completion: .folder
                ),
                CommandOption("keep", "Leave what was restored where it is."),
            ],
            arguments: [CommandArgument("ID", isOptional: true, "The backup; without, the latest.")], run: body)
    }

    private static let common =
        configurationOptions + [
            CommandOption(
                "place", letter: "p", value: "PLACE", isRepeatable: true,
                "A folder of the repository, or s3://BUCKET/PREFIX; without any: backup.places. Each on a disk or with a "
                    + "provider of its own, for pieces that lie together are lost together.",
                completion: .folder)
        ]
}
