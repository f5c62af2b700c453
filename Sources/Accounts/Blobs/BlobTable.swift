// Statements on the ledger's tables.

import Base
import Store

enum BlobTable {
    static func insert(_ blob: BlobInfo, at now: Timestamp) -> Statement {
        """
        INSERT INTO blobs (hash, size, holds, created_at) VALUES (\(blob.key.hash), \(blob.length), 0, \(now)) \
        ON CONFLICT (hash) DO NOTHING
        """
    }

    static func isBeingDeleted(_ key: BlobKey) -> Statement {
        "SELECT COUNT(*) FROM blobs WHERE hash = \(key.hash) AND deleting_since IS NOT NULL"
    }

    static func hold(_ key: BlobKey) -> Statement {
        "UPDATE blobs SET holds = holds + 1 WHERE hash = \(key.hash) AND deleting_since IS NULL"
    }

    static func letGo(_ hash: Bytes) -> Statement { "UPDATE blobs SET holds = holds - 1 WHERE hash = \(hash)" }

    // MARK: Deletion

    /// Blobs that nobody holds and no upload has just stored; also those whose deletion was broken off.
    static func unheld(abandonedBefore: Timestamp, limit: Int) -> Statement {
        """
        SELECT hash FROM blobs b WHERE holds = 0 AND (deleting_since IS NULL OR deleting_since < \(abandonedBefore)) \
        AND NOT EXISTS (SELECT 1 FROM blob_reservations r WHERE r.hash = b.hash) ORDER BY created_at LIMIT \(limit)
        """
    }

    static func beginDeletion(_ hashes: [Bytes], at now: Timestamp) -> Statement {
        "UPDATE blobs SET deleting_since = \(now) WHERE hash IN (\(list: hashes))"
    }

    static func deleted(_ hash: Bytes, since now: Timestamp) -> Statement {
        "DELETE FROM blobs WHERE hash = \(hash) AND deleting_since = \(now) AND holds = 0"
    }

    static var forgetDeletions: Statement {
        "UPDATE blobs SET deleting_since = 0 WHERE deleting_since IS NOT NULL"
    }

    // MARK: Holds

    static func insertHold(
        _ holder: UUID, place: Int64, _ key: BlobKey, _ payer: BlobPayer, charged: Int64
    ) -> Statement {
        """
        INSERT INTO blob_holds (holder, place, hash, pot, user_id, organization_id, charged) VALUES \
        (\(holder), \(place), \(key.hash), \(payer.pot.rawValue), \(payer.user), \(payer.organization), \(charged))
        """
    }

    struct Hold: Sendable {
        let hash: Bytes
        let payer: BlobPayer
        let charged: Int64
    }

    static func removeHolds(of holders: [UUID]) -> Statement {
        """
        DELETE FROM blob_holds WHERE holder IN (\(list: holders)) \
        RETURNING hash, pot, user_id, organization_id, charged
        """
    }

    static func hold(from row: Row) throws(StoreError) -> Hold {
        Hold(hash: try row.blob(0), payer: try payer(from: row, at: 1), charged: try row.integer(4))
    }

    // MARK: Usage

    static func usage(of owner: UUID, in pot: BlobPot) -> Statement {
        "SELECT used, reserved FROM blob_usage WHERE owner = \(owner) AND pot = \(pot.rawValue)"
    }

    static func change(_ owner: UUID, _ pot: BlobPot, used: Int64, reserved: Int64) -> Statement {
        """
        UPDATE blob_usage SET used = used + \(used), reserved = reserved + \(reserved) \
        WHERE owner = \(owner) AND pot = \(pot.rawValue)
        """
    }

    static func insert(_ owner: UUID, _ pot: BlobPot, used: Int64, reserved: Int64) -> Statement {
        """
        INSERT INTO blob_usage (owner, pot, used, reserved) VALUES (\(owner), \(pot.rawValue), \(used), \(reserved))
        """
    }

    static func forgetEmpty(_ owner: UUID, _ pot: BlobPot) -> Statement {
        "DELETE FROM blob_usage WHERE owner = \(owner) AND pot = \(pot.rawValue) AND used = 0 AND reserved = 0"
    }

    // MARK: Reservations

    static func insert(_ reservation: BlobReservation, outlivesProcess: Bool, until end: Timestamp) -> Statement {
        """
        INSERT INTO blob_reservations (id, pot, user_id, organization_id, bytes, outlives_process, expires_at) VALUES \
        (\(reservation.id), \(reservation.payer.pot.rawValue), \(reservation.payer.user), \
        \(reservation.payer.organization), \(reservation.bytes), \(outlivesProcess), \(end))
        """
    }

    static func renew(_ id: UUID, until end: Timestamp) -> Statement {
        "UPDATE blob_reservations SET expires_at = \(end) WHERE id = \(id) AND expires_at < \(end)"
    }

    static func assign(_ id: UUID, _ organization: UUID?, bytes: Int64) -> Statement {
        """
        UPDATE blob_reservations SET organization_id = \(organization), bytes = \(bytes) WHERE id = \(id) \
        RETURNING bytes
        """
    }

    static func pin(_ id: UUID, _ key: BlobKey) -> Statement {
        "UPDATE blob_reservations SET hash = \(key.hash) WHERE id = \(id)"
    }

    static func take(_ id: UUID, _ key: BlobKey) -> Statement {
        "DELETE FROM blob_reservations WHERE id = \(id) AND hash = \(key.hash) RETURNING bytes"
    }

    static func remove(where condition: Statement) -> Statement {
        """
        DELETE FROM blob_reservations WHERE \(part: condition) RETURNING bytes, pot, user_id, organization_id
        """
    }

    static func exists(_ id: UUID) -> Statement { "SELECT COUNT(*) FROM blob_reservations WHERE id = \(id)" }

    static func payer(from row: Row, at first: Int) throws(StoreError) -> BlobPayer {
        guard let pot = BlobPot(rawValue: try row.integer(first)) else {
            throw .corrupt("the blob ledger has a pot that this version does not know")
        }
        let organization = try row.optional(first + 2, row.blob)
        return BlobPayer(user: try row.identifier(first + 1), organization: organization.flatMap { UUID($0) }, pot: pot)
    }
}
