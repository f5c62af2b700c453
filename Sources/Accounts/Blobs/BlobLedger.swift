// Which blobs are needed, by whom, and who pays: reference counts and quotas over a `BlobStore`.
//
// An upload reserves its bytes, puts them while they come, and is claimed in the transaction that makes the row it
// belongs to. Whatever breaks off in between leaves a reservation that is over after a while and a blob that nobody
// holds; `sweep` removes both. The order that makes this safe (docs/chat/files.md, "The ledger"):
//
// - a row in `blobs`, pinned by the reservation, is written before the store keeps anything under the name;
// - a blob is deleted only when it is marked, which needs that nobody holds it and no reservation pins it;
// - who would put a blob that is marked waits until it is gone, and puts it anew.

package import Base
package import Store

package final class BlobLedger: Sendable {
    /// An upload that gives no sign of life for so long is over.
    package static let uploadLifetime = Duration.minutes(15)
    /// A deletion that was begun so long ago has been broken off. Longer than a store may take for one.
    private static let deletionLease = Duration.minutes(10)
    /// Blobs that one turn of `sweep` deletes.
    private static let batch = 50
    /// How often, and how long in between, an upload looks whether the deletion of its content is over: 5 s.
    private static let deletionWait = (attempts: 100, pause: Duration.milliseconds(50))
    private static let log = Logger("blobs")

    package let blobs: any BlobStore
    private let database: any Database
    private let clock: Clock

    package init(blobs: any BlobStore, database: any Database, clock: Clock = .system) {
        self.blobs = blobs
        self.database = database
        self.clock = clock
    }

    // MARK: Reserving

    /// Keeps bytes of the payer's quotas: as many as `wanted` says at the upper end, fewer where a quota has no more,
    /// and `quotaExceeded` when it would be fewer than the lower end. Two that race for the last bytes: one gets them.
    ///
    /// `outlivesProcess`: goes on after a restart of the server, until `lifetime` is over.
    package func reserve(
        _ wanted: ClosedRange<Int64>, for payer: BlobPayer, within quota: BlobQuota,
        lifetime: Duration = BlobLedger.uploadLifetime, outlivesProcess: Bool = false
    ) async throws(BlobLedgerError) -> BlobReservation {
        let (id, end) = (UUID.random(), clock.now() + lifetime)
        return try await database.transaction { (transaction) async throws(BlobLedgerError) in
            let usage = try await Self.usage(of: payer, within: quota, in: transaction)
            let tightest = usage.min { $0.free < $1.free }
            let bytes = min(wanted.upperBound, tightest?.free ?? .max)
            if let tightest, bytes < wanted.lowerBound { throw .quotaExceeded(tightest) }
            let reservation = BlobReservation(
                id: id, payer: payer, bytes: bytes, shortage: bytes < wanted.upperBound ? tightest : nil,
                lifetime: lifetime)
            try await transaction.alter(BlobTable.insert(reservation, outlivesProcess: outlivesProcess, until: end))
            try await Self.charge(payer, used: 0, reserved: bytes, in: transaction)
            return reservation
        }
    }

    /// For what nobody is charged for: a thumbnail, a part of an upload whose whole is reserved already.
    package func reserve(unpaid limit: Int64, for payer: BlobPayer) async throws(BlobLedgerError) -> BlobReservation {
        let reserved = try await reserve(0...0, for: payer, within: BlobQuota())
        return BlobReservation(
            id: reserved.id, payer: payer, bytes: limit, shortage: nil, lifetime: reserved.lifetime)
    }

    /// Nothing comes of it. No error when it is over already.
    package func giveBack(_ reservation: BlobReservation) async {
        do {
            try await database.transaction { (transaction) async throws(BlobLedgerError) in
                try await Self.giveBack(reservation.id, in: transaction)
            }
        } catch {
            Self.log.warning("a reservation waits for its end", [.error(error)])
        }
    }

    package static func giveBack(_ id: UUID, in transaction: any Transaction) async throws(BlobLedgerError) {
        try await removeReservations(where: "id = \(id)", in: transaction)
    }

    /// Moves the end of a reservation that outlives its process; of any other its `put` does it.
    package static func renew(
        _ id: UUID, until end: Timestamp, in transaction: any Transaction
    ) async throws(BlobLedgerError) {
        try await transaction.alter(BlobTable.renew(id, until: end))
        guard try await transaction.numbers(BlobTable.exists(id)).first == 1 else { throw .reservationOver }
    }

    /// Cuts a reservation to what was put, and lets this organisation pay for it instead of the one before: for uploads
    /// that say only behind their content where they belong. `quotaExceeded` leaves it as it was.
    package func assign(
        _ reservation: BlobReservation, _ blob: BlobInfo, to organization: UUID?, within quota: BlobQuota
    ) async throws(BlobLedgerError) -> BlobReservation {
        let before = reservation.payer
        let after = BlobPayer(user: before.user, organization: organization, pot: before.pot)
        return try await database.transaction { (transaction) async throws(BlobLedgerError) in
            let cut = try await transaction.numbers(
                BlobTable.assign(reservation.id, organization, bytes: blob.length))
            guard cut.count == 1 else { throw .reservationOver }
            try await Self.charge(before, used: 0, reserved: -reservation.bytes, in: transaction)
            let usage = try await Self.usage(of: after, within: quota, in: transaction)
            if let tightest = usage.min(by: { $0.free < $1.free }), tightest.free < blob.length {
                throw .quotaExceeded(tightest)
            }
            try await Self.charge(after, used: 0, reserved: blob.length, in: transaction)
            return BlobReservation(
                id: reservation.id, payer: after, bytes: blob.length, shortage: nil, lifetime: reservation.lifetime)
        }
    }

    /// As one of an earlier request or process: what `outlivesProcess` was reserved.
    package static func resumed(
        _ id: UUID, payer: BlobPayer, bytes: Int64, lifetime: Duration
    ) -> BlobReservation {
        BlobReservation(id: id, payer: payer, bytes: bytes, shortage: nil, lifetime: lifetime)
    }

    // MARK: Putting and claiming

    /// Stores what `source` gives, and keeps it until the reservation is claimed or over. Throws what `source` throws,
    /// or `BlobLedgerError`; then nothing was kept, and the reservation goes on.
    package func put(
        _ reservation: BlobReservation, from source: @escaping BlobSource
    ) async throws -> BlobInfo {
        let heartbeat = Heartbeat(at: clock.now())
        do {
            return try await blobs.put(limit: reservation.bytes) { [self] in
                let now = clock.now()
                if heartbeat.isDue(now, every: reservation.lifetime.microseconds / 4) {
                    try await renew(reservation, at: now)
                }
                return try await source()
            } admit: { [self] blob in
                try await admit(blob, reservation)
            }
        } catch let error as BlobError {
            switch error {
            case .tooLarge(let limit):
                if let shortage = reservation.shortage { throw BlobLedgerError.quotaExceeded(shortage) }
                throw BlobLedgerError.tooLarge(limit: limit)
            default: throw BlobLedgerError.blob(error)
            }
        }
    }

    /// In place of a `put` of what is stored already: the caller holds the blob under another name.
    package func pin(_ reservation: BlobReservation, _ blob: BlobInfo) async throws(BlobLedgerError) {
        try await database.transaction { (transaction) async throws(BlobLedgerError) in
            guard try await transaction.numbers(BlobTable.isBeingDeleted(blob.key)).first == 0,
                try await transaction.alter(BlobTable.pin(reservation.id, blob.key)) == 1
            else { throw .reservationOver }
        }
    }

    /// Makes `holder` need the blob of the reservation, which ends with it, and its payer pay for `charged` bytes. In
    /// the transaction that writes the holder's row: both are kept, or neither.
    package static func claim(
        _ reservation: BlobReservation, _ blob: BlobInfo, for holder: UUID, place: Int64 = 0, charged: Int64,
        in transaction: any Transaction
    ) async throws(BlobLedgerError) {
        let taken = try await transaction.numbers(BlobTable.take(reservation.id, blob.key))
        guard let reserved = taken.first else { throw .reservationOver }
        try await charge(reservation.payer, used: charged, reserved: -reserved, in: transaction)
        guard try await transaction.alter(BlobTable.hold(blob.key)) == 1 else { throw .reservationOver }
        try await transaction.alter(
            BlobTable.insertHold(holder, place: place, blob.key, reservation.payer, charged: charged))
    }

    /// These need their blobs no more. In the transaction that removes their rows; `collect` afterwards deletes at once
    /// what nobody else needs, `sweep` in any case.
    package static func release(_ holders: [UUID], in transaction: any Transaction) async throws(BlobLedgerError) {
        guard !holders.isEmpty else { return }
        for hold in try await transaction.values(BlobTable.removeHolds(of: holders), BlobTable.hold(from:)) {
            try await charge(hold.payer, used: -hold.charged, reserved: 0, in: transaction)
            try await transaction.alter(BlobTable.letGo(hold.hash))
        }
    }

    package func usage(
        of payer: BlobPayer, within quota: BlobQuota
    ) async throws(BlobLedgerError) -> [BlobUsage] {
        try await database.transaction { (transaction) async throws(BlobLedgerError) in
            try await Self.usage(of: payer, within: quota, in: transaction)
        }
    }

    // MARK: Cleaning up

    /// For start-up, before the first upload. A database in a file has one server: what another left behind is over.
    package func start() async throws(BlobLedgerError) {
        guard database.engine == .sqlite else { return }
        try await database.transaction { (transaction) async throws(BlobLedgerError) in
            try await Self.removeReservations(where: "outlives_process = 0", in: transaction)
            try await transaction.alter(BlobTable.forgetDeletions)
        }
    }

    /// Ends what is over, and deletes blobs that nobody needs, a bounded number at a time. Returns whether there is more
    /// to do. Called every minute or so.
    @discardableResult
    package func sweep() async throws(BlobLedgerError) -> Bool {
        let now = clock.now()
        try await database.transaction { (transaction) async throws(BlobLedgerError) in
            try await Self.removeReservations(where: "expires_at < \(now)", in: transaction)
        }
        return try await deleteUnheld(now)
    }

    /// `sweep` for whom it is no business when that fails: the next one tries again.
    package func collect() async {
        do { try await sweep() } catch {
            Self.log.warning(
                "blobs that nobody needs could not be deleted; the next sweep tries again", [.error(error)])
        }
    }

    private func deleteUnheld(_ now: Timestamp) async throws(BlobLedgerError) -> Bool {
        let abandoned = now - Self.deletionLease
        let hashes = try await database.transaction { (transaction) async throws(BlobLedgerError) -> [Bytes] in
            let statement = BlobTable.unheld(abandonedBefore: abandoned, limit: Self.batch)
            let hashes = try await transaction.values(statement) { (row) throws(StoreError) in try row.blob(0) }
            if !hashes.isEmpty { try await transaction.alter(BlobTable.beginDeletion(hashes, at: now)) }
            return hashes
        }
        for hash in hashes {
            guard let key = BlobKey(hash: hash) else { throw .store(.corrupt("blobs: a hash of another length")) }
            do throws(BlobError) { try await blobs.delete(key) } catch { throw .blob(error) }
            try await database.transaction { (transaction) async throws(BlobLedgerError) in
                _ = try await transaction.alter(BlobTable.deleted(hash, since: now))
            }
        }
        return hashes.count == Self.batch
    }

    // MARK: Parts

    private func renew(_ reservation: BlobReservation, at now: Timestamp) async throws(BlobLedgerError) {
        try await database.transaction { (transaction) async throws(BlobLedgerError) in
            try await Self.renew(reservation.id, until: now + reservation.lifetime, in: transaction)
        }
    }

    private func admit(_ blob: BlobInfo, _ reservation: BlobReservation) async throws {
        for _ in 0..<Self.deletionWait.attempts {
            let now = clock.now()
            let isAdmitted = try await database.transaction {
                (transaction) async throws(BlobLedgerError) -> Bool in
                guard try await transaction.numbers(BlobTable.isBeingDeleted(blob.key)).first == 0 else {
                    return false
                }
                try await transaction.alter(BlobTable.insert(blob, at: now))
                guard try await transaction.alter(BlobTable.pin(reservation.id, blob.key)) == 1 else {
                    throw .reservationOver
                }
                return true
            }
            if isAdmitted { return }
            try await Task.sleep(for: Self.deletionWait.pause)
        }
        throw BlobError.unavailable("the same content is being deleted")
    }

    private static func usage(
        of payer: BlobPayer, within quota: BlobQuota, in transaction: any Transaction
    ) async throws(BlobLedgerError) -> [BlobUsage] {
        var owners: [(BlobUsage.Owner, UUID, Int64?)] = [(.user, payer.user.uuid, quota.user)]
        if let organization = payer.organization { owners.append((.organization, organization, quota.organization)) }
        var result: [BlobUsage] = []
        for (owner, id, limit) in owners {
            let found = try await transaction.values(BlobTable.usage(of: id, in: payer.pot)) {
                (row) throws(StoreError) in (used: try row.integer(0), reserved: try row.integer(1))
            }
            let (used, reserved) = found.first ?? (0, 0)
            result.append(BlobUsage(owner: owner, used: used, reserved: reserved, limit: limit))
        }
        return result
    }

    private static func charge(
        _ payer: BlobPayer, used: Int64, reserved: Int64, in transaction: any Transaction
    ) async throws(BlobLedgerError) {
        guard used != 0 || reserved != 0 else { return }
        for owner in [payer.user.uuid, payer.organization].compactMap({ $0 }) {
            let change = BlobTable.change(owner, payer.pot, used: used, reserved: reserved)
            guard try await transaction.alter(change) == 0 else {
                // Who has nothing is in no table.
                if used <= 0, reserved <= 0 {
                    try await transaction.alter(BlobTable.forgetEmpty(owner, payer.pot))
                }
                continue
            }
            try await transaction.alter(BlobTable.insert(owner, payer.pot, used: used, reserved: reserved))
        }
    }

    private static func removeReservations(
        where condition: Statement, in transaction: any Transaction
    ) async throws(BlobLedgerError) {
        let removed = try await transaction.values(BlobTable.remove(where: condition)) { (row) throws(StoreError) in
            (bytes: try row.integer(0), payer: try BlobTable.payer(from: row, at: 1))
        }
        for (bytes, payer) in removed { try await charge(payer, used: 0, reserved: -bytes, in: transaction) }
    }
}

extension Transaction {
    fileprivate func values<Value>(
        _ statement: Statement, _ read: (Row) throws(StoreError) -> Value
    ) async throws(BlobLedgerError) -> [Value] {
        do {
            var values: [Value] = []
            for row in try await query(statement) { values.append(try read(row)) }
            return values
        } catch {
            throw BlobLedgerError(error)
        }
    }

    fileprivate func numbers(_ statement: Statement) async throws(BlobLedgerError) -> [Int64] {
        try await values(statement) { (row) throws(StoreError) in try row.integer(0) }
    }

    @discardableResult
    fileprivate func alter(_ statement: Statement) async throws(BlobLedgerError) -> Int {
        do { return try await execute(statement) } catch { throw BlobLedgerError(error) }
    }
}
