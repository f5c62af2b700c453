// What a profile shows and how it changes.

package import Base
import Store
package import Wire

/// A wish for one field: absent in the request, given, or null.
package enum FieldChange<Value: Sendable>: Sendable {
    case unchanged
    case set(Value)
    case cleared
}

/// What the owner of a profile, or an administrator, may change.
package struct ProfileChanges: Sendable {
    package var displayName: String?
    package var email: String?
    package var avatarURL = FieldChange<String>.unchanged
    package var publicKey = FieldChange<String>.unchanged
    /// Laid over the stored ones: a member replaces its namesake, `null` removes it, the others stay.
    package var preferences: JSONObject?

    package init() {}

    func checked() throws(AccountError) {
        if let displayName { _ = try Validation.displayName(displayName) }
        if let email { _ = try Validation.email(email) }
        if case .set(let url) = avatarURL { _ = try Validation.avatarURL(url) }
        if case .set(let key) = publicKey { _ = try Validation.publicKey(key) }
        if let preferences { try Validation.preferences(preferences) }
    }

    /// The names of what changes, for the audit log: never the values.
    var fields: [String] {
        var fields: [String] = []
        if displayName != nil { fields.append("display_name") }
        if email != nil { fields.append("email") }
        if case .unchanged = avatarURL {} else { fields.append("avatar_url") }
        if case .unchanged = publicKey {} else { fields.append("public_key") }
        if preferences != nil { fields.append("preferences") }
        return fields
    }

    func apply(to user: inout User) throws(AccountError) {
        if let displayName { user.displayName = Private(displayName) }
        if let email, email != user.email?.exposed {
            user.email = Private(email)
            user.isVerified = false
        }
        user.avatarURL = Self.apply(avatarURL, to: user.avatarURL)
        user.publicKey = Self.apply(publicKey, to: user.publicKey)
        if let preferences {
            for (key, value) in preferences.pairs { user.preferences[key] = value.isNull ? nil : value }
            try Validation.preferences(user.preferences)
        }
    }

    private static func apply(_ change: FieldChange<String>, to old: String?) -> String? {
        switch change {
        case .unchanged: old
        case .set(let new): new
        case .cleared: nil
        }
    }
}

extension AccountService {
    /// The user's own profile, from memory where it was read lately.
    package func profile(_ principal: Principal) async throws(AccountError) -> User {
        try await authenticator.user(principal.user)
    }

    /// Somebody's profile; what of it may be shown to whom is decided above.
    package func user(_ id: UserID) async throws(AccountError) -> User { try await authenticator.user(id) }

    package func updateProfile(
        _ principal: Principal, _ changes: ProfileChanges, origin: RequestOrigin
    ) async throws(AccountError) -> User {
        try await updateProfile(of: principal.user, changes, by: .principal(principal), origin: origin)
    }

    /// By the user or an administrator.
    package func updateProfile(
        of id: UserID, _ changes: ProfileChanges, by actor: Actor, origin: RequestOrigin
    ) async throws(AccountError) -> User {
        try await change(id, AccountChanges(profile: changes), by: actor, origin: origin)
    }

    /// Reads, changes and writes a user in one transaction, so that two changes at once are both kept.
    /// `check` runs before the change, with the user as it was.
    func edit(
        _ id: UserID, _ event: AuditEvent,
        check: @escaping @Sendable (User, any Transaction) async throws(AccountError) -> Void = { _, _ in },
        changes: [Change] = [],
        _ change: @escaping @Sendable (inout User) throws(AccountError) -> Void
    ) async throws(AccountError) -> User {
        let now = clock.now()
        let user = try await database.transaction { (transaction) async throws(AccountError) -> User in
            guard var user = try await transaction.first(UserTable.byID(id)) else { throw .notFound }
            try await check(user, transaction)
            try change(&user)
            user.updatedAt = now
            try await transaction.change(UserTable.update(user))
            try await Self.apply(changes, in: transaction)
            try await AuditLog.append(event, in: transaction)
            return user
        }
        audit.sealSoon()
        authenticator.userChanged(id)
        return user
    }

    // MARK: Deletion

    /// With everything that is the user's here. What they wrote elsewhere (messages, calls) is not an account's.
    package func deleteOwnAccount(_ principal: Principal, origin: RequestOrigin) async throws(AccountError) {
        _ = try principal.requireSession()
        try await delete(principal.user, by: .principal(principal), origin: origin)
    }

    package func deleteUser(_ id: UserID, by actor: Actor, origin: RequestOrigin) async throws(AccountError) {
        try actor.requireAdmin()
        try await delete(id, by: actor, origin: origin)
    }

    private func delete(_ id: UserID, by actor: Actor, origin: RequestOrigin) async throws(AccountError) {
        let event = event(
            .accountDeleted, actor: actor.userID, target: id.description, severity: .warning, origin: origin)
        try await database.transaction { (transaction) async throws(AccountError) in
            guard let user = try await transaction.first(UserTable.byID(id)) else { throw .notFound }
            try await Self.requireAnotherAdministrator(than: user, in: transaction)
            try await transaction.change(UserTable.delete(id))
            try await AuditLog.append(event, in: transaction)
        }
        audit.sealSoon()
        await announce(.accountEnded(id))
    }

    /// A server without an administrator could only be helped from the console.
    static func requireAnotherAdministrator(
        than user: User, in transaction: any Transaction
    ) async throws(AccountError) {
        guard user.isAdmin, user.isActive else { return }
        guard try await transaction.first(UserTable.otherActiveAdministrators(than: user.id)) != 0 else {
            throw .forbidden(.lastAdministrator)
        }
    }
}
