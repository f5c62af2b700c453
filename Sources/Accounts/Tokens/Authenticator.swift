// From a credential to a principal: the hot path of every request.
//
// A credential that was seen before costs one hash, one look into a table and two loads; a new one costs a signature
// check or a look into the database. Caches are locked tables and atomics, not actors: a hop would cost more than the
// work.

package import Base
import Crypto
import Store
import Synchronization
import Vault

package final class Authenticator: Sendable {
    package struct Options: Sendable {
        /// Users, sessions and keys that are believed without asking the database; more cost about 0.5 KiB each.
        package var cachedUsers = 16_384
        /// Credentials whose check is remembered.
        package var cachedCredentials = 65_536
        /// How long a change by another process on the same database may go unseen. Changes on this node are seen at
        /// once, whatever this is.
        package var standingLifetime = Duration.seconds(5)

        package init() {}
    }

    /// What is remembered of a credential. It counts only while both standings do.
    private struct Known: Sendable {
        let principal: Principal
        let expiresAt: Timestamp?
        let user: Standing<User>
        let holder: Standing<Void>
    }

    /// Spreads the lock: requests of different credentials seldom wait for one another.
    private static let shardCount = 16
    /// `last_used_at` of an API key is written at most this often.
    private static let useInterval = Duration.seconds(60)

    package let csrf: CSRF
    private let database: any Database
    private let keyring: Keyring
    private let issuer: String
    private let clock: Clock
    private let jobs: BackgroundJobs
    private let users: StandingCache<UserID, User>
    /// Sessions and API keys: what a credential ends with.
    private let holders: StandingCache<UUID, Void>
    private let known: [ShardBox]

    /// An array cannot hold the noncopyable lock itself.
    private final class ShardBox: Sendable {
        let table: Mutex<GenerationalTable<Digest, Known>>
        init(capacity: Int) { table = Mutex(GenerationalTable(capacity: capacity)) }
    }

    init(
        database: any Database, keyring: Keyring, csrf: CSRF, issuer: String, clock: Clock, jobs: BackgroundJobs,
        options: Options
    ) {
        self.database = database
        self.keyring = keyring
        self.csrf = csrf
        self.issuer = issuer
        self.clock = clock
        self.jobs = jobs
        users = StandingCache(capacity: options.cachedUsers, lifetime: options.standingLifetime)
        holders = StandingCache(capacity: options.cachedUsers, lifetime: options.standingLifetime)
        known = (0..<Self.shardCount).map { _ in ShardBox(capacity: options.cachedCredentials / Self.shardCount) }
    }

    // MARK: Asking

    /// The principal of a credential that was checked before and still counts. Never suspends, never blocks for long.
    package func remembered(_ credential: Credential) -> Principal? {
        let digest = Digest(credential)
        return remembered(digest, at: clock.now())
    }

    package func authenticate(_ credential: Credential) async throws(AccountError) -> Principal {
        let digest = Digest(credential)
        let now = clock.now()
        if let principal = remembered(digest, at: now) { return principal }
        switch credential {
        case .bearer(let token): return try await check(bearer: token, digest, now)
        case .apiKey(let token): return try await check(apiKey: token, digest, now)
        case .cookie(let value): return try await check(cookie: value, digest, now)
        }
    }

    /// A user's profile; without asking the database where it was read lately.
    package func user(_ id: UserID) async throws(AccountError) -> User {
        let now = clock.now()
        if let standing = users.valid(id, at: now) { return standing.value }
        let epoch = users.currentEpoch
        guard let user = try await database.first(UserTable.byID(id)) else { throw .notFound }
        return users.keep(user, for: id, readAt: epoch, now: now).value
    }

    // MARK: Being told

    /// A change of this user was committed: nobody believes the old state from here on.
    func userChanged(_ id: UserID) { users.invalidate(id) }

    func sessionEnded(_ id: SessionID) { holders.invalidate(id.uuid) }

    func keyRevoked(_ id: APIKeyID) { holders.invalidate(id.uuid) }

    /// A signing key is gone: every remembered check of a signature is repeated.
    func forgetCredentials() {
        users.advanceEpoch()
        for shard in known { shard.table.withLock { $0.removeAll() } }
    }

    // MARK: Checking

    private func remembered(_ digest: Digest, at now: Timestamp) -> Principal? {
        guard let known = shard(digest).table.withLock({ $0.value(digest) }) else { return nil }
        guard known.user.isValid(at: now), known.holder.isValid(at: now) else { return nil }
        if let expiresAt = known.expiresAt, now >= expiresAt { return nil }
        return known.principal
    }

    private func check(bearer: String, _ digest: Digest, _ now: Timestamp) async throws(AccountError) -> Principal {
        let epochs = (users.currentEpoch, holders.currentEpoch)
        let claims = try await verified(bearer, now)
        guard let found = try await database.first(SessionTable.withUser(id: claims.session)),
            found.session.user == claims.subject
        else { throw .tokenInvalid }
        try requireLive(found, now)
        let principal = Self.principal(found, kind: claims.kind, scopes: claims.scopes, needsCSRF: false)
        let end = min(claims.expiresAt, found.session.expiresAt)
        remember(digest, principal, until: end, user: found.user, holder: claims.session.uuid, epochs, now)
        return principal
    }

    /// Whom a ticket stands for, while what it was issued to counts: the session or key, the account, the scopes.
    /// Not remembered: tickets are shown once or twice.
    package func redeem(_ ticket: String, for purpose: TicketPurpose) async throws(AccountError) -> RedeemedTicket {
        let now = clock.now()
        guard let parsed = try? JWT.parse(ticket), let key = try await keyring.publicKey(parsed.kid, at: now) else {
            throw .tokenInvalid
        }
        let claims: TicketClaims
        do {
            claims = try JWT.verifyTicket(parsed, key: key, issuer: issuer, now: now)
        } catch {
            throw error == .expired ? .tokenExpired : .tokenInvalid
        }
        guard claims.purpose == purpose else { throw .tokenInvalid }
        return RedeemedTicket(principal: try await principal(of: claims, now), subject: claims.resource)
    }

    private func principal(of claims: TicketClaims, _ now: Timestamp) async throws(AccountError) -> Principal {
        switch claims.holder {
        case .session(let id):
            guard let found = try await database.first(SessionTable.withUser(id: id)),
                found.session.user == claims.user
            else { throw .tokenInvalid }
            try requireLive(found, now)
            return Self.principal(found, kind: claims.kind, scopes: claims.scopes, needsCSRF: false)
        case .apiKey(let id):
            guard let found = try await database.first(APIKeyTable.withUser(id: id)), found.key.user == claims.user
            else { throw .tokenInvalid }
            try requireLive(found, now)
            return Self.principal(found)
        }
    }

    private func requireLive(_ found: APIKeyAndUser, _ now: Timestamp) throws(AccountError) {
        guard found.key.revokedAt == nil else { throw .tokenInvalid }
        if let expiresAt = found.key.expiresAt, now >= expiresAt { throw .tokenExpired }
        guard found.user.isActive else { throw .inactive }
    }

    private func verified(_ token: String, _ now: Timestamp) async throws(AccountError) -> TokenClaims {
        guard let parsed = try? JWT.parse(token), let key = try await keyring.publicKey(parsed.kid, at: now) else {
            throw .tokenInvalid
        }
        do {
            return try JWT.verify(parsed, key: key, issuer: issuer, now: now)
        } catch {
            throw error == .expired ? .tokenExpired : .tokenInvalid
        }
    }

    private func check(cookie: String, _ digest: Digest, _ now: Timestamp) async throws(AccountError) -> Principal {
        guard let hash = OpaqueToken.cookie.hash(of: cookie) else { throw .tokenInvalid }
        let epochs = (users.currentEpoch, holders.currentEpoch)
        guard let found = try await database.first(SessionTable.withUser(cookieHash: hash)) else {
            throw .tokenInvalid
        }
        try requireLive(found, now)
        let kind: TokenKind = found.user.isAdmin ? .admin : .user
        let principal = Self.principal(found, kind: kind, scopes: found.session.scopes, needsCSRF: true)
        let end = found.session.expiresAt
        remember(digest, principal, until: end, user: found.user, holder: found.session.id.uuid, epochs, now)
        return principal
    }

    private func check(apiKey: String, _ digest: Digest, _ now: Timestamp) async throws(AccountError) -> Principal {
        guard let hash = OpaqueToken.apiKey.hash(of: apiKey) else { throw .tokenInvalid }
        let epochs = (users.currentEpoch, holders.currentEpoch)
        guard let found = try await database.first(APIKeyTable.withUser(hash: hash)) else { throw .tokenInvalid }
        try requireLive(found, now)
        let principal = Self.principal(found)
        let end = found.key.expiresAt
        remember(digest, principal, until: end, user: found.user, holder: found.key.id.uuid, epochs, now)
        noteUse(of: found.key, now)
        return principal
    }

    private func requireLive(_ found: SessionAndUser, _ now: Timestamp) throws(AccountError) {
        guard found.session.revokedAt == nil else { throw .tokenInvalid }
        guard now < found.session.expiresAt else { throw .tokenExpired }
        guard found.user.isActive else { throw .inactive }
    }

    /// The token says what it was given, the user what is still theirs: both must agree.
    private static func principal(
        _ found: SessionAndUser, kind: TokenKind, scopes: Scopes, needsCSRF: Bool
    ) -> Principal {
        let user = found.user
        return Principal(
            user: user.id, session: found.session.id, apiKey: nil, kind: kind, roles: user.roles,
            scopes: scopes.intersection(user.scopes), access: .full, tier: user.tier,
            isAdmin: kind == .admin && user.isAdmin, needsCSRF: needsCSRF)
    }

    private static func principal(_ found: APIKeyAndUser) -> Principal {
        let user = found.user
        return Principal(
            user: user.id, session: nil, apiKey: found.key.id, kind: .user, roles: user.roles,
            scopes: found.key.scopes.intersection(user.scopes), access: found.key.access, tier: user.tier,
            isAdmin: found.key.access.contains(.admin) && user.isAdmin, needsCSRF: false)
    }

    private func remember(
        _ digest: Digest, _ principal: Principal, until expiresAt: Timestamp?, user: User, holder: UUID,
        _ epochs: (user: UInt64, holder: UInt64), _ now: Timestamp
    ) {
        let known = Known(
            principal: principal, expiresAt: expiresAt,
            user: users.keep(user, for: user.id, readAt: epochs.user, now: now),
            holder: holders.keep((), for: holder, readAt: epochs.holder, now: now))
        shard(digest).table.withLock { _ = $0.insert(known, for: digest) }
    }

    private func noteUse(of key: APIKey, _ now: Timestamp) {
        if let last = key.lastUsedAt, now < last + Self.useInterval { return }
        let database = database
        jobs.start { _ = try? await database.execute(APIKeyTable.used(key.id, at: now)) }
    }

    private func shard(_ digest: Digest) -> ShardBox { known[Int(digest.low & UInt64(Self.shardCount - 1))] }
}

/// Stands for a credential in memory, so that a cache holds none. Half of a SHA-256: finding two credentials with one
/// digest, or one for a given digest, is out of reach at 128 bits.
private struct Digest: Hashable, Sendable {
    let high: UInt64
    let low: UInt64

    init(_ credential: Credential) {
        let hash =
            switch credential {
            case .bearer(let text): SHA256.hash([1] + Bytes(text.utf8))
            case .apiKey(let text): SHA256.hash([2] + Bytes(text.utf8))
            case .cookie(let text): SHA256.hash([3] + Bytes(text.utf8))
            }
        high = hash[0..<8].reduce(0) { $0 << 8 | UInt64($1) }
        low = hash[8..<16].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
