// The tables of files, in the common subset of SQL. docs/chat/files.md says what they mean.

import Store

enum FileSchema {
    static let migration = Migration(name: "files-0001", sql: files + shares + uploads)

    private static let files: [MigrationStep] = [
        // `state`: 0 is kept, 1 is kept as long as a message holds it, 2 is gone. `category` and `name_folded` are what
        // lists go by.
        """
        CREATE TABLE files (
            id BLOB NOT NULL PRIMARY KEY, uploader_id BLOB NOT NULL, conversation_id BLOB, state INTEGER NOT NULL,
            name TEXT NOT NULL, name_folded TEXT NOT NULL, summary TEXT, type TEXT NOT NULL, category TEXT NOT NULL,
            size INTEGER NOT NULL, hash BLOB NOT NULL, is_sealed INTEGER NOT NULL, scan INTEGER NOT NULL,
            width INTEGER, height INTEGER, pages INTEGER, title TEXT, author TEXT,
            thumbnail_type TEXT, thumbnail_size INTEGER, thumbnail_hash BLOB, created_at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX files_by_uploader ON files (uploader_id, created_at)",
        "CREATE INDEX files_by_conversation ON files (conversation_id, created_at) WHERE conversation_id IS NOT NULL",
        "CREATE INDEX files_to_remove ON files (id) WHERE state <> 0",
        "CREATE INDEX files_to_scan ON files (created_at) WHERE scan = 0",
        // Which messages hold a file. Written with the message, like what hangs on it.
        """
        CREATE TABLE file_attachments (
            file_id BLOB NOT NULL, message_id BLOB NOT NULL, conversation_id BLOB NOT NULL,
            PRIMARY KEY (file_id, message_id)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX file_attachments_by_message ON file_attachments (message_id)",
        "CREATE INDEX file_attachments_by_conversation ON file_attachments (conversation_id)",
    ]

    private static let shares: [MigrationStep] = [
        """
        CREATE TABLE file_shares (
            id BLOB NOT NULL PRIMARY KEY, file_id BLOB NOT NULL REFERENCES files (id) ON DELETE CASCADE,
            token_hash BLOB NOT NULL UNIQUE, created_by BLOB NOT NULL, expires_at INTEGER, max_downloads INTEGER,
            downloads INTEGER NOT NULL, created_at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX file_shares_by_file ON file_shares (file_id)",
        "CREATE INDEX file_shares_by_end ON file_shares (expires_at) WHERE expires_at IS NOT NULL",
    ]

    private static let uploads: [MigrationStep] = [
        // `outcome`: NULL while it is under way, else the file it became (16 bytes), or nothing (0 bytes) when it was
        // ended. Such a row stays a day, to say so. `lease` is whose request writes to it, until `leased_until`.
        """
        CREATE TABLE file_uploads (
            id BLOB NOT NULL PRIMARY KEY, user_id BLOB NOT NULL, conversation_id BLOB, organization_id BLOB, name TEXT,
            declared_type TEXT, summary TEXT, is_sealed INTEGER NOT NULL, length INTEGER NOT NULL,
            received INTEGER NOT NULL, parts INTEGER NOT NULL, reservation BLOB NOT NULL, outcome BLOB, lease BLOB,
            leased_until INTEGER, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX file_uploads_by_user ON file_uploads (user_id)",
        "CREATE INDEX file_uploads_by_end ON file_uploads (expires_at)",
        // In the ledger, a part is held by `holder`, a name of its own.
        """
        CREATE TABLE file_upload_parts (
            upload_id BLOB NOT NULL REFERENCES file_uploads (id) ON DELETE CASCADE, place INTEGER NOT NULL,
            holder BLOB NOT NULL, hash BLOB NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (upload_id, place)
        ) STRICT, WITHOUT ROWID
        """,
    ]
}
