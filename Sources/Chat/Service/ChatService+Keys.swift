// The registry of devices and their public keys.

package import Accounts
package import Base
import Store

extension ChatService {
    private static var keyCharacters: Int { 8_192 }
    private static var nameCharacters: Int { 100 }
    /// Users whose devices are asked for at once; changes in one answer.
    package static var deviceListLimit: Int { 500 }
    /// Members of a conversation up to which people seal for each other's devices; more share a key of the conversation.
    private static var sealingMembers: Int { 1_000 }

    /// New, or with other keys: what is the same makes no new version.
    package func register(
        _ id: ClientDeviceID, _ registration: DeviceRegistration, by principal: Principal
    ) async throws(ChatError) -> ClientDevice {
        try Self.check(registration)
        let (now, user, options) = (clock.now(), principal.user, options)
        let (device, change) = try await database.transaction {
            (transaction) async throws(ChatError) -> (ClientDevice, DeviceChange?) in
            let known = try await transaction.reader.devices(of: [user])
            let old = known.first { $0.id == id }
            guard old != nil || known.count < options.devicesPerUser else {
                throw .limitReached(.devices, options.devicesPerUser)
            }
            let device = registration.device(user, id, after: old, at: now)
            try await transaction.change(DeviceTable.upsert(device))
            if let old, old.identityKey != device.identityKey {
                try await transaction.change(DeviceTable.removeKeys(user, id))
            }
            try await Self.add(registration.oneTimeKeys, to: device, options, in: transaction)
            var change: DeviceChange?
            if old?.version != device.version {
                change = try await Self.note(old == nil ? .added : .changed, user, id, at: now, in: transaction)
            }
            let stored = try await transaction.reader.devices(of: [user]).first { $0.id == id }
            return (stored ?? device, change)
        }
        if let change { try await tell(change) }
        return device
    }

    private static func note(
        _ kind: DeviceChange.Kind, _ user: UserID, _ device: ClientDeviceID, at now: Timestamp,
        in transaction: any Transaction
    ) async throws(ChatError) -> DeviceChange {
        let version = try await transaction.reader.number(DeviceTable.lastVersion(user)) + 1
        let change = DeviceChange(user: user, version: version, device: device, kind: kind, at: now)
        try await transaction.change(DeviceTable.insert(change))
        return change
    }

    private func tell(_ change: DeviceChange) async throws(ChatError) {
        let audience = DeviceTable.audience(
            change.user, size: Self.sealingMembers, limit: options.membersPerConversation)
        let users = try await reader.all(audience) { (row) throws(StoreError) in try row.identifier(0, UserKind.self) }
        let everybody = Set(users).union([change.user]).sorted()
        events.notify(ChatNotice(.devicesChanged(change.user, version: change.version)), everybody)
    }

    private static func add(
        _ keys: [OneTimeKey], to device: ClientDevice, _ options: ChatOptions, in transaction: any Transaction
    ) async throws(ChatError) {
        let (user, id) = (device.user, device.id)
        var place = try await transaction.reader.number(DeviceTable.lastPlace(user, id))
        for key in keys {
            place += 1
            if try await transaction.change(DeviceTable.insert(key, user, id, place: place)) == 1 { continue }
            // Sent again after a lost answer: the same key, or one that was handed out meanwhile.
            let stored = try await transaction.reader.all(DeviceTable.stored(key.id, user, id)) {
                (row) throws(StoreError) in try row.optional(0, row.text)
            }
            guard stored.allSatisfy({ $0 == nil || $0 == key.key }) else {
                throw .invalid(.publicKey, .value, "a one-time key's name is used for another key")
            }
        }
        try await transaction.change(
            DeviceTable.forgetUsed(user, id, before: place - Int64(DeviceTable.usedKeysKept)))
        let count = try await transaction.reader.devices(of: [user]).first { $0.id == id }?.oneTimeKeyCount ?? 0
        guard count <= options.oneTimeKeysPerDevice else {
            throw .limitReached(.oneTimeKeys, options.oneTimeKeysPerDevice)
        }
    }

    private static func check(_ registration: DeviceRegistration) throws(ChatError) {
        try text(registration.name, 1...nameCharacters, .device)
        try text(registration.identityKey, 1...keyCharacters, .publicKey)
        try text(registration.algorithm, 1...nameCharacters, .publicKey)
        if let signed = registration.signedKey {
            try text(signed.id, 1...nameCharacters, .publicKey)
            try text(signed.key, 1...keyCharacters, .publicKey)
            try text(signed.signature, 1...keyCharacters, .signature)
        }
        for key in registration.oneTimeKeys {
            try text(key.id, 1...nameCharacters, .publicKey)
            try text(key.key, 1...keyCharacters, .publicKey)
        }
    }

    private static func text(
        _ text: String, _ length: ClosedRange<Int>, _ field: ChatFault.Field
    ) throws(ChatError) {
        guard length.contains(text.utf8.count) else {
            throw .invalid(field, .tooLong, "from \(length.lowerBound) to \(length.upperBound) bytes")
        }
        _ = try ChatValidation.stored(text, field)
    }

    package func removeDevice(_ id: ClientDeviceID, by principal: Principal) async throws(ChatError) {
        let (now, user) = (clock.now(), principal.user)
        let change = try await database.transaction { (transaction) async throws(ChatError) -> DeviceChange in
            guard try await transaction.change(DeviceTable.remove(id, of: user)) == 1 else { throw .notFound(.device) }
            try await transaction.change(DeviceTable.removeKeys(user, id))
            return try await Self.note(.removed, user, id, at: now, in: transaction)
        }
        try await tell(change)
    }

    // MARK: For those who seal

    /// Of oneself and of people with whom one shares a conversation; others are left out.
    package func devices(of users: [UserID], for principal: Principal) async throws(ChatError) -> [DeviceList] {
        let users = Self.unique(users)
        guard users.count <= Self.deviceListLimit else {
            throw .invalid(.user, .tooLong, "at most \(Self.deviceListLimit) users at once")
        }
        let known = try await acquainted(users, with: principal.user)
        let devices = Dictionary(grouping: try await reader.devices(of: known), by: \.user)
        var lists: [DeviceList] = []
        for user in known {
            let version = try await reader.number(DeviceTable.lastVersion(user))
            lists.append(DeviceList(user: user, version: version, devices: devices[user] ?? []))
        }
        return lists
    }

    private func acquainted(_ users: [UserID], with user: UserID) async throws(ChatError) -> [UserID] {
        guard !users.isEmpty else { return [] }
        let rows = try await reader.all(DeviceTable.acquainted(users, with: user)) { (row) throws(StoreError) in
            try row.identifier(0, UserKind.self)
        }
        let known = Set(rows).union([user])
        return users.filter { known.contains($0) }
    }

    /// One one-time key of each device of the user, each handed out once for ever.
    package func claimKeys(of user: UserID, for principal: Principal) async throws(ChatError) -> [ClaimedKey] {
        guard try await !acquainted([user], with: principal.user).isEmpty else { throw .notFound(.user) }
        return try await database.transaction { (transaction) async throws(ChatError) -> [ClaimedKey] in
            var claimed: [ClaimedKey] = []
            for device in try await transaction.reader.devices(of: [user]) {
                let key = try await transaction.reader.first(DeviceTable.next(user, device.id)) {
                    (row) throws(StoreError) in OneTimeKey(id: try row.text(0), key: try row.text(1))
                }
                if let key { try await transaction.change(DeviceTable.use(key.id, user, device.id)) }
                claimed.append(ClaimedKey(device: device, oneTimeKey: key))
            }
            return claimed
        }
    }

    /// What has changed with a user's devices after `version`, in order.
    package func deviceChanges(
        of user: UserID, after version: Int64, for principal: Principal
    ) async throws(ChatError) -> [DeviceChange] {
        guard try await !acquainted([user], with: principal.user).isEmpty else { throw .notFound(.user) }
        return try await reader.all(
            DeviceTable.changes(user, after: version, limit: Self.deviceListLimit), DeviceTable.change(from:))
    }
}

extension ChatReader {
    func devices(of users: [UserID]) async throws(ChatError) -> [ClientDevice] {
        guard !users.isEmpty else { return [] }
        let condition: Statement = "d.user_id IN (\(list: users.padded)) ORDER BY d.user_id, d.created_at, d.id"
        return try await all(DeviceTable.select(condition), DeviceTable.device(from:))
    }
}

extension DeviceRegistration {
    fileprivate func device(
        _ user: UserID, _ id: ClientDeviceID, after old: ClientDevice?, at now: Timestamp
    ) -> ClientDevice {
        // A key that another identity has signed says nothing any more.
        let signed = signedKey ?? (old?.identityKey == identityKey ? old?.signedKey : nil)
        let isSame = old?.identityKey == identityKey && old?.algorithm == algorithm && old?.signedKey == signed
        return ClientDevice(
            user: user, id: id, name: name, identityKey: identityKey, algorithm: algorithm, signedKey: signed,
            version: isSame ? old?.version ?? 1 : (old?.version ?? 0) + 1, oneTimeKeyCount: old?.oneTimeKeyCount ?? 0,
            createdAt: old?.createdAt ?? now, seenAt: now)
    }
}
