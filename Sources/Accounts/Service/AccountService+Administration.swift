// What administrators do with other people's accounts.

package import Base
import Crypto
import Store
import Wire

/// An account that an administrator makes.
package struct NewUser: Sendable {
    package var registration: Registration
    package var roles: Roles
    package var tier: Tier

    package init(_ registration: Registration, roles: Roles = .user, tier: Tier = .user) {
        self.registration = registration
        self.roles = roles
        self.tier = tier
    }
}

extension AccountService {
    /// Everyone may look for people; e-mail addresses and inactive accounts are searched by administrators only.
    package func users(_ filter: UserFilter, by actor: Actor) async throws(AccountError) -> Page<User> {
        var filter = filter
        if !actor.isAdmin {
            filter.includesInactive = false
            filter.kind = .person
            filter.role = nil
        }
        let total = try await database.first(UserTable.count(filter, searchesEmail: actor.isAdmin)) ?? 0
        let items = try await database.all(UserTable.page(filter, searchesEmail: actor.isAdmin))
        return Page(items: items, total: total)
    }

    package func createUser(
        _ new: NewUser, by actor: Actor, origin: RequestOrigin
    ) async throws(AccountError) -> User {
        try actor.requireAdmin()
        return try await insert(
            new.registration, roles: new.roles, tier: new.tier, isVerified: false, by: actor, origin: origin)
    }

    package func setActive(
        _ isActive: Bool, of id: UserID, by actor: Actor, origin: RequestOrigin
    ) async throws(AccountError) -> User {
        try await change(id, AccountChanges(isActive: isActive), by: actor, origin: origin)
    }

    package func setRoles(
        _ roles: Roles, of id: UserID, by actor: Actor, origin: RequestOrigin
    ) async throws(AccountError) -> User {
        try await change(id, AccountChanges(roles: roles), by: actor, origin: origin)
    }

    /// Scopes beside those of the roles; for a service or a node, all that its tokens may have.
    package func setGrantedScopes(
        _ scopes: Scopes, of id: UserID, by actor: Actor, origin: RequestOrigin
    ) async throws(AccountError) -> User {
        try actor.requireAdmin()
        let event = event(
            .scopesGranted, actor: actor.userID, target: id.description, severity: .warning, origin: origin,
            details: [("scopes", .string(scopes.claim))])
        let user = try await edit(id, event) { user in user.grantedScopes = scopes }
        await announce(.rightsChanged(of: id))
        return user
    }

    package func setTier(
        _ tier: Tier, of id: UserID, by actor: Actor, origin: RequestOrigin
    ) async throws(AccountError) -> User {
        try await change(id, AccountChanges(tier: tier), by: actor, origin: origin)
    }

    /// By name or address, for the command line.
    package func findUser(_ login: String) async throws(AccountError) -> User {
        guard let found = try await database.first(UserTable.credentials(login: login)) else { throw .notFound }
        return found.user
    }

    // MARK: The first start

    /// Makes the user `admin` when there is nobody at all, and returns its password when it was made up here: then it
    /// is shown once and nowhere kept. `nil` when there was somebody, or `password` was given.
    package func ensureAdministrator(password: Secret?) async throws(AccountError) -> Secret? {
        guard try await database.first(UserTable.people) == 0 else { return nil }
        if let password { try Validation.password(password, minimum: options.passwordMinimum) }
        let chosen = password ?? Secret(text: Base64.encode(SecureRandom.bytes(18), .urlSafe))
        let hash = try await passwords.hash(chosen)
        let now = clock.now()
        let admin = User(
            id: .timeOrdered(at: now), kind: .person, username: Private("admin"), email: nil,
            displayName: Private("Administrator"), avatarURL: nil, publicKey: nil, isActive: true, isVerified: false,
            roles: [.user, .admin], grantedScopes: [], tier: .user, preferences: JSONObject(), createdAt: now,
            updatedAt: now, lastLogin: nil)
        let event = event(
            .accountCreated, actor: nil, target: admin.id.description, severity: .warning, origin: .console,
            details: [("roles", .array(admin.roles.names.map { .string($0) }))])
        let isFirst = try await database.transaction { (transaction) async throws(AccountError) -> Bool in
            // Two nodes may start together on one database: one of them makes it.
            guard try await transaction.first(UserTable.people) == 0 else { return false }
            try await transaction.change(UserTable.insert(admin, passwordHash: hash))
            try await AuditLog.append(event, in: transaction)
            return true
        }
        audit.sealSoon()
        return isFirst && password == nil ? chosen : nil
    }
}
