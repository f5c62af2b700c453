// What clients keep for their user: read, set, removed, each change with its note in the audit log and told to the
// user's other devices. A setting is its user's alone: no method takes another user's name.

package import Base
import Store
import Synchronization
package import Wire

package final class ClientSettings: Sendable {
    /// Whether a change may be made to what there is; `nil` where there is nothing yet.
    package typealias Condition = @Sendable (ClientSetting?) -> Bool

    package let options: ClientSettingOptions
    let database: any Database
    /// `nil` where no images are kept.
    let images: ClientImageStore?
    private let audit: AuditLog
    let clock: Clock
    private let events = Mutex<(any ClientSettingEvents)?>(nil)

    package init(
        _ accounts: AccountService, options: ClientSettingOptions = ClientSettingOptions(),
        images: ClientImageStore? = nil
    ) {
        self.options = options
        self.images = images
        database = accounts.database
        audit = accounts.audit
        clock = accounts.clock
    }

    /// Sockets need more than accounts to be made, so they come later.
    package func setEvents(_ events: any ClientSettingEvents) { self.events.withLock { $0 = events } }

    // MARK: Reading

    /// In the order of their keys.
    package func all(of user: UserID) async throws(ClientSettingError) -> [ClientSetting] {
        try await database.settings(ClientSettingTable.all(of: user))
            .sorted { $0.key.description.utf8.lexicographicallyPrecedes($1.key.description.utf8) }
    }

    package func setting(_ key: ClientSettingKey, of user: UserID) async throws(ClientSettingError) -> ClientSetting {
        guard let setting = try await database.settings(ClientSettingTable.one(key, of: user)).first else {
            throw .notFound
        }
        return setting
    }

    // MARK: Changing

    /// The same value again changes nothing, its version neither.
    package func set(
        _ key: ClientSettingKey, to value: JSONValue, if condition: @escaping Condition = { _ in true },
        by principal: Principal, origin: RequestOrigin
    ) async throws(ClientSettingError) -> ClientSetting {
        try await store(try wish(key.description, value), if: condition, by: principal, origin)
    }

    func store(
        _ wish: Wish, if condition: @escaping Condition, by principal: Principal, _ origin: RequestOrigin
    ) async throws(ClientSettingError) -> ClientSetting {
        let update = try await store([wish], if: condition, by: principal, origin)
        guard let setting = update.stored.first else { throw update.failures.first?.reason ?? .notFound }
        return setting
    }

    /// All that can be set is, in one transaction; what cannot is named, with the reason.
    package func update(
        _ wanted: [(key: String, value: JSONValue)], by principal: Principal, origin: RequestOrigin
    ) async throws(ClientSettingError) -> ClientSettingsUpdate {
        guard wanted.count <= ClientSettingOptions.bulkMax else {
            throw .invalid("settings", "must have at most \(ClientSettingOptions.bulkMax) entries")
        }
        var wishes: [Wish] = []
        var failures: [ClientSettingsUpdate.Failure] = []
        for (key, value) in wanted {
            do throws(ClientSettingError) {
                wishes.append(try wish(key, value))
            } catch {
                failures.append(.init(key: key, reason: error))
            }
        }
        if wishes.isEmpty { return ClientSettingsUpdate(stored: [], failures: failures) }
        var update = try await store(wishes, if: { _ in true }, by: principal, origin)
        update.failures = failures + update.failures
        return update
    }

    package func delete(
        _ key: ClientSettingKey, if condition: @escaping Condition = { _ in true }, by principal: Principal,
        origin: RequestOrigin
    ) async throws(ClientSettingError) {
        let user = principal.user
        let note = note(.clientSettingDeleted, [key], by: principal, origin)
        let wasImage = try await database.transaction { (transaction) async throws(ClientSettingError) -> Bool in
            let found = try await transaction.settings(ClientSettingTable.one(key, of: user)).first
            guard condition(found) else { throw .preconditionFailed }
            guard let found else { throw .notFound }
            try await transaction.release(found.holder.map { [$0] } ?? [])
            try await transaction.changeSettings(ClientSettingTable.delete(key, of: user))
            try await transaction.append(note)
            return found.holder != nil
        }
        audit.sealSoon()
        tell(ClientSettingsChange(deleted: [key]), user)
        if wasImage { await images?.ledger.collect() }
    }

    // MARK: Storing

    /// A setting that is well-formed in itself.
    struct Wish: Sendable {
        let key: ClientSettingKey
        let value: Bytes
        var image: StoredImage?
    }

    /// What one transaction did.
    private struct Outcome: Sendable {
        var update = ClientSettingsUpdate(stored: [], failures: [])
        var created: [ClientSettingKey] = []
        var changed: [ClientSettingKey] = []
        var written: [ClientSetting] = []
        var released: [UUID] = []
    }

    private func wish(_ key: String, _ value: JSONValue) throws(ClientSettingError) -> Wish {
        let key = try ClientSettingKey(key)
        try ClientSettingRule.check(value, for: key)
        let bytes = value.encoded
        guard bytes.count <= options.valueBytesMax else { throw .valueTooLarge(limit: options.valueBytesMax) }
        return Wish(key: key, value: bytes)
    }

    private func store(
        _ wishes: [Wish], if condition: @escaping Condition, by principal: Principal, _ origin: RequestOrigin
    ) async throws(ClientSettingError) -> ClientSettingsUpdate {
        let now = clock.now()
        let outcome = try await database.transaction {
            [self] (transaction) async throws(ClientSettingError) -> Outcome in
            let outcome = try await write(wishes, if: condition, of: principal.user, at: now, in: transaction)
            for (action, keys) in [(.clientSettingCreated, outcome.created), (.clientSettingUpdated, outcome.changed)]
                as [(AuditAction, [ClientSettingKey])] where !keys.isEmpty
            {
                try await transaction.append(note(action, keys, by: principal, origin))
            }
            return outcome
        }
        if !outcome.written.isEmpty {
            audit.sealSoon()
            tell(ClientSettingsChange(stored: outcome.written), principal.user)
        }
        if !outcome.released.isEmpty { await images?.ledger.collect() }
        return outcome.update
    }

    private func write(
        _ wishes: [Wish], if condition: Condition, of user: UserID, at now: Timestamp, in transaction: any Transaction
    ) async throws(ClientSettingError) -> Outcome {
        var outcome = Outcome()
        let found = try await transaction.settings(ClientSettingTable.some(wishes.map(\.key), of: user))
        let existing = Dictionary(found.map { ($0.key, $0) }) { first, _ in first }
        var usage: ClientSettingUsage?
        for wish in wishes {
            let old = existing[wish.key]
            guard condition(old) else { throw .preconditionFailed }
            // What the server wrote for an image may come back as a plain value, from a client's copy of all settings.
            if let old, old.value == wish.value, wish.image == nil || old.holder != nil {
                outcome.update.stored.append(old)
                continue
            }
            var after = if let usage { usage } else { try await self.usage(of: user, in: transaction) }
            usage = after
            after.count += old == nil ? 1 : 0
            after.bytes += ClientSetting.bytes(wish.key, wish.value) - (old?.bytes ?? 0)
            if let usage, !after.fits(after: usage) {
                outcome.update.failures.append(.init(key: wish.key.description, reason: .quotaExceeded(usage)))
                continue
            }
            usage = after
            let version = UUID.timeOrdered(at: now)
            let setting = ClientSetting(
                key: wish.key, value: wish.value, version: version, updatedAt: now,
                holder: wish.image == nil ? nil : version)
            if let holder = old?.holder {
                try await transaction.release([holder])
                outcome.released.append(holder)
            }
            let isScanPending = wish.image?.scan == .pending
            try await transaction.changeSettings(
                ClientSettingTable.put(setting, of: user, isScanPending: isScanPending))
            if let image = wish.image { try await transaction.claim(image, for: version) }
            outcome.update.stored.append(setting)
            outcome.written.append(setting)
            if old == nil { outcome.created.append(wish.key) } else { outcome.changed.append(wish.key) }
        }
        return outcome
    }

    private func usage(
        of user: UserID, in transaction: any Transaction
    ) async throws(ClientSettingError) -> ClientSettingUsage {
        let sums = try await transaction.settings(ClientSettingTable.usage(of: user)).first
        return ClientSettingUsage(
            count: sums?.count ?? 0, bytes: sums?.bytes ?? 0, countMax: options.countMax,
            bytesMax: options.totalBytesMax)
    }

    // MARK: Afterwards

    /// Keys only: a value is the user's business.
    private func note(
        _ action: AuditAction, _ keys: [ClientSettingKey], by principal: Principal, _ origin: RequestOrigin
    ) -> AuditEvent {
        AuditEvent(
            time: clock.now(), actor: principal.user, action: action.rawValue, target: principal.user.description,
            origin: origin,
            details: JSONObject([("keys", .array(keys.map { .string($0.description) }))]))
    }

    func tell(_ change: ClientSettingsChange, _ user: UserID) {
        events.withLock { $0 }?.clientSettingsChanged(change, of: user)
    }
}

/// What a request to set several did.
package struct ClientSettingsUpdate: Sendable, Equatable {
    package struct Failure: Sendable, Equatable {
        /// As the client wrote it: it may be none.
        package let key: String
        package let reason: ClientSettingError
    }

    package internal(set) var stored: [ClientSetting]
    package internal(set) var failures: [Failure]
}

extension ClientSettingUsage {
    /// Whether these may be had. Who has more than a bound that was lowered may still make it less.
    func fits(after before: ClientSettingUsage) -> Bool {
        (count <= countMax || count <= before.count) && (bytes <= bytesMax || bytes <= before.bytes)
    }
}

// MARK: - The database's failures as these

extension Database {
    func settings<Value>(_ selection: Selection<Value>) async throws(ClientSettingError) -> [Value] {
        do { return try selection.values(of: await query(selection.statement)) } catch { throw .init(error) }
    }
}

extension Transaction {
    func settings<Value>(_ selection: Selection<Value>) async throws(ClientSettingError) -> [Value] {
        do { return try selection.values(of: await query(selection.statement)) } catch { throw .init(error) }
    }

    func changeSettings(_ statement: Statement) async throws(ClientSettingError) {
        do { _ = try await execute(statement) } catch { throw .init(error) }
    }

    func release(_ holders: [UUID]) async throws(ClientSettingError) {
        do throws(BlobLedgerError) { try await BlobLedger.release(holders, in: self) } catch { throw .init(error) }
    }

    fileprivate func claim(_ image: StoredImage, for holder: UUID) async throws(ClientSettingError) {
        do throws(BlobLedgerError) {
            try await BlobLedger.claim(
                image.reservation, image.blob, for: holder, charged: image.blob.length, in: self)
        } catch {
            throw .init(error)
        }
    }

    fileprivate func append(_ note: AuditEvent) async throws(ClientSettingError) {
        do { try await AuditLog.append(note, in: self) } catch { throw .account(error) }
    }
}
