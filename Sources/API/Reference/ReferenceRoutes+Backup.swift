// reference.md, "POST /api/v1/admin/backup". docs/protocol/backups.md says what its members do here.

import Backup
import Base
import Wire

extension ReferenceRoutes {
    /// What blocks are compressed with, whatever was asked for.
    private static let compression = "zstd"

    static var backup: [Route] {
        [
            .post(
                "/api/v1/admin/backup", .admin, "Start a full backup", status: .accepted, limit: .admin,
                body: .optionalJSON(
                    .object([
                        .optional("include_files", .boolean, "true where it is not given"),
                        .optional("include_database", .boolean, "true where it is not given"),
                        .optional("compression", .choice(["gzip", "zstd"]), "Zstandard either way"),
                        .optional("encryption", .boolean, "There are no backups that are not encrypted"),
                    ])), answer: answerSchema
            ) { call in
                guard call.body["encryption"]?.boolValue ?? true else {
                    throw FieldFault("encryption", .value, "must be true: backups are always encrypted")
                }
                let id = UUID.timeOrdered(at: call.time)
                let task = try await call.backups.start(try request(call), by: try call.backupCaller, as: id)
                return ReferencePresenter.reply { json in
                    json.field("backup_id", id)
                    json.field("status", "started")
                    json.field("task_id", task)
                    json.field("compression", compression)
                    json.field("encryption", true)
                }
            }
        ]
    }

    private static func request(_ call: Call) throws -> BackupRequest {
        var parts: Set<BackupPart> = []
        if call.body["include_files"]?.boolValue ?? true { parts.insert(.attachments) }
        if call.body["include_database"]?.boolValue ?? true { parts.insert(.database) }
        guard !parts.isEmpty else {
            throw FieldFault("include_database", .value, "must be true where include_files is not")
        }
        return BackupRequest(isIncremental: false, parts: parts.union([.configuration]))
    }

    private static let answerSchema = Schema.object([
        .required("backup_id", .uuid), .required("status", .choice(["started"])), .required("task_id", .uuid),
        .required("compression", .choice([compression])), .required("encryption", .boolean),
    ])
}

extension ReferenceFormat {
    func problem(of error: BackupServiceError) -> Problem {
        switch error.kind {
        case .invalid(let fault): problem(for: .validation(fault))
        case .notFound: error.problem(code: "RESOURCE_NOT_FOUND")
        case .conflict: error.problem(code: "CONFLICT")
        case .inProgress: error.problem(code: "BACKUP_IN_PROGRESS")
        case .quotaExceeded: error.problem(code: "QUOTA_EXCEEDED")
        case .unavailable: error.problem(code: "SERVICE_UNAVAILABLE")
        }
    }
}
