// The tables of calls and presence, in the common subset of SQL.

package import Store

package enum SignalingSchema {
    package static let migrations: [Migration] = [first, nodes, recordings]

    /// Whose call it is: NULL for those of releases before this.
    private static let nodes = Migration(
        name: "signaling-0002", sql: ["ALTER TABLE calls ADD COLUMN node_id TEXT"])

    /// No foreign key to the call or to who began it: a recording stays when they are gone. `consents` is JSON
    /// (Recording/RecordingJSON.swift). A row whose `deleted_at` is set is the proof that there was one.
    private static let recordings = Migration(
        name: "signaling-0003",
        sql: [
            """
            CREATE TABLE recordings (
                id BLOB NOT NULL PRIMARY KEY, call_id BLOB NOT NULL, started_by BLOB NOT NULL, policy TEXT NOT NULL,
                store TEXT NOT NULL, key_version INTEGER NOT NULL, task_id BLOB NOT NULL, node_id TEXT NOT NULL,
                state TEXT NOT NULL, end_reason TEXT, started_at INTEGER NOT NULL, ended_at INTEGER,
                consents TEXT NOT NULL, size_bytes INTEGER NOT NULL, folder TEXT,
                legal_hold INTEGER NOT NULL, deleted_at INTEGER, deleted_by BLOB
            ) STRICT
            """,
            "CREATE INDEX recordings_by_call ON recordings (call_id)",
            "CREATE INDEX recordings_by_owner ON recordings (started_by, started_at)",
            "CREATE INDEX recordings_by_state ON recordings (state)",
            """
            CREATE TABLE recording_shares (
                recording_id BLOB NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
                user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                shared_by BLOB NOT NULL, shared_at INTEGER NOT NULL, PRIMARY KEY (recording_id, user_id)
            ) STRICT
            """,
            "CREATE INDEX recording_shares_by_user ON recording_shares (user_id)",
        ])

    private static let first = Migration(
        name: "signaling-0001",
        sql: [
            // No foreign key to the caller: a call stays in the history of those who are left. `seen_at` is when the
            // server last knew a live call, so that a crash can be dated.
            """
            CREATE TABLE calls (
                id BLOB NOT NULL PRIMARY KEY, shape TEXT NOT NULL, kind TEXT NOT NULL, caller_id BLOB NOT NULL,
                host_id BLOB NOT NULL, conversation_id BLOB, state TEXT NOT NULL, end_reason TEXT,
                is_locked INTEGER NOT NULL, created_at INTEGER NOT NULL, answered_at INTEGER, ended_at INTEGER,
                seen_at INTEGER NOT NULL
            ) STRICT
            """,
            "CREATE INDEX calls_by_caller ON calls (caller_id, created_at)",
            "CREATE INDEX calls_by_state ON calls (state)",
            // `measurements` is JSON (Calls/MeasurementsJSON.swift); NULL where nothing was measured.
            """
            CREATE TABLE call_participants (
                call_id BLOB NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
                user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                place INTEGER NOT NULL, state TEXT NOT NULL, session_id BLOB NOT NULL, permissions INTEGER NOT NULL,
                invited_at INTEGER NOT NULL, joined_at INTEGER, left_at INTEGER, measurements TEXT,
                PRIMARY KEY (call_id, user_id)
            ) STRICT
            """,
            "CREATE INDEX call_participants_by_user ON call_participants (user_id, invited_at)",
            """
            CREATE TABLE presence_seen (
                user_id BLOB NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE, seen_at INTEGER NOT NULL
            ) STRICT
            """,
        ])
}
