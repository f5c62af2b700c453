// Statements on `vault_root`, `vault_keys` and `vault_key_versions`.

import Base
import Store
import Vault

enum VaultTables {
    private static let rootID = 1

    /// One statement, so that it is of one moment.
    static let book: Statement = """
        SELECT r.revision, r.epoch, r.check_value, r.base, r.passphrase, r.mac, \
        k.name, k.kind, k.created_at, k.schedule, k.rotates_at, \
        v.version, v.state, v.created_at, v.changed_at, v.opens_until, v.destroy_at, v.fingerprint, v.wrapped \
        FROM vault_root r LEFT JOIN vault_keys k ON r.id = 1 LEFT JOIN vault_key_versions v ON v.name = k.name \
        ORDER BY k.name, v.version
        """

    static func book(from rows: [Row]) throws(StoreError) -> KeyBook? {
        guard let first = rows.first else { return nil }
        var book = KeyBook(
            root: RootRecord(
                revision: try first.integer(0), epoch: try number(first, 1), check: try first.blob(2),
                base: try first.optional(3, first.blob), passphrase: try first.optional(4, first.text),
                mac: try first.optional(5, first.blob)))
        for row in rows where !row.isNull(6) {
            let name = try row.text(6)
            if book.keys[name] == nil { book.keys[name] = try key(name, row) }
            if !row.isNull(11) { book.keys[name]?.versions.append(try version(row)) }
        }
        return book
    }

    private static func key(_ name: String, _ row: Row) throws(StoreError) -> NamedKey {
        guard let kind = KeyKind(rawValue: try row.text(7)) else {
            throw .corrupt("vault_keys: a kind that this version does not know")
        }
        return NamedKey(
            name: name, kind: kind, createdAt: try row.timestamp(8), schedule: try row.optional(9, row.text),
            rotatesAt: try row.optional(10, row.timestamp))
    }

    private static func version(_ row: Row) throws(StoreError) -> KeyVersion {
        guard let state = KeyState(rawValue: try row.text(12)) else {
            throw .corrupt("vault_key_versions: a state that this version does not know")
        }
        return KeyVersion(
            number: try number(row, 11), state: state, createdAt: try row.timestamp(13),
            changedAt: try row.timestamp(14), opensUntil: try row.optional(15, row.timestamp),
            destroyAt: try row.optional(16, row.timestamp), fingerprint: try row.text(17),
            wrapped: try row.optional(18, row.blob))
    }

    private static func number(_ row: Row, _ column: Int) throws(StoreError) -> UInt32 {
        guard let number = UInt32(exactly: try row.integer(column)) else {
            throw .corrupt("the book of keys: a number out of range")
        }
        return number
    }

    // MARK: Writing

    /// Keeps what is there already.
    static func insert(_ root: RootRecord) -> Statement {
        """
        INSERT INTO vault_root (id, revision, epoch, check_value, base, passphrase, mac) VALUES (\(rootID), \
        \(root.revision), \(Int64(root.epoch)), \(root.check), \(root.base), \(root.passphrase), \(root.mac)) \
        ON CONFLICT (id) DO NOTHING
        """
    }

    /// Changes no row where somebody else was faster.
    static func replace(_ root: RootRecord, at revision: Int64) -> Statement {
        """
        UPDATE vault_root SET revision = \(root.revision), epoch = \(Int64(root.epoch)), \
        check_value = \(root.check), base = \(root.base), passphrase = \(root.passphrase), mac = \(root.mac) \
        WHERE id = \(rootID) AND revision = \(revision)
        """
    }

    static func changes(from old: KeyBook, to new: KeyBook) -> [Statement] {
        var statements: [Statement] = []
        for key in new.keys.values.sorted(by: { $0.name < $1.name }) where old.keys[key.name] != key {
            statements.append(put(key))
            for version in key.versions where old.version(version.number, of: key.name) != version {
                statements.append(put(version, of: key.name))
            }
        }
        return statements
    }

    private static func put(_ key: NamedKey) -> Statement {
        """
        INSERT INTO vault_keys (name, kind, created_at, schedule, rotates_at) VALUES \
        (\(key.name), \(key.kind.rawValue), \(key.createdAt), \(key.schedule), \(key.rotatesAt)) \
        ON CONFLICT (name) DO UPDATE SET schedule = excluded.schedule, rotates_at = excluded.rotates_at
        """
    }

    private static func put(_ version: KeyVersion, of name: String) -> Statement {
        """
        INSERT INTO vault_key_versions (name, version, state, created_at, changed_at, opens_until, destroy_at, \
        fingerprint, wrapped) VALUES (\(name), \(Int64(version.number)), \(version.state.rawValue), \
        \(version.createdAt), \(version.changedAt), \(version.opensUntil), \(version.destroyAt), \
        \(version.fingerprint), \(version.wrapped)) ON CONFLICT (name, version) DO UPDATE SET \
        state = excluded.state, changed_at = excluded.changed_at, opens_until = excluded.opens_until, \
        destroy_at = excluded.destroy_at, wrapped = excluded.wrapped
        """
    }
}
