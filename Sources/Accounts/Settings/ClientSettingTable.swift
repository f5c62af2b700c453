// Statements on `client_settings`.

import Base
import Store
import Wire

enum ClientSettingTable {
    /// `bytes` is what the quota counts, so that it need not read the values. `holder` is what an image's blob is held
    /// by (`blob_holds`).
    static let migration = Migration(
        name: "client-settings-0001",
        sql: [
            """
            CREATE TABLE client_settings (
                user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE, name TEXT NOT NULL,
                value TEXT NOT NULL, bytes INTEGER NOT NULL, version BLOB NOT NULL, updated_at INTEGER NOT NULL,
                holder BLOB, PRIMARY KEY (user_id, name)
            ) STRICT
            """,
            "CREATE INDEX client_settings_by_holder ON client_settings (holder) WHERE holder IS NOT NULL",
        ])

    static let scans = Migration(
        name: "client-settings-0002",
        sql: [
            "ALTER TABLE client_settings ADD COLUMN scan_pending INTEGER NOT NULL DEFAULT 0",
            "CREATE INDEX client_settings_by_scan ON client_settings (updated_at) WHERE scan_pending = 1",
        ])

    private static let columns: Statement = "name, value, version, updated_at, holder"

    static func one(_ key: ClientSettingKey, of user: UserID) -> Selection<ClientSetting> {
        select("user_id = \(user) AND name = \(key.description)")
    }

    static func some(_ keys: [ClientSettingKey], of user: UserID) -> Selection<ClientSetting> {
        select("user_id = \(user) AND name IN (\(list: keys.map(\.description)))")
    }

    static func all(of user: UserID) -> Selection<ClientSetting> { select("user_id = \(user)") }

    /// How many, and how large together.
    static func usage(of user: UserID) -> Selection<(count: Int, bytes: Int)> {
        Selection("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM client_settings WHERE user_id = \(user)") {
            row throws(StoreError) in (Int(clamping: try row.integer(0)), Int(clamping: try row.integer(1)))
        }
    }

    static func put(_ setting: ClientSetting, of user: UserID, isScanPending: Bool) -> Statement {
        """
        INSERT INTO client_settings (user_id, name, value, bytes, version, updated_at, holder, scan_pending) VALUES \
        (\(user), \(setting.key.description), \(String(decoding: setting.value, as: UTF8.self)), \(setting.bytes), \
        \(setting.version), \(setting.updatedAt), \(setting.holder), \(isScanPending)) \
        ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value, bytes = excluded.bytes, \
        version = excluded.version, updated_at = excluded.updated_at, holder = excluded.holder, \
        scan_pending = excluded.scan_pending
        """
    }

    /// Those whose scan is to be made up for, the longest waiting first.
    static func pendingScans(limit: Int) -> Selection<(user: UserID, setting: ClientSetting)> {
        Selection(
            """
            SELECT \(part: columns), user_id FROM client_settings WHERE scan_pending = 1 ORDER BY updated_at \
            LIMIT \(limit)
            """
        ) { row throws(StoreError) in (UserID(try uuid(row, 5)), try setting(from: row)) }
    }

    static func delete(_ key: ClientSettingKey, of user: UserID) -> Statement {
        "DELETE FROM client_settings WHERE user_id = \(user) AND name = \(key.description)"
    }

    /// What is held for settings that are not there any more: they went with their account.
    static func orphanedHolds(limit: Int) -> Selection<UUID> {
        Selection(
            """
            SELECT h.holder FROM blob_holds h WHERE h.pot = \(BlobPot.settingsImages.rawValue) \
            AND NOT EXISTS (SELECT 1 FROM client_settings s WHERE s.holder = h.holder) LIMIT \(limit)
            """
        ) { row throws(StoreError) in try uuid(row, 0) }
    }

    private static func select(_ condition: Statement) -> Selection<ClientSetting> {
        Selection("SELECT \(part: columns) FROM client_settings WHERE \(part: condition)") { row throws(StoreError) in
            try setting(from: row)
        }
    }

    private static func setting(from row: Row) throws(StoreError) -> ClientSetting {
        ClientSetting(
            key: ClientSettingKey(stored: try row.text(0)), value: Bytes(try row.text(1).utf8),
            version: try uuid(row, 2), updatedAt: try row.timestamp(3),
            holder: try row.optional(4) { (column) throws(StoreError) in try uuid(row, column) })
    }
}
