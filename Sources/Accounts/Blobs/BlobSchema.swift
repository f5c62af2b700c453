// The tables of the blob ledger, in the common subset of SQL. docs/chat/files.md says what they mean.

import Store

enum BlobSchema {
    static let ledger = Migration(
        name: "blobs-0001",
        sql: [
            // Every blob that is in the store, and those that are about to be: a row is written before the store keeps
            // anything. `holds` counts its rows in `blob_holds`.
            """
            CREATE TABLE blobs (
                hash BLOB NOT NULL PRIMARY KEY, size INTEGER NOT NULL, holds INTEGER NOT NULL, deleting_since INTEGER,
                created_at INTEGER NOT NULL
            ) STRICT
            """,
            "CREATE INDEX blobs_unheld ON blobs (created_at) WHERE holds = 0",
            // Who needs a blob: a file (place 0 its content, 1 its thumbnail), an avatar, an image of the settings.
            """
            CREATE TABLE blob_holds (
                holder BLOB NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL REFERENCES blobs (hash),
                pot INTEGER NOT NULL, user_id BLOB NOT NULL, organization_id BLOB, charged INTEGER NOT NULL,
                PRIMARY KEY (holder, place)
            ) STRICT, WITHOUT ROWID
            """,
            // `owner` is a user or an organisation. No foreign key: a row of zeros outlives its owner without harm.
            """
            CREATE TABLE blob_usage (
                owner BLOB NOT NULL, pot INTEGER NOT NULL, used INTEGER NOT NULL, reserved INTEGER NOT NULL,
                CONSTRAINT blob_usage_not_negative CHECK (used >= 0 AND reserved >= 0), PRIMARY KEY (owner, pot)
            ) STRICT, WITHOUT ROWID
            """,
            // Space that is kept for an upload, and the blob that it has stored and nobody holds yet.
            """
            CREATE TABLE blob_reservations (
                id BLOB NOT NULL PRIMARY KEY, pot INTEGER NOT NULL, user_id BLOB NOT NULL, organization_id BLOB,
                bytes INTEGER NOT NULL, hash BLOB, outlives_process INTEGER NOT NULL, expires_at INTEGER NOT NULL
            ) STRICT
            """,
            "CREATE INDEX blob_reservations_by_hash ON blob_reservations (hash) WHERE hash IS NOT NULL",
            "CREATE INDEX blob_reservations_by_end ON blob_reservations (expires_at)",
        ])
}
