// How an account is changed: whatever one request asks for is one transaction, so that all of it happens or nothing.

package import Base
import Store
import Wire

/// What may be changed of an account at once. All but the profile is the administrators'.
package struct AccountChanges: Sendable {
    package var profile: ProfileChanges
    /// Every person keeps the role `user`.
    package var roles: Roles?
    package var tier: Tier?
    /// A deactivated account keeps its data, and loses its sessions at once.
    package var isActive: Bool?

    package init(
        profile: ProfileChanges = ProfileChanges(), roles: Roles? = nil, tier: Tier? = nil, isActive: Bool? = nil
    ) {
        self.profile = profile
        self.roles = roles?.union(.user)
        self.tier = tier
        self.isActive = isActive
    }

    var isAdministrative: Bool { roles != nil || tier != nil || isActive != nil }

    /// Whether an administrator would be none afterwards.
    var endsAdministration: Bool { isActive == false || roles?.contains(.admin) == false }

    func apply(to user: inout User) throws(AccountError) {
        try profile.apply(to: &user)
        if let roles { user.roles = roles }
        if let tier { user.tier = tier }
        if let isActive { user.isActive = isActive }
    }
}

extension AccountService {
    /// By the account's owner or an administrator.
    package func change(
        _ id: UserID, _ changes: AccountChanges, by actor: Actor, origin: RequestOrigin
    ) async throws(AccountError) -> User {
        try await check(changes, of: id, by: actor)
        let events = events(of: changes, to: id, by: actor, origin: origin)
        guard let first = events.first else { return try await user(id) }
        let user = try await edit(
            id, first,
            check: { (user, transaction) async throws(AccountError) in
                guard changes.roles == nil || user.kind == .person else { throw .notFound }
                if changes.endsAdministration {
                    try await Self.requireAnotherAdministrator(than: user, in: transaction)
                }
                for event in events.dropFirst() { try await AuditLog.append(event, in: transaction) }
            }, changes: consequences(of: changes, for: id)
        ) { (user) throws(AccountError) in
            try changes.apply(to: &user)
        }
        if changes.isActive == false {
            await announce(.accountEnded(id))
        } else if changes.roles != nil || changes.tier != nil {
            await announce(.rightsChanged(of: id))
        }
        return user
    }

    private func check(_ changes: AccountChanges, of id: UserID, by actor: Actor) async throws(AccountError) {
        if changes.isAdministrative { try actor.requireAdmin() }
        guard actor.isAdmin || actor.userID == id else { throw .forbidden(.selfOrAdministrator) }
        // The address is where a reset mail goes: whoever changes it can take the account over.
        if changes.profile.email != nil, case .principal(let principal) = actor { _ = try principal.requireSession() }
        try changes.profile.checked()
        guard let email = changes.profile.email, let owner = try await database.first(UserTable.byEmail(email)) else {
            return
        }
        guard owner.id == id else { throw .alreadyExists(.email) }
    }

    private func consequences(of changes: AccountChanges, for id: UserID) -> [Change] {
        var consequences: [Change] = []
        // A reset mail that is on its way went to the old address, which may be why it is changed.
        if changes.profile.email != nil { consequences.append(Change(PasswordResetTable.deleteAll(of: id))) }
        if changes.isActive == false {
            consequences.append(Change(SessionTable.revokeAll(of: id, but: nil, at: clock.now())))
        }
        return consequences
    }

    /// One event for each kind of change, as if they had been made one by one.
    private func events(
        of changes: AccountChanges, to id: UserID, by actor: Actor, origin: RequestOrigin
    ) -> [AuditEvent] {
        var events: [AuditEvent] = []
        func add(_ action: AuditAction, _ severity: AuditSeverity, _ details: [(String, JSONValue)]) {
            events.append(
                event(
                    action, actor: actor.userID, target: id.description, severity: severity, origin: origin,
                    details: details))
        }
        let fields = changes.profile.fields.map { JSONValue.string($0) }
        if !fields.isEmpty { add(.accountChanged, .info, [("fields", .array(fields))]) }
        if let roles = changes.roles {
            add(.rolesChanged, .warning, [("roles", .array(roles.names.map { .string($0) }))])
        }
        if let tier = changes.tier {
            add(.accountChanged, .info, [("fields", .array([.string("tier")])), ("tier", .string(tier.rawValue))])
        }
        if let isActive = changes.isActive {
            add(isActive ? .accountActivated : .accountDeactivated, .warning, [])
        }
        return events
    }
}
