// manual.md, "Schedule Backup": the row is the document's, its body ours (docs/protocol/backup-schedules.md).

import Base
import Wire

extension DocumentExample {
    static let manualBackupSchedules = [
        DocumentExample(
            document: "manual, Schedule Backup", method: .post, path: "/backups/schedule", caller: .admin,
            body: """
                {"cron": "0 3 * * *", "time_zone": "UTC", "type": "incremental", "include": ["db", "attachments"],
                 "encryption": {"algorithm": "PQ-Kyber-AES-hybrid", "key_rotation": "auto"},
                 "destination": {"type": "distributed", "replication": 3},
                 "retention": {"last": 7, "weekly": 4, "monthly": 12}}
                """, status: 201,
            answer: """
                {"schedule_id": "uuid", "cron": "0 3 * * *", "time_zone": "UTC", "type": "incremental",
                 "include": ["db", "attachments"],
                 "encryption": {"algorithm": "PQ-Kyber-AES-hybrid", "key_rotation": "auto"},
                 "destination": {"type": "distributed", "replication": 3},
                 "retention": {"last": 7, "daily": 0, "weekly": 4, "monthly": 12}, "enabled": true,
                 "created_at": "datetime", "created_by": "uuid", "next_run_at": "datetime", "is_running": false,
                 "last_run": null, "last_success_at": null}
                """,
            equal: ["cron", "time_zone", "type", "include", "encryption", "destination", "retention", "enabled"])
    ]
}
