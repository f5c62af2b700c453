// Statements on `client_settings`.

import Base
import Store
import Wire

enum ClientSettingTable {
    /// `bytes` is what the quota counts, so that it need not read the values.
    static let migration = Migration(
        name: "client-settings-0001",
        sql: [
            """
            CREATE TABLE client_settings (
                user_id BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE, name TEXT NOT NULL,
                value TEXT NOT NULL, bytes INTEGER NOT NULL, version BLOB NOT NULL, updated_at INTEGER NOT NULL,
                PRIMARY KEY (user_id, name)
            ) STRICT
            """
        ])

    private static let columns: Statement = "name, value, version, updated_at"

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

    static func put(_ setting: ClientSetting, of user: UserID) -> Statement {
        """
        INSERT INTO client_settings (user_id, name, value, bytes, version, updated_at) VALUES (\(user), \
        \(setting.key.description), \(String(decoding: setting.value, as: UTF8.self)), \(setting.bytes), \
        \(setting.version), \(setting.updatedAt)) \
        ON CONFLICT (user_id, name) DO UPDATE SET value = excluded.value, bytes = excluded.bytes, \
        version = excluded.version, updated_at = excluded.updated_at
        """
    }

    static func delete(_ key: ClientSettingKey, of user: UserID) -> Statement {
        "DELETE FROM client_settings WHERE user_id = \(user) AND name = \(key.description)"
    }

    private static func select(_ condition: Statement) -> Selection<ClientSetting> {
        Selection("SELECT \(part: columns) FROM client_settings WHERE \(part: condition)") { row throws(StoreError) in
            ClientSetting(
                key: ClientSettingKey(stored: try row.text(0)), value: Bytes(try row.text(1).utf8),
                version: try uuid(row, 2), updatedAt: try row.timestamp(3))
        }
    }
}
