// The tables of chat, in the common subset of SQL: identifiers are 16-byte blobs, times microseconds, flags 0 and 1.
//
// What grows with every message (messages, events) has no foreign keys: a check would cost each message a look, and
// what they refer to is written in the same transaction or removed after them (`ChatService.sweep`). No user is
// referred to by key: an account's end is `ChatService.forget`'s business, because others go on.

package import Store

package enum ChatSchema {
    package static let migrations: [Migration] = [first, FileSchema.migration]

    private static let first = Migration(
        name: "chat-0001", sql: organizations + conversations + messages + log + receipts + devices + search)

    private static let organizations: [MigrationStep] = [
        """
        CREATE TABLE organizations (
            id BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL, name_folded TEXT NOT NULL, summary TEXT,
            creator_id BLOB NOT NULL, member_count INTEGER NOT NULL, created_at INTEGER NOT NULL,
            updated_at INTEGER NOT NULL, deleted_at INTEGER
        ) STRICT
        """,
        "CREATE INDEX organizations_by_creator ON organizations (creator_id)",
        """
        CREATE TABLE organization_members (
            organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE, user_id BLOB NOT NULL,
            role INTEGER NOT NULL, joined_at INTEGER NOT NULL, PRIMARY KEY (organization_id, user_id)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX organization_members_by_user ON organization_members (user_id)",
    ]

    private static let conversations: [MigrationStep] = [
        // `direct_key` is the two users of a direct one, the lower first: there is one for each pair. `role_rules` is
        // Store/ChatCodecs.swift. The last row of columns is written with every message.
        """
        CREATE TABLE conversations (
            id BLOB NOT NULL PRIMARY KEY, type INTEGER NOT NULL, visibility INTEGER NOT NULL, organization_id BLOB,
            title TEXT, title_folded TEXT, summary TEXT, creator_id BLOB NOT NULL, owner_id BLOB, direct_key BLOB UNIQUE,
            max_members INTEGER NOT NULL, member_count INTEGER NOT NULL, role_rules BLOB, is_archived INTEGER NOT NULL,
            has_automatic_summary INTEGER NOT NULL, summary_threshold INTEGER NOT NULL, is_encrypted INTEGER NOT NULL,
            retention INTEGER, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, deleted_at INTEGER,
            epoch INTEGER NOT NULL, removed_offset INTEGER NOT NULL, first_sequence INTEGER NOT NULL,
            last_offset INTEGER NOT NULL, last_sequence INTEGER NOT NULL, last_message_id BLOB, last_activity INTEGER
        ) STRICT
        """,
        "CREATE INDEX conversations_by_organization ON conversations (organization_id)",
        "CREATE INDEX conversations_by_creator ON conversations (creator_id)",
        "CREATE INDEX conversations_by_visibility ON conversations (visibility, title_folded)",
        "CREATE INDEX conversations_by_deletion ON conversations (deleted_at) WHERE deleted_at IS NOT NULL",
        // `removed_at`: was thrown out, and is kept so that they do not come back by themselves.
        """
        CREATE TABLE conversation_members (
            conversation_id BLOB NOT NULL REFERENCES conversations (id) ON DELETE CASCADE, user_id BLOB NOT NULL,
            role INTEGER NOT NULL, allow INTEGER NOT NULL, deny INTEGER NOT NULL, joined_at INTEGER NOT NULL,
            added_by BLOB, is_muted INTEGER NOT NULL, read_sequence INTEGER NOT NULL, read_at INTEGER,
            removed_at INTEGER, PRIMARY KEY (conversation_id, user_id)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX conversation_members_by_user ON conversation_members (user_id)",
        """
        CREATE TABLE invitations (
            id BLOB NOT NULL PRIMARY KEY,
            conversation_id BLOB NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
            code_hash BLOB NOT NULL UNIQUE, created_by BLOB NOT NULL, max_uses INTEGER, uses INTEGER NOT NULL,
            expires_at INTEGER, revoked_at INTEGER, created_at INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX invitations_by_conversation ON invitations (conversation_id)",
        "CREATE INDEX invitations_by_end ON invitations (expires_at)",
    ]

    private static let messages: [MigrationStep] = [
        // `number` is of this database only: the search index refers to it. `form` says what `content` is: 0 plain
        // text, 1 a box, 2 a box with `device_keys` (Store/ChatCodecs.swift), 3 removed. `mentions` are
        // identifiers one after another. The counts spare a look into tables that hold nothing for it.
        """
        CREATE TABLE messages (
            number INTEGER PRIMARY KEY AUTOINCREMENT, id BLOB NOT NULL UNIQUE, conversation_id BLOB NOT NULL,
            sequence INTEGER NOT NULL, sender_id BLOB, type INTEGER NOT NULL, form INTEGER NOT NULL,
            content TEXT NOT NULL, nonce TEXT, key_version INTEGER, algorithm TEXT, preview_hash TEXT, device_keys BLOB,
            reply_to BLOB, thread_id BLOB, client_id TEXT, mentions BLOB, version INTEGER NOT NULL,
            attachment_count INTEGER NOT NULL, reaction_count INTEGER NOT NULL, reply_count INTEGER NOT NULL,
            last_reply_at INTEGER, pinned_at INTEGER, created_at INTEGER NOT NULL, edited_at INTEGER,
            deleted_at INTEGER
        ) STRICT
        """,
        "CREATE UNIQUE INDEX messages_in_order ON messages (conversation_id, sequence)",
        """
        CREATE UNIQUE INDEX messages_by_client_id ON messages (conversation_id, sender_id, client_id)
        WHERE client_id IS NOT NULL
        """,
        "CREATE INDEX messages_by_thread ON messages (thread_id, sequence) WHERE thread_id IS NOT NULL",
        "CREATE INDEX messages_pinned ON messages (conversation_id, pinned_at) WHERE pinned_at IS NOT NULL",
        """
        CREATE TABLE message_versions (
            message_id BLOB NOT NULL, version INTEGER NOT NULL, form INTEGER NOT NULL, content TEXT NOT NULL, nonce TEXT,
            key_version INTEGER, algorithm TEXT, preview_hash TEXT, device_keys BLOB, replaced_at INTEGER NOT NULL,
            PRIMARY KEY (message_id, version)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE message_attachments (
            message_id BLOB NOT NULL, place INTEGER NOT NULL, id BLOB NOT NULL, name TEXT NOT NULL,
            size INTEGER NOT NULL, content_type TEXT NOT NULL, storage TEXT NOT NULL,
            PRIMARY KEY (message_id, place)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX message_attachments_by_storage ON message_attachments (storage)",
        """
        CREATE TABLE reactions (
            message_id BLOB NOT NULL, user_id BLOB NOT NULL, emoji TEXT NOT NULL, created_at INTEGER NOT NULL,
            PRIMARY KEY (message_id, user_id, emoji)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX reactions_by_user ON reactions (user_id)",
    ]

    private static let log: [MigrationStep] = [
        // `kind` is Store/EventTable.swift's; `detail` an emoji or a number, as the kind wants it.
        """
        CREATE TABLE conversation_events (
            conversation_id BLOB NOT NULL, log_offset INTEGER NOT NULL, kind INTEGER NOT NULL, at INTEGER NOT NULL,
            actor_id BLOB, message_id BLOB, user_id BLOB, detail TEXT, PRIMARY KEY (conversation_id, log_offset)
        ) STRICT, WITHOUT ROWID
        """
    ]

    private static let receipts: [MigrationStep] = [
        // A device says that it has everything up to `sequence`. `device_id` is the zero UUID where none was named.
        """
        CREATE TABLE receipts (
            conversation_id BLOB NOT NULL, user_id BLOB NOT NULL, device_id BLOB NOT NULL, kind INTEGER NOT NULL,
            sequence INTEGER NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (conversation_id, user_id, device_id, kind, sequence)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE receipt_failures (
            message_id BLOB NOT NULL, user_id BLOB NOT NULL, device_id BLOB NOT NULL, at INTEGER NOT NULL,
            PRIMARY KEY (message_id, user_id, device_id)
        ) STRICT, WITHOUT ROWID
        """,
    ]

    private static let devices: [MigrationStep] = [
        """
        CREATE TABLE client_devices (
            user_id BLOB NOT NULL, id BLOB NOT NULL, name TEXT NOT NULL, identity_key TEXT NOT NULL,
            algorithm TEXT NOT NULL, signed_key_id TEXT, signed_key TEXT, signature TEXT, version INTEGER NOT NULL,
            created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL, PRIMARY KEY (user_id, id)
        ) STRICT, WITHOUT ROWID
        """,
        // `place` is the order in which they are handed out. A used one stays without its key, so that it is not taken in
        // a second time.
        """
        CREATE TABLE one_time_keys (
            user_id BLOB NOT NULL, device_id BLOB NOT NULL, key_id TEXT NOT NULL, place INTEGER NOT NULL,
            public_key TEXT, PRIMARY KEY (user_id, device_id, key_id)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX one_time_keys_in_order ON one_time_keys (user_id, device_id, place) WHERE public_key IS NOT NULL",
        """
        CREATE TABLE device_changes (
            user_id BLOB NOT NULL, version INTEGER NOT NULL, device_id BLOB NOT NULL, kind INTEGER NOT NULL,
            at INTEGER NOT NULL, PRIMARY KEY (user_id, version)
        ) STRICT, WITHOUT ROWID
        """,
    ]

    /// docs/chat/search.md.
    private static let search: [MigrationStep] = [
        .only(
            .sqlite,
            "CREATE VIRTUAL TABLE message_search USING fts5 (scope, terms, tokenize = 'ascii', columnsize = 0)"),
        .only(
            .postgresql, "CREATE TABLE message_search (number BIGINT NOT NULL PRIMARY KEY, terms TSVECTOR NOT NULL)"),
        .only(.postgresql, "CREATE INDEX message_search_terms ON message_search USING gin (terms)"),
    ]
}
