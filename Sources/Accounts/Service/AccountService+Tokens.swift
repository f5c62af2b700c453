// Tokens that are issued rather than logged in for (services, nodes, administrators' scripts), API keys, signing keys.

package import Base
import Crypto
import Store
import Wire

package struct IssuedToken: Sendable {
    package let session: SessionID
    package let kind: TokenKind
    package let scopes: Scopes
    /// Told once.
    package let token: Secret
    package let expiresAt: Timestamp
}

/// An issued token as it is listed: without itself.
package struct TokenInfo: Sendable {
    package let session: SessionID
    package let user: UserID
    package let kind: TokenKind
    package let label: String
    package let scopes: Scopes
    package let createdAt: Timestamp
    package let expiresAt: Timestamp
}

extension AccountService {
    /// An account without a password, for a component or a node: it only ever holds tokens. Its name stands for a
    /// missing `displayName`.
    package func createServiceAccount(
        name: String, kind: User.Kind, scopes: Scopes, displayName: String? = nil, by actor: Actor,
        origin: RequestOrigin
    ) async throws(AccountError) -> User {
        try actor.requireAdmin()
        guard kind != .person else { throw Validation.fault(.name, .value, "people register or are created") }
        let username = try Validation.username(name)
        let shown = try Validation.displayName(displayName ?? username)
        try await requireFree(username: username, email: nil)
        let now = clock.now()
        let user = User(
            id: .timeOrdered(at: now), kind: kind, username: Private(username), email: nil,
            displayName: Private(shown), avatarURL: nil, publicKey: nil, isActive: true, isVerified: false,
            roles: [], grantedScopes: scopes, tier: .user, preferences: JSONObject(), createdAt: now, updatedAt: now,
            lastLogin: nil)
        let event = event(
            .accountCreated, actor: actor.userID, target: user.id.description, severity: .warning, origin: origin,
            details: [("kind", .string("\(kind)")), ("scopes", .string(scopes.claim))])
        try await commit([Change(UserTable.insert(user, passwordHash: nil))], event)
        return user
    }

    /// `scopes` and `lifetime` narrow what the account's kind allows; neither can widen it. To rotate a token, issue
    /// the next one and revoke the last.
    package func issueToken(
        for id: UserID, scopes: Scopes? = nil, lifetime: Duration? = nil, label: String = "", by actor: Actor,
        origin: RequestOrigin
    ) async throws(AccountError) -> IssuedToken {
        try actor.requireAdmin()
        let label = label.isEmpty ? "" : try Validation.keyName(label)
        guard let user = try await database.first(UserTable.byID(id)) else { throw .notFound }
        guard user.isActive else { throw .inactive }
        let scopes = scopes ?? user.scopes
        guard user.scopes.isSuperset(of: scopes) else { throw .forbidden(.scopeExceeded) }
        let kind = Self.tokenKind(of: user)
        let now = clock.now()
        let length = min(max(lifetime ?? standardLifetime(kind), .seconds(1)), longestLifetime(kind))
        let session = Session(
            id: .timeOrdered(at: now), user: id, kind: kind, createdAt: now, lastUsedAt: now, expiresAt: now + length,
            isRemembered: false, rotatesRefreshTokens: false, scopes: scopes, label: label, address: origin.address,
            userAgent: origin.userAgent, revokedAt: nil)
        let token = try await accessToken(session, user, lifetime: length, at: now)
        let event = event(
            .tokenIssued, actor: actor.userID, target: session.id.description, severity: .warning, origin: origin,
            details: [
                ("for", .string(id.description)), ("kind", .string(kind.rawValue)), ("scopes", .string(scopes.claim)),
                ("expires_at", .string(session.expiresAt.rfc3339)),
            ])
        try await commit([Change(SessionTable.insert(session, cookieHash: nil))], event)
        return IssuedToken(
            session: session.id, kind: kind, scopes: scopes, token: token, expiresAt: session.expiresAt)
    }

    private static func tokenKind(of user: User) -> TokenKind {
        switch user.kind {
        case .node: .node
        case .service: .service
        case .person: user.isAdmin ? .admin : .user
        }
    }

    private func standardLifetime(_ kind: TokenKind) -> Duration {
        switch kind {
        case .user: options.accessLifetime
        case .admin: options.adminTokenLifetime
        case .node: options.nodeTokenLifetime
        case .service: options.serviceTokenLifetime
        }
    }

    /// Nodes renew their tokens by machine, so nothing speaks for long ones.
    private func longestLifetime(_ kind: TokenKind) -> Duration {
        kind == .node ? min(.hours(24), options.longestTokenLifetime) : options.longestTokenLifetime
    }

    /// What was issued for an account and still counts.
    package func issuedTokens(of id: UserID, by actor: Actor) async throws(AccountError) -> [TokenInfo] {
        try actor.requireAdmin()
        return try await database.all(SessionTable.live(of: id, at: clock.now())).map {
            TokenInfo(
                session: $0.id, user: $0.user, kind: $0.kind, label: $0.label, scopes: $0.scopes,
                createdAt: $0.createdAt, expiresAt: $0.expiresAt)
        }
    }

    package func revokeToken(_ session: SessionID, by actor: Actor, origin: RequestOrigin) async throws(AccountError) {
        try actor.requireAdmin()
        let event = event(
            .tokenRevoked, actor: actor.userID, target: session.description, severity: .warning, origin: origin)
        try await commit([Change(SessionTable.revoke(session, at: clock.now()), orThrow: .notFound)], event)
        await announce(.sessionEnded(session))
    }

    // MARK: API keys

    /// `permissions` are `read`, `write`, `admin` and names of scopes. A key can do no more than its owner: an
    /// administrator's key is an administrator only with `admin`.
    package func createAPIKey(
        _ principal: Principal, name: String, permissions: [String], expiresAt: Timestamp?, origin: RequestOrigin
    ) async throws(AccountError) -> NewAPIKey {
        _ = try principal.requireSession()
        let name = try Validation.keyName(name)
        let now = clock.now()
        if let expiresAt, expiresAt <= now {
            throw Validation.fault(.expiresAt, .value, "a time in the future")
        }
        let (access, scopes) = try Self.granted(permissions, to: principal)
        guard try await database.first(APIKeyTable.live(of: principal.user, at: now)) ?? 0 < options.keysPerUser else {
            throw .limitReached(options.keysPerUser)
        }
        let token = OpaqueToken.apiKey.make()
        let key = APIKey(
            id: .timeOrdered(at: now), user: principal.user, name: name, hint: String(token.exposedText.prefix(8)),
            access: access, scopes: scopes, createdAt: now, expiresAt: expiresAt, revokedAt: nil, lastUsedAt: nil)
        let event = event(
            .apiKeyCreated, actor: principal.user, target: key.id.description, severity: .warning, origin: origin,
            details: [("permissions", .array(key.permissions.map { .string($0) }))])
        try await commit([Change(APIKeyTable.insert(key, hash: SHA256.hash(token.exposedBytes)))], event)
        return NewAPIKey(key: key, token: token)
    }

    private static func granted(
        _ permissions: [String], to principal: Principal
    ) throws(AccountError) -> (Access, Scopes) {
        guard !permissions.isEmpty else { throw Validation.fault(.permissions, .required, "at least one") }
        var access: Access = []
        var scopes: Scopes = []
        for name in permissions {
            if let one = Access(name: name) {
                access.insert(one)
            } else if let one = Scopes(name: name) {
                scopes.insert(one)
            } else {
                throw Validation.fault(.permissions, .value, "read, write, admin or the name of a scope")
            }
        }
        if access.contains(.admin) {
            guard principal.isAdmin else { throw .forbidden(.administratorsOnly) }
            return (.full, .all)
        }
        guard principal.scopes.isSuperset(of: scopes) else { throw .forbidden(.scopeExceeded) }
        // Scopes alone mean using them; access alone means what every user has.
        if access.isEmpty { access = [.read, .write] }
        if scopes.isEmpty { scopes = .ofEveryUser.intersection(principal.scopes) }
        return (access, scopes)
    }

    /// The principal's keys, revoked ones included.
    package func apiKeys(_ principal: Principal) async throws(AccountError) -> [APIKey] {
        try await database.all(APIKeyTable.all(of: principal.user))
    }

    package func revokeAPIKey(
        _ id: APIKeyID, _ principal: Principal, origin: RequestOrigin
    ) async throws(AccountError) {
        _ = try principal.requireSession()
        let event = event(
            .apiKeyRevoked, actor: principal.user, target: id.description, severity: .warning, origin: origin)
        let revocation = APIKeyTable.revoke(id, of: principal.user, at: clock.now())
        try await commit([Change(revocation, orThrow: .notFound)], event)
        await announce(.keyRevoked(id))
    }
}
