// Statements on devices and their keys.

import Base
import Store

enum DeviceTable {
    /// Keys that were handed out and are kept in mind, so that none is taken in again.
    static let usedKeysKept = 1_000

    private static let columns: Statement = """
        d.user_id, d.id, d.name, d.identity_key, d.algorithm, d.signed_key_id, d.signed_key, d.signature, d.version, \
        d.created_at, d.seen_at, (SELECT COUNT(*) FROM one_time_keys k WHERE k.user_id = d.user_id \
        AND k.device_id = d.id AND k.public_key IS NOT NULL)
        """

    static func select(_ condition: Statement) -> Statement {
        "SELECT \(part: columns) FROM client_devices d WHERE \(part: condition)"
    }

    static func device(from row: Row) throws(StoreError) -> ClientDevice {
        var signed: SignedKey?
        if !row.isNull(5) {
            signed = SignedKey(id: try row.text(5), key: try row.text(6), signature: try row.text(7))
        }
        return ClientDevice(
            user: try row.identifier(0), id: try row.identifier(1), name: try row.text(2),
            identityKey: try row.text(3), algorithm: try row.text(4), signedKey: signed, version: try row.integer(8),
            oneTimeKeyCount: Int(clamping: try row.integer(11)), createdAt: try row.timestamp(9),
            seenAt: try row.timestamp(10))
    }

    static func upsert(_ device: ClientDevice) -> Statement {
        """
        INSERT INTO client_devices (user_id, id, name, identity_key, algorithm, signed_key_id, signed_key, signature, \
        version, created_at, seen_at) VALUES (\(device.user), \(device.id), \(device.name), \(device.identityKey), \
        \(device.algorithm), \(device.signedKey?.id), \(device.signedKey?.key), \(device.signedKey?.signature), \
        \(device.version), \(device.createdAt), \(device.seenAt)) ON CONFLICT (user_id, id) DO UPDATE \
        SET name = excluded.name, identity_key = excluded.identity_key, algorithm = excluded.algorithm, \
        signed_key_id = excluded.signed_key_id, signed_key = excluded.signed_key, signature = excluded.signature, \
        version = excluded.version, seen_at = excluded.seen_at
        """
    }

    static func remove(_ device: ClientDeviceID, of user: UserID) -> Statement {
        "DELETE FROM client_devices WHERE user_id = \(user) AND id = \(device)"
    }

    // MARK: The order of changes

    static func lastVersion(_ user: UserID) -> Statement {
        "SELECT COALESCE(MAX(version), 0) FROM device_changes WHERE user_id = \(user)"
    }

    static func insert(_ change: DeviceChange) -> Statement {
        """
        INSERT INTO device_changes (user_id, version, device_id, kind, at) VALUES (\(change.user), \(change.version), \
        \(change.device), \(change.kind.rawValue), \(change.at))
        """
    }

    static func changes(_ user: UserID, after version: Int64, limit: Int) -> Statement {
        """
        SELECT user_id, version, device_id, kind, at FROM device_changes WHERE user_id = \(user) \
        AND version > \(version) ORDER BY version LIMIT \(limit)
        """
    }

    static func change(from row: Row) throws(StoreError) -> DeviceChange {
        guard let kind = DeviceChange.Kind(rawValue: try row.integer(3)) else {
            throw .corrupt("device_changes: a kind that this version does not know")
        }
        return DeviceChange(
            user: try row.identifier(0), version: try row.integer(1), device: try row.identifier(2), kind: kind,
            at: try row.timestamp(4))
    }

    // MARK: One-time keys

    static func lastPlace(_ user: UserID, _ device: ClientDeviceID) -> Statement {
        "SELECT COALESCE(MAX(place), 0) FROM one_time_keys WHERE user_id = \(user) AND device_id = \(device)"
    }

    static func insert(
        _ key: OneTimeKey, _ user: UserID, _ device: ClientDeviceID, place: Int64
    ) -> Statement {
        """
        INSERT INTO one_time_keys (user_id, device_id, key_id, place, public_key) \
        VALUES (\(user), \(device), \(key.id), \(place), \(key.key)) ON CONFLICT DO NOTHING
        """
    }

    /// What is there under a key's name: NULL when it was handed out.
    static func stored(_ id: String, _ user: UserID, _ device: ClientDeviceID) -> Statement {
        """
        SELECT public_key FROM one_time_keys WHERE user_id = \(user) AND device_id = \(device) AND key_id = \(id)
        """
    }

    static func next(_ user: UserID, _ device: ClientDeviceID) -> Statement {
        """
        SELECT key_id, public_key FROM one_time_keys WHERE user_id = \(user) AND device_id = \(device) \
        AND public_key IS NOT NULL ORDER BY place LIMIT 1
        """
    }

    static func use(_ id: String, _ user: UserID, _ device: ClientDeviceID) -> Statement {
        """
        UPDATE one_time_keys SET public_key = NULL WHERE user_id = \(user) AND device_id = \(device) AND key_id = \(id)
        """
    }

    static func forgetUsed(_ user: UserID, _ device: ClientDeviceID, before place: Int64) -> Statement {
        """
        DELETE FROM one_time_keys WHERE user_id = \(user) AND device_id = \(device) AND public_key IS NULL \
        AND place < \(place)
        """
    }

    static func removeKeys(_ user: UserID, _ device: ClientDeviceID) -> Statement {
        "DELETE FROM one_time_keys WHERE user_id = \(user) AND device_id = \(device)"
    }

    // MARK: Who may ask

    /// Of these, the user and those who share a conversation with them.
    static func acquainted(_ users: [UserID], with user: UserID) -> Statement {
        """
        SELECT DISTINCT other.user_id FROM conversation_members other WHERE other.user_id IN (\(list: users.padded)) \
        AND other.removed_at IS NULL AND (other.user_id = \(user) OR EXISTS (SELECT 1 FROM conversation_members own \
        JOIN conversations c ON c.id = own.conversation_id WHERE own.conversation_id = other.conversation_id \
        AND own.user_id = \(user) AND own.removed_at IS NULL AND c.deleted_at IS NULL))
        """
    }

    /// Those who share a conversation of at most `size` with the user: who seals for them.
    static func audience(_ user: UserID, size: Int, limit: Int) -> Statement {
        """
        SELECT DISTINCT other.user_id FROM conversation_members own JOIN conversations c ON c.id = own.conversation_id \
        JOIN conversation_members other ON other.conversation_id = c.id WHERE own.user_id = \(user) \
        AND own.removed_at IS NULL AND other.removed_at IS NULL AND c.deleted_at IS NULL \
        AND c.member_count <= \(size) LIMIT \(limit)
        """
    }
}
