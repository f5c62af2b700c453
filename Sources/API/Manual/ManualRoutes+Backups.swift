// manual.md, "Backup Management APIs", but for schedules. docs/protocol/backups.md is normative for what the document leaves
// open.

import Accounts
import Backup
import Base
import Tasks
import Wire

extension ManualRoutes {
    /// What the document calls it; what it is: docs/protocol/backups.md.
    static let backupAlgorithm = "PQ-Kyber-AES-hybrid"
    private static let listMax: Int64 = 100
    private static let selectionMax = 1_000

    static var backups: [Route] {
        [
            .post(
                "/backups/create", .scope([.backups, .backupsAdmin]), "Start a backup", status: .accepted,
                limit: .admin, body: .json(createSchema), answer: ManualBackupPresenter.startedSchema
            ) { call in
                let backup = UUID.timeOrdered(at: call.time)
                let task = try await call.backups.start(
                    try request(call), by: try call.backupCaller, as: backup)
                return ManualBackupPresenter.started(backup, task)
            },
            .get(
                "/backups", .scope([.backups, .backupsAdmin]), "All backups, newest first", limit: .admin,
                query: [
                    Parameter("limit", .integer(1...listMax), "50 where it is not given"), Parameter("offset", .count),
                ], answer: ManualBackupPresenter.listSchema
            ) { call in
                let listing = try await call.backups.backups(
                    offset: call.queryInteger("offset", default: 0), limit: call.queryInteger("limit", default: 50))
                return ManualBackupPresenter.list(listing)
            },
            .get(
                "/backups/{backup_id}", .scope([.backups, .backupsAdmin]), "One backup", limit: .admin,
                answer: ManualBackupPresenter.schema
            ) { call in
                let id = try call.backupID
                return ManualBackupPresenter.reply(try await call.backups.backup(id), id)
            },
            .post(
                "/backups/{backup_id}/verify", .scope(.backupsAdmin), "Look whether a backup is whole", limit: .admin,
                body: .optionalJSON(
                    .object([.optional("depth", .choice(["every_byte", "structure"]), "every_byte if not given")])),
                answer: ManualBackupPresenter.reportSchema
            ) { call in
                let depth = call.optionalText("depth").flatMap { VerificationReport.Depth(name: $0) } ?? .everyByte
                let id = try call.backupID
                return ManualBackupPresenter.report(
                    try await call.backups.verify(id, depth, by: try call.backupCaller), id)
            },
            .post(
                "/backups/{backup_id}/restore", .scope(.backupsAdmin), "Restore a backup into a folder of its own",
                status: .accepted, limit: .admin, body: .optionalJSON(restoreSchema),
                answer: ManualBackupPresenter.restoreSchema
            ) { call in
                let (service, wanted) = (try call.backups, try restoreRequest(call))
                let task = try await service.restore(wanted, by: try call.backupCaller)
                return ManualBackupPresenter.restoring(task, to: service.restoreFolder(of: wanted.backup))
            },
            .delete(
                "/backups/{backup_id}", .scope(.backupsAdmin), "Remove a backup, and what only it needs", limit: .admin
            ) { call in
                try await call.backups.remove(try call.backupID, by: try call.backupCaller)
                return .empty
            },
        ]
    }

    // MARK: Bodies

    private static let createSchema = Schema.object([
        .optional("type", .choice(["full", "incremental"]), "full where it is not given"),
        .optional(
            "include", .array(.choice(BackupPart.allCases.map(\.rawValue)), limit: 16), "All where it is not given"),
        .optional("encryption", encryptionSchema),
        .optional("destination", destinationSchema),
        .optional("note", .text(0...256)),
    ])

    static let encryptionSchema = Schema.object([
        .optional("algorithm", .choice([backupAlgorithm])),
        .optional("key_rotation", .choice(["auto", "none"]), "none where it is not given"),
    ])

    static let destinationSchema = Schema.object([
        .optional("type", .choice(BackupDestination.Kind.allCases.map(\.rawValue))),
        .optional("replication", .integer(1...Int64(BackupLimits.places)), "Copies of everything"),
    ])

    static func request(_ call: Call) throws -> BackupRequest {
        var request = BackupRequest(isIncremental: call.optionalText("type") == "incremental")
        if let parts = call.body["include"]?.arrayValue {
            request.parts = Set(parts.compactMap { $0.stringValue.flatMap { BackupPart(rawValue: $0) } })
        }
        request.rotatesKeys = call.body["encryption"]?["key_rotation"]?.stringValue == "auto"
        if let destination = call.body["destination"] {
            let kind = destination["type"]?.stringValue.flatMap { BackupDestination.Kind(rawValue: $0) }
            request.destination = BackupDestination(
                kind ?? .distributed, replication: destination["replication"]?.integerValue.map { Int(clamping: $0) })
        }
        request.note = call.optionalText("note") ?? ""
        return request
    }

    private static let restoreSchema = Schema.object([
        .optional("target_node_id", .nullable(.text(0...256)), "The server's own, or none"),
        .optional(
            "restore_options",
            .object([
                .optional("overwrite", .boolean, "Exchange what is in the folder"),
                .optional("merge", .boolean, "Keep what is in the folder, and add what is absent"),
                .optional("items", .array(.text(1...1_024), limit: selectionMax), "Paths; all where it is not given"),
            ])),
    ])

    private static func restoreRequest(_ call: Call) throws -> BackupRestoreRequest {
        let node = try call.backups.node
        if let wanted = call.optionalText("target_node_id"), !wanted.isEmpty, wanted != node {
            throw FieldFault(
                "target_node_id", .value,
                "names another server; a backup is restored on the server that is asked (\(node))")
        }
        let options = call.body["restore_options"]
        var request = BackupRestoreRequest(try call.backupID)
        request.overwrites = options?["overwrite"]?.boolValue ?? false
        request.merges = options?["merge"]?.boolValue ?? false
        for (index, item) in (options?["items"]?.arrayValue ?? []).enumerated() {
            guard let path = item.stringValue.flatMap({ ItemPath($0) }) else {
                throw FieldFault("restore_options.items[\(index)]", .value, "is not the path of an item")
            }
            request.selection.append(path)
        }
        return request
    }
}
