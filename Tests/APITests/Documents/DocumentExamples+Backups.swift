// manual.md, "Backup Management APIs", and reference.md's row of backups. What the documents leave open is ours:
// docs/protocol/backups.md.

import Base
import Wire

extension DocumentExample {
    private static let taskDeviations = ["task_id": "where to follow it"]

    private static let backup = """
        {"backup_id": "uuid", "status": "available", "type": "full", "snapshot_at": "datetime", "created_at": "datetime",
         "items": 3, "size_bytes": 900000, "new_bytes": 1, "protection": {"data": 1, "parity": 2},
         "program": "string", "note": "string", "task_id": null, "error": null,
         "verification": {"status": "unverified", "checked_at": null, "depth": null}}
        """

    static let manualBackups = [
        DocumentExample(
            document: "manual, Create Backup", method: .post, path: "/backups/create", caller: .admin,
            body: """
                {
                    "type": "full",
                    "include": ["db", "attachments"],
                    "encryption": { "algorithm": "PQ-Kyber-AES-hybrid", "key_rotation": "auto" },
                    "destination": { "type": "distributed", "replication": 3 }
                }
                """, status: 202, answer: #"{ "backup_id": "...", "status": "started" }"#, equal: ["status"],
            deviations: taskDeviations),
        DocumentExample(
            document: "manual, Start a backup (admin)", method: .post, path: "/backups/create", caller: .admin,
            body: """
                {
                    "type": "incremental",
                    "include": ["db", "attachments"],
                    "encryption": {"algorithm": "PQ-Kyber-AES-hybrid"},
                    "destination": {"type": "distributed", "replication": 3}
                }
                """, status: 202, answer: #"{ "backup_id": "...", "status": "started" }"#, deviations: taskDeviations),
        DocumentExample(
            document: "manual, List Backups", method: .get, path: "/backups", caller: .admin,
            answer: #"{"backups": [], "total": 0, "findings": [], "running_task_id": null}"#, equal: ["total"]),
        DocumentExample(
            document: "manual, Get Backup Metadata", method: .get, path: "/backups/$backup", caller: .admin,
            answer: backup, equal: ["items", "size_bytes", "protection.parity", "verification.status"]),
        DocumentExample(
            document: "manual, Verify Backup Integrity", method: .post, path: "/backups/$backup/verify", caller: .admin,
            answer: """
                {"backup_id": "uuid", "task_id": "uuid", "state": "succeeded", "verdict": "whole", "depth": "every_byte",
                 "is_restorable": true, "checksums_match": true, "items": 3, "packs": 1, "bytes": 1,
                 "shards": [{"place": "string", "good": 1, "bad": 0}], "failures": [], "warnings": []}
                """, equal: ["state", "verdict", "checksums_match", "items"]),
        DocumentExample(
            document: "manual, Restore Backup", method: .post, path: "/backups/$backup/restore", caller: .admin,
            body: """
                {
                    "target_node_id": null,
                    "restore_options": { "overwrite": false, "merge": true }
                }
                """, status: 202, answer: #"{ "task_id": "..." }"#, deviations: ["folder": "where it goes"]),
        DocumentExample(
            document: "manual, Delete Backup", method: .delete, path: "/backups/$backup", caller: .admin, status: 204),
    ]

    static let referenceBackup = [
        DocumentExample(
            document: "reference", method: .post, path: "/api/v1/admin/backup", caller: .admin,
            body: """
                {
                    "include_files": true,
                    "include_database": true,
                    "compression": "gzip",
                    "encryption": true
                }
                """, status: 202,
            answer: """
                {"backup_id": "uuid", "status": "started", "task_id": "uuid", "compression": "zstd", "encryption": true}
                """, equal: ["status", "compression"])
    ]
}
