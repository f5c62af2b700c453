// Registering, logging in, and what both end in: a session.

package import Base
import Crypto
import Store
import Synchronization
import Wire

extension AccountService {
    /// Makes an account for whoever asks, and logs it in.
    package func register(
        _ registration: Registration, session: SessionRequest = SessionRequest(), origin: RequestOrigin
    ) async throws(AccountError) -> SignedIn {
        guard registrationIsOpen.load(ordering: .relaxed) else { throw .forbidden(.registrationClosed) }
        let user = try await insert(registration, roles: .user, isVerified: false, by: nil, origin: origin)
        return try await signIn(user, session, how: "registration", origin: origin)
    }

    /// By name or e-mail address. Throws `.mfaRequired` when the password is right but not enough.
    package func login(
        _ login: String, password: Secret, mfaCode: String? = nil, session: SessionRequest = SessionRequest(),
        origin: RequestOrigin
    ) async throws(AccountError) -> SignedIn {
        guard !login.isEmpty else { throw Validation.fault(.username, .required, "is required") }
        guard password.count > 0 else { throw Validation.fault(.password, .required, "is required") }
        let keys = [throttles.key(login: login), throttles.key(address: origin.address)]
        try await begin(keys, origin: origin)
        let user: User
        do {
            user = try await checkPassword(login, password)
        } catch {
            await end(keys, after: error, login: login, origin: origin)
            throw error
        }
        let factors = try await releasing(keys) { () async throws(AccountError) in
            try await self.activeFactors(of: user.id)
        }
        guard factors.isEmpty else {
            throttles.abandoned(keys)
            return try await secondStep(user, factors, mfaCode, session, origin)
        }
        throttles.abandoned(keys)
        return try await signIn(user, session, how: "password", origin: origin)
    }

    /// The user whose password this is. An unknown name takes as long as a wrong password.
    private func checkPassword(_ login: String, _ password: Secret) async throws(AccountError) -> User {
        // What nobody can have registered needs no look and no hash: it is refused for everyone alike.
        guard login.utf8.count <= Validation.emailLimit, password.count <= Validation.passwordLength.upperBound,
            !login.utf8.contains(0)
        else { throw .invalidCredentials }
        let stored = try await database.first(UserTable.credentials(login: login))
        guard try await passwords.verify(password, against: stored?.passwordHash), let stored,
            stored.user.kind == .person
        else { throw .invalidCredentials }
        guard stored.user.isActive else { throw .inactive }
        if let hash = stored.passwordHash, passwords.isOutdated(hash) { await rehash(password, of: stored.user.id) }
        return stored.user
    }

    /// Only somebody who shows the right password lets its hash be renewed with today's parameters.
    private func rehash(_ password: Secret, of user: UserID) async {
        do {
            let hash = try await passwords.hash(password)
            _ = try await database.execute(UserTable.setPassword(hash, of: user, at: clock.now()))
        } catch {
            Self.log.warning("a password hash was not renewed", [.error(error)])
        }
    }

    // MARK: Throttling

    /// Lets a guess begin, or throws `.throttled`. Whoever began must end: `end`, `throttles.succeeded` or
    /// `throttles.abandoned`.
    func begin(_ keys: [ThrottleKey], origin: RequestOrigin) async throws(AccountError) {
        let now = clock.now()
        try throttles.begin(keys, at: now)
        try await releasing(keys) { () async throws(AccountError) in
            let rows = try await self.database.all(ThrottleTable.rows(keys))
            try self.throttles.learn(rows, for: keys, at: now)
        }
    }

    /// Runs what may fail for a reason that says nothing about the guess.
    func releasing<Value: Sendable>(
        _ keys: [ThrottleKey], _ body: () async throws(AccountError) -> Value
    ) async throws(AccountError) -> Value {
        do {
            return try await body()
        } catch {
            throttles.abandoned(keys)
            throw error
        }
    }

    private func end(
        _ keys: [ThrottleKey], after error: AccountError, login: String, origin: RequestOrigin
    ) async {
        switch error {
        case .invalidCredentials:
            let event = event(
                .loginFailed, actor: nil, severity: .warning, outcome: .failure, origin: origin,
                details: [("reason", .string("credentials"))])
            await recordFailure(keys, event)
        case .inactive:
            throttles.abandoned(keys)
            let event = event(
                .loginFailed, actor: nil, severity: .warning, outcome: .failure, origin: origin,
                details: [("reason", .string("inactive"))])
            await record([], event)
        default:
            throttles.abandoned(keys)
        }
    }

    /// Counts a wrong guess, here and in the database, and writes it down.
    func recordFailure(_ keys: [ThrottleKey], _ event: AuditEvent) async {
        let now = clock.now()
        throttles.failed(keys, at: now)
        await record(keys.map { Change(ThrottleTable.failed($0, at: now)) }, event)
    }

    /// The answer is the same whether this could be stored or not; memory has counted it.
    private func record(_ changes: [Change], _ event: AuditEvent) async {
        do {
            try await commit(changes, event)
        } catch {
            Self.log.error("a failed login could not be stored", [.error(error)])
        }
    }

    // MARK: Sessions

    /// Opens a session: the end of every way of logging in. `changes` are kept together with it.
    func signIn(
        _ user: User, _ request: SessionRequest, how: String, changes: [Change] = [], origin: RequestOrigin
    ) async throws(AccountError) -> SignedIn {
        let now = clock.now()
        let lifetime = request.isRemembered ? options.rememberedLifetime : options.refreshLifetime
        let session = Session(
            id: .timeOrdered(at: now), user: user.id, kind: .user, createdAt: now, lastUsedAt: now,
            expiresAt: now + lifetime, isRemembered: request.isRemembered,
            rotatesRefreshTokens: request.rotatesRefreshTokens, scopes: .all, label: "", address: origin.address,
            userAgent: origin.userAgent, revokedAt: nil)
        let refresh = OpaqueToken.refresh.make()
        let cookie = request.wantsCookie ? OpaqueToken.cookie.make() : nil
        let access = try await accessToken(session, user, at: now)
        let event = event(
            .loginSucceeded, actor: user.id, target: session.id.description, origin: origin,
            details: [("method", .string(how))])
        try await commit(
            changes + opening(session, user, refresh: refresh, cookie: cookie) + forgiving(user), event)
        for key in loginKeys(of: user) { throttles.succeeded(key, others: []) }
        await announce(.sessionsMayHaveEnded(of: user.id))
        var loggedIn = user
        loggedIn.lastLogin = now
        return SignedIn(
            user: loggedIn,
            tokens: SessionTokens(
                session: session.id, kind: kind(of: session, user), scopes: user.scopes, accessToken: access,
                accessLifetime: options.accessLifetime, refreshToken: refresh, refreshLifetime: lifetime,
                cookie: cookie.map { sessionCookie($0, session.id, lifetime) }))
    }

    private func opening(_ session: Session, _ user: User, refresh: Secret, cookie: Secret?) -> [Change] {
        let now = session.createdAt
        return [
            Change(
                SessionTable.insert(session, cookieHash: cookie.flatMap { OpaqueToken.cookie.hash(of: $0) })),
            Change(
                RefreshTokenTable.insert(
                    hash: SHA256.hash(refresh.exposedBytes), session: session.id, generation: 0,
                    expires: session.expiresAt)),
            Change(SessionTable.revokeOldest(of: user.id, keeping: options.sessionsPerUser, at: now)),
            Change(UserTable.loggedIn(user.id, at: now)),
        ]
    }

    /// Both names under which somebody may have tried: a login that succeeds forgives the failures of both.
    private func loginKeys(of user: User) -> [ThrottleKey] {
        [user.username, user.email].compactMap { $0.map { throttles.key(login: $0.exposed) } }
    }

    func forgiving(_ user: User) -> [Change] { loginKeys(of: user).map { Change(ThrottleTable.succeeded($0)) } }

    func forgive(_ user: User) { for key in loginKeys(of: user) { throttles.succeeded(key, others: []) } }

    private func sessionCookie(_ value: Secret, _ session: SessionID, _ lifetime: Duration) -> SessionCookie {
        SessionCookie(value: value, csrfToken: authenticator.csrf.token(for: session), lifetime: lifetime)
    }

    /// A login's tokens are an administrator's as long as its user is one.
    func kind(of session: Session, _ user: User) -> TokenKind {
        guard session.kind == .user else { return session.kind }
        return user.isAdmin ? .admin : .user
    }

    func accessToken(
        _ session: Session, _ user: User, lifetime: Duration? = nil, at now: Timestamp
    ) async throws(AccountError) -> Secret {
        let key = try await keyring.current(at: now)
        let claims = TokenClaims(
            issuer: options.issuer, subject: user.id, session: session.id, id: .random(),
            kind: kind(of: session, user), scopes: session.scopes.intersection(user.scopes), issuedAt: now,
            expiresAt: now + (lifetime ?? options.accessLifetime))
        return JWT.sign(claims, with: key)
    }

    // MARK: Accounts

    /// Checks a registration and makes its user: shared by people who register and administrators who create.
    func insert(
        _ registration: Registration, roles: Roles, tier: Tier = .user, isVerified: Bool, by actor: Actor?,
        origin: RequestOrigin
    ) async throws(AccountError) -> User {
        let username = try Validation.username(registration.username)
        let email = try Validation.email(registration.email)
        try Validation.password(registration.password, minimum: options.passwordMinimum)
        let displayName = try Validation.displayName(registration.displayName ?? username)
        let publicKey = try registration.publicKey.map { (text) throws(AccountError) in
            try Validation.publicKey(text)
        }
        try await requireFree(username: username, email: email)
        let hash = try await passwords.hash(registration.password)
        let now = clock.now()
        let user = User(
            id: .timeOrdered(at: now), kind: .person, username: Private(username), email: Private(email),
            displayName: Private(displayName), avatarURL: nil, publicKey: publicKey, isActive: true,
            isVerified: isVerified, roles: roles.union(.user), grantedScopes: [], tier: tier,
            preferences: JSONObject(), createdAt: now, updatedAt: now, lastLogin: nil)
        let event = event(
            .accountCreated, actor: actor == nil ? user.id : actor?.userID, target: user.id.description,
            origin: origin, details: [("roles", .array(user.roles.names.map { .string($0) }))])
        try await commit([Change(UserTable.insert(user, passwordHash: hash))], event)
        return user
    }

    /// Before the costly hash; the unique indexes decide in the end.
    func requireFree(username: String?, email: String?) async throws(AccountError) {
        if let username, try await database.first(UserTable.isTaken(username: username)) != 0 {
            throw .alreadyExists(.username)
        }
        if let email, try await database.first(UserTable.isTaken(email: email)) != 0 { throw .alreadyExists(.email) }
    }
}
