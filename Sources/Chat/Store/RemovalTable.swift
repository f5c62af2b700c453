// What goes with an account, found and changed a bounded part at a time.

import Accounts
import Base
import Store

enum RemovalTable {
    /// In the place of somebody who is gone, where there has to be a name.
    static let nobody = UserID(UUID(high: 0, low: 0))

    // MARK: What is being removed

    static func begin(_ user: UserID, at now: Timestamp) -> Statement {
        """
        INSERT INTO account_removals (user_id, begun_at) VALUES (\(user), \(now)) \
        ON CONFLICT (user_id) DO UPDATE SET begun_at = excluded.begun_at
        """
    }

    static func begun(before cutoff: Timestamp, limit: Int) -> Statement {
        "SELECT user_id FROM account_removals WHERE begun_at < \(cutoff) ORDER BY begun_at LIMIT \(limit)"
    }

    /// What has no order among itself, and the end of it.
    static func ends(of user: UserID) -> [Statement] {
        [
            FileTable.letGo(of: user), FileUploadTable.letGo(of: user),
            "DELETE FROM client_devices WHERE user_id = \(user)", "DELETE FROM one_time_keys WHERE user_id = \(user)",
            "DELETE FROM device_changes WHERE user_id = \(user)",
            "DELETE FROM conversation_members WHERE user_id = \(user)",
            "UPDATE conversations SET creator_id = \(nobody) WHERE creator_id = \(user)",
            "UPDATE organizations SET creator_id = \(nobody) WHERE creator_id = \(user)",
            "DELETE FROM account_removals WHERE user_id = \(user)",
        ]
    }

    // MARK: Who is no account any more

    /// Tables that hold people by an index.
    enum Holder: CaseIterable {
        case members, organizationMembers, devices
    }

    /// People in the order of their identifiers, and whether there is such an account.
    static func people(in table: Holder, after user: UserID, limit: Int) -> Statement {
        let name: Statement =
            switch table {
            case .members: "conversation_members"
            case .organizationMembers: "organization_members"
            case .devices: "client_devices"
            }
        return """
            SELECT d.user_id, CASE WHEN EXISTS (SELECT 1 FROM users u WHERE u.id = d.user_id) THEN 1 ELSE 0 END \
            FROM (SELECT DISTINCT user_id FROM \(part: name) WHERE user_id > \(user) ORDER BY user_id \
            LIMIT \(limit)) d ORDER BY d.user_id
            """
    }

    static func orphans(after number: Int64, upTo end: Int64) -> Statement {
        """
        SELECT d.sender_id FROM (SELECT DISTINCT s.sender_id FROM messages s WHERE s.number > \(number) \
        AND s.number <= \(end) AND s.sender_id IS NOT NULL) d \
        WHERE NOT EXISTS (SELECT 1 FROM users u WHERE u.id = d.sender_id)
        """
    }

    // MARK: What one user has

    static var lastNumber: Statement { "SELECT COALESCE(MAX(number), 0) FROM messages" }

    /// Messages of a sender in a stretch of the table. There is no index for it: it would cost every message, and this
    /// is asked when an account goes.
    static func messages(of user: UserID, after number: Int64, upTo end: Int64) -> Statement {
        MessageTable.select("s.number > \(number) AND s.number <= \(end) AND s.sender_id = \(user) ORDER BY s.number")
    }

    static func withoutSender(_ ids: [MessageID]) -> Statement {
        "UPDATE messages SET sender_id = NULL, client_id = NULL WHERE id IN (\(list: ids.padded))"
    }

    static func reactions(of user: UserID) -> Statement {
        """
        SELECT r.message_id, s.conversation_id, r.emoji FROM reactions r JOIN messages s ON s.id = r.message_id \
        WHERE r.user_id = \(user) ORDER BY s.conversation_id LIMIT \(RetentionTable.batch)
        """
    }

    static func conversations(of user: UserID, limit: Int) -> Statement {
        """
        SELECT c.id FROM conversation_members m JOIN conversations c ON c.id = m.conversation_id \
        WHERE m.user_id = \(user) AND m.removed_at IS NULL AND c.deleted_at IS NULL ORDER BY c.id LIMIT \(limit)
        """
    }

    static func memberCount(_ id: ConversationID) -> Statement {
        "SELECT COUNT(*) FROM conversation_members WHERE conversation_id = \(id) AND removed_at IS NULL"
    }

    static func withoutPair(_ id: ConversationID) -> Statement {
        "UPDATE conversations SET direct_key = NULL WHERE id = \(id) AND direct_key IS NOT NULL"
    }

    // MARK: What names a user, and has no index for it: looked for outside transactions, changed by key

    static func failures(of user: UserID) -> Statement {
        "SELECT DISTINCT message_id FROM receipt_failures WHERE user_id = \(user)"
    }

    static func removeFailures(of user: UserID, for id: MessageID) -> Statement {
        "DELETE FROM receipt_failures WHERE message_id = \(id) AND user_id = \(user)"
    }

    static func invitations(by user: UserID) -> Statement { "SELECT id FROM invitations WHERE created_by = \(user)" }

    static func remove(_ id: InvitationID) -> Statement { "DELETE FROM invitations WHERE id = \(id)" }

    /// A deleted one, which its owner was still named in.
    static func owned(by user: UserID) -> Statement { "SELECT id FROM conversations WHERE owner_id = \(user)" }

    static func withoutOwner(_ id: ConversationID) -> Statement {
        "UPDATE conversations SET owner_id = NULL WHERE id = \(id)"
    }

    static func addedMembers(by user: UserID) -> Statement {
        "SELECT DISTINCT conversation_id FROM conversation_members WHERE added_by = \(user)"
    }

    static func withoutAdder(_ user: UserID, in id: ConversationID) -> Statement {
        "UPDATE conversation_members SET added_by = NULL WHERE conversation_id = \(id) AND added_by = \(user)"
    }

    /// Messages in a stretch of the table that mention the user or are sealed for their devices. A few that only look
    /// so may be among them.
    static func naming(
        _ user: UserID, after number: Int64, upTo end: Int64, _ engine: DatabaseHealth.Engine
    ) -> Statement {
        """
        SELECT s.id FROM messages s WHERE s.number > \(number) AND s.number <= \(end) \
        AND (\(part: holds("s.mentions", user, engine)) OR \(part: holds("s.device_keys", user, engine)))
        """
    }

    /// Those behind a message's version, in order: one that only looks so must not come again and again.
    static func versionsNaming(
        _ user: UserID, after id: MessageID, _ version: Int64, _ engine: DatabaseHealth.Engine, limit: Int
    ) -> Statement {
        """
        SELECT v.message_id, v.version, v.device_keys FROM message_versions v \
        WHERE (v.message_id > \(id) OR (v.message_id = \(id) AND v.version > \(version))) \
        AND \(part: holds("v.device_keys", user, engine)) ORDER BY v.message_id, v.version LIMIT \(limit)
        """
    }

    private static func holds(_ column: Statement, _ user: UserID, _ engine: DatabaseHealth.Engine) -> Statement {
        switch engine {
        case .sqlite: "instr(\(part: column), \(user)) > 0"
        case .postgresql: "position(CAST(\(user) AS BYTEA) IN \(part: column)) > 0"
        }
    }

    /// Whom a message names.
    struct Names: Sendable {
        let id: MessageID
        var mentions: [UserID]
        var keys: [DeviceKeyBox]?

        func without(_ user: UserID) -> Names {
            Names(
                id: id, mentions: mentions.filter { $0 != user }, keys: keys.map { $0.filter { $0.user != user } })
        }
    }

    static func names(in ids: [MessageID]) -> Statement {
        "SELECT id, mentions, device_keys FROM messages WHERE id IN (\(list: ids.padded))"
    }

    static func names(from row: Row) throws(StoreError) -> Names {
        let (mentions, keys) = (try row.optional(1, row.blob), try row.optional(2, row.blob))
        return Names(
            id: try row.identifier(0),
            mentions: try mentions.map { (bytes) throws(StoreError) in try IdentifierListCodec.decode(bytes) } ?? [],
            keys: try keys.map { (bytes) throws(StoreError) in try DeviceKeyCodec.decode(bytes) })
    }

    static func set(_ names: Names) -> Statement {
        """
        UPDATE messages SET mentions = \(IdentifierListCodec.encode(names.mentions)), \
        device_keys = \(names.keys.map(DeviceKeyCodec.encode)) WHERE id = \(names.id)
        """
    }

    struct VersionNames: Sendable {
        let id: MessageID
        let version: Int64
        var keys: [DeviceKeyBox]

        func without(_ user: UserID) -> VersionNames {
            VersionNames(id: id, version: version, keys: keys.filter { $0.user != user })
        }
    }

    static func versionNames(from row: Row) throws(StoreError) -> VersionNames {
        VersionNames(
            id: try row.identifier(0), version: try row.integer(1), keys: try DeviceKeyCodec.decode(try row.blob(2)))
    }

    static func set(_ names: VersionNames) -> Statement {
        """
        UPDATE message_versions SET device_keys = \(DeviceKeyCodec.encode(names.keys)) \
        WHERE message_id = \(names.id) AND version = \(names.version)
        """
    }
}
