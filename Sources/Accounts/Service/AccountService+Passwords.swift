// Changing, forgetting and resetting passwords.

package import Base
import Crypto
import Store
import Wire

extension AccountService {
    /// Ends all other sessions: whoever knew the old password is out.
    package func changePassword(
        _ principal: Principal, current: Secret, new: Secret, origin: RequestOrigin
    ) async throws(AccountError) {
        let session = try principal.requireSession()
        try Validation.password(new, .newPassword, minimum: options.passwordMinimum)
        try await confirmPassword(current, of: principal.user, origin: origin)
        let hash = try await passwords.hash(new)
        let now = clock.now()
        let event = event(
            .passwordChanged, actor: principal.user, target: principal.user.description, severity: .warning,
            origin: origin)
        try await commit(settingPassword(hash, of: principal.user, keeping: session, at: now), event)
        await announce(.sessionsEnded(of: principal.user, but: session))
    }

    private func settingPassword(
        _ hash: String, of user: UserID, keeping session: SessionID?, at now: Timestamp
    ) -> [Change] {
        [
            Change(UserTable.setPassword(hash, of: user, at: now), orThrow: .notFound),
            Change(SessionTable.revokeAll(of: user, but: session, at: now)),
            Change(PasswordResetTable.deleteAll(of: user)),
            Change(ChallengeTable.deleteAll(of: user)),
        ]
    }

    /// Asks for the password again before something that a stolen session must not do. Throttled like a login.
    func confirmPassword(_ password: Secret, of user: UserID, origin: RequestOrigin) async throws(AccountError) {
        guard password.count > 0 else { throw Validation.fault(.currentPassword, .required, "is required") }
        guard password.count <= Validation.passwordLength.upperBound else { throw .invalidCredentials }
        let keys = [throttles.key(proofOf: user)]
        try await begin(keys, origin: origin)
        let isRight = try await releasing(keys) { () async throws(AccountError) in
            let stored = try await self.database.first(UserTable.credentials(of: user))
            return try await self.passwords.verify(password, against: stored?.passwordHash)
        }
        guard isRight else {
            let event = event(
                .loginFailed, actor: user, severity: .warning, outcome: .failure, origin: origin,
                details: [("reason", .string("current_password"))])
            await recordFailure(keys, event)
            throw .invalidCredentials
        }
        try await proven(user)
    }

    /// A right password or code forgives the wrong ones before it.
    func proven(_ user: UserID) async throws(AccountError) {
        let key = throttles.key(proofOf: user)
        throttles.succeeded(key, others: [])
        if try await !database.all(ThrottleTable.rows([key])).isEmpty {
            do { try await database.execute(ThrottleTable.succeeded(key)) } catch { throw AccountError(error) }
        }
    }

    /// Sends a mail if there is such an account. Everything that depends on that happens after the answer, so neither
    /// the answer nor its time tells.
    package func forgotPassword(email: String, origin: RequestOrigin) async throws(AccountError) {
        let email = try Validation.email(email)
        guard let sender = senders.mail else { throw .undeliverable }
        let keys = [throttles.key(mailTo: email), throttles.key(mailFrom: origin.address)]
        let now = clock.now()
        try throttles.begin(keys, at: now)
        // A request counts like a failure: the free ones are how many mails may be sent without a wait.
        throttles.failed(keys, at: now)
        let started = jobs.start { [self] in
            do {
                try await sendReset(to: email, sender, origin)
            } catch {
                Self.log.warning("a password reset could not be sent", [.error(error)])
            }
        }
        guard started else { throw .busy }
    }

    private func sendReset(
        to email: String, _ sender: any CodeSender, _ origin: RequestOrigin
    ) async throws(AccountError) {
        guard let user = try await database.first(UserTable.byEmail(email)), user.isActive, let address = user.email
        else { return }
        let now = clock.now()
        let token = OpaqueToken.reset.make()
        let event = event(
            .passwordResetRequested, actor: nil, target: user.id.description, severity: .warning, origin: origin)
        let insertion = PasswordResetTable.insert(
            SHA256.hash(token.exposedBytes), user: user.id, at: now, expires: now + options.resetLifetime)
        try await commit([Change(insertion)], event)
        do {
            try await sender.send(.passwordReset(token: token, validFor: options.resetLifetime), to: address)
        } catch {
            Self.log.warning("a mail could not be sent", [.error(error)])
        }
    }

    /// With the token of the mail, once. Ends every session of the account; a second factor is still asked for.
    package func resetPassword(token: Secret, new: Secret, origin: RequestOrigin) async throws(AccountError) {
        try Validation.password(new, .newPassword, minimum: options.passwordMinimum)
        guard let hash = OpaqueToken.reset.hash(of: token) else { throw .resetInvalid }
        let now = clock.now()
        guard let id = try await database.first(PasswordResetTable.user(of: hash, at: now)),
            let user = try await database.first(UserTable.byID(id)), user.isActive
        else { throw .resetInvalid }
        let newHash = try await passwords.hash(new)
        let changes =
            [
                Change(PasswordResetTable.delete(hash), orThrow: .resetInvalid),
                // The mail came back: the address is the user's.
                Change(UserTable.setVerified(id, at: now)),
            ] + settingPassword(newHash, of: id, keeping: nil, at: now) + forgiving(user)
        let event = event(
            .passwordReset, actor: id, target: id.description, severity: .warning, origin: origin)
        try await commit(changes, event)
        forgive(user)
        await announce(.sessionsEnded(of: id, but: nil))
    }

    /// By an administrator, for somebody else or from the console.
    package func setPassword(
        _ password: Secret, of user: UserID, by actor: Actor, origin: RequestOrigin
    ) async throws(AccountError) {
        try actor.requireAdmin()
        try Validation.password(password, minimum: options.passwordMinimum)
        guard let stored = try await database.first(UserTable.byID(user)), stored.kind == .person else {
            throw .notFound
        }
        let hash = try await passwords.hash(password)
        let event = event(
            .passwordSet, actor: actor.userID, target: user.description, severity: .warning, origin: origin)
        try await commit(
            settingPassword(hash, of: user, keeping: nil, at: clock.now()) + forgiving(stored), event)
        forgive(stored)
        await announce(.sessionsEnded(of: user, but: nil))
    }
}
