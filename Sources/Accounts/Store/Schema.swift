// The tables of accounts, in the common subset of SQL: identifiers are 16-byte blobs, times microseconds, flags 0 and 1.

package import Store

package enum AccountsSchema {
    package static let migrations: [Migration] = [
        first, systemSettings, ClientSettingTable.migration, BlobSchema.ledger, namedKeys, AvatarTable.migration,
        ClientSettingTable.scans,
    ]

    private static let first = Migration(
        name: "accounts-0001",
        sql: [
            // Names and addresses are unique in their folded forms; `search_folded` is what a list is searched by.
            // `roles` and `scopes` are bit sets (Model/Roles.swift).
            """
            CREATE TABLE users (
                id BLOB NOT NULL PRIMARY KEY, kind INTEGER NOT NULL,
                username TEXT NOT NULL, username_folded TEXT NOT NULL UNIQUE,
                email TEXT, email_folded TEXT UNIQUE,
                display_name TEXT NOT NULL, search_folded TEXT NOT NULL, avatar_url TEXT, public_key TEXT,
                password_hash TEXT, is_active INTEGER NOT NULL, is_verified INTEGER NOT NULL,
                roles INTEGER NOT NULL, scopes INTEGER NOT NULL, tier TEXT NOT NULL, preferences TEXT NOT NULL,
                created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, last_login INTEGER
            ) STRICT
            """,
            """
            CREATE TABLE sessions (
                id BLOB NOT NULL PRIMARY KEY, user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                kind TEXT NOT NULL, created_at INTEGER NOT NULL, last_used_at INTEGER NOT NULL,
                expires_at INTEGER NOT NULL, is_remembered INTEGER NOT NULL, rotates INTEGER NOT NULL,
                scopes INTEGER NOT NULL, label TEXT NOT NULL, address TEXT NOT NULL, user_agent TEXT,
                cookie_hash BLOB UNIQUE, revoked_at INTEGER
            ) STRICT
            """,
            "CREATE INDEX sessions_by_user ON sessions (user_id, created_at)",
            "CREATE INDEX sessions_by_end ON sessions (expires_at)",
            // `used_by` and `salt` are written when the token is exchanged: who did it, and what its successor was
            // derived with, so that the same client's repeated request gets the same answer.
            """
            CREATE TABLE refresh_tokens (
                hash BLOB NOT NULL PRIMARY KEY,
                session_id BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
                generation INTEGER NOT NULL, expires_at INTEGER NOT NULL, used_at INTEGER, used_by BLOB, salt BLOB
            ) STRICT
            """,
            "CREATE UNIQUE INDEX refresh_tokens_by_session ON refresh_tokens (session_id, generation)",
            "CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at)",
            """
            CREATE TABLE api_keys (
                id BLOB NOT NULL PRIMARY KEY, user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                hash BLOB NOT NULL UNIQUE, name TEXT NOT NULL, hint TEXT NOT NULL, access INTEGER NOT NULL,
                scopes INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER, revoked_at INTEGER,
                last_used_at INTEGER
            ) STRICT
            """,
            "CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at)",
            """
            CREATE TABLE signing_keys (
                kid TEXT NOT NULL PRIMARY KEY, public_key BLOB NOT NULL, sealed_seed BLOB NOT NULL,
                created_at INTEGER NOT NULL, retired_at INTEGER, verify_until INTEGER
            ) STRICT
            """,
            // One row per second factor. `sealed` is a TOTP secret, an address or a number, under the vault's key;
            // passkeys keep their public key and counter in the clear.
            """
            CREATE TABLE mfa_factors (
                id BLOB NOT NULL PRIMARY KEY, user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                method TEXT NOT NULL, label TEXT NOT NULL, is_active INTEGER NOT NULL, sealed BLOB,
                last_step INTEGER NOT NULL, credential_id BLOB UNIQUE, credential_key BLOB,
                sign_count INTEGER NOT NULL, created_at INTEGER NOT NULL, last_used_at INTEGER
            ) STRICT
            """,
            "CREATE INDEX mfa_factors_by_user ON mfa_factors (user_id, method)",
            """
            CREATE TABLE recovery_codes (
                user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE, hash BLOB NOT NULL, used_at INTEGER,
                PRIMARY KEY (user_id, hash)
            ) STRICT
            """,
            // What was asked of a client and is not answered yet: the second step of a login, a code that was sent, a
            // WebAuthn ceremony. `token_hash` finds it, `code_hash` is what a sent code is compared with.
            """
            CREATE TABLE challenges (
                token_hash BLOB NOT NULL PRIMARY KEY, user_id BLOB REFERENCES users (id) ON DELETE CASCADE,
                purpose TEXT NOT NULL, attempts INTEGER NOT NULL, sent INTEGER NOT NULL, factor_id BLOB,
                code_hash BLOB, challenge BLOB, session TEXT NOT NULL, created_at INTEGER NOT NULL,
                expires_at INTEGER NOT NULL
            ) STRICT
            """,
            "CREATE INDEX challenges_by_end ON challenges (expires_at)",
            "CREATE INDEX challenges_by_user ON challenges (user_id)",
            """
            CREATE TABLE password_resets (
                token_hash BLOB NOT NULL PRIMARY KEY,
                user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
                created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
            ) STRICT
            """,
            "CREATE INDEX password_resets_by_user ON password_resets (user_id)",
            // `id` is a keyed hash of what is throttled, so that the table is no list of names and addresses.
            """
            CREATE TABLE login_throttles (
                id BLOB NOT NULL PRIMARY KEY, failures INTEGER NOT NULL, last_failure INTEGER NOT NULL
            ) STRICT
            """,
            "CREATE INDEX login_throttles_by_time ON login_throttles (last_failure)",
            // An event is written with the change that it tells of; its place in the chain (`seq`, `previous`, `hash`)
            // is given a moment later (Audit/AuditLog.swift). No foreign key: events outlive their users.
            """
            CREATE TABLE audit_events (
                id BLOB NOT NULL PRIMARY KEY, seq INTEGER UNIQUE, time INTEGER NOT NULL, actor BLOB,
                action TEXT NOT NULL, severity INTEGER NOT NULL, outcome TEXT NOT NULL, target TEXT,
                address TEXT NOT NULL, user_agent TEXT, request_id TEXT, details TEXT NOT NULL,
                previous BLOB, hash BLOB
            ) STRICT
            """,
            "CREATE INDEX audit_events_by_time ON audit_events (time)",
            "CREATE INDEX audit_events_by_action ON audit_events (action, time)",
        ])

    /// What administrators set over the API: keys of the configuration and their values as text.
    private static let systemSettings = Migration(
        name: "accounts-0002",
        sql: [
            """
            CREATE TABLE system_settings (
                name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, changed_by BLOB, changed_at INTEGER NOT NULL
            ) STRICT
            """
        ])

    /// docs/formats/vault.md, "Tables". `signing_keys` is left empty by the first start that knows these.
    private static let namedKeys = Migration(
        name: "accounts-0003",
        sql: [
            """
            CREATE TABLE vault_root (
                id INTEGER NOT NULL PRIMARY KEY, revision INTEGER NOT NULL, epoch INTEGER NOT NULL,
                check_value BLOB NOT NULL, base BLOB, passphrase TEXT, mac BLOB
            ) STRICT
            """,
            """
            CREATE TABLE vault_keys (
                name TEXT NOT NULL PRIMARY KEY, kind TEXT NOT NULL, created_at INTEGER NOT NULL, schedule TEXT,
                rotates_at INTEGER
            ) STRICT
            """,
            """
            CREATE TABLE vault_key_versions (
                name TEXT NOT NULL REFERENCES vault_keys (name), version INTEGER NOT NULL, state TEXT NOT NULL,
                created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, opens_until INTEGER, destroy_at INTEGER,
                fingerprint TEXT NOT NULL, wrapped BLOB, PRIMARY KEY (name, version)
            ) STRICT
            """,
        ])
}
