// Security keys and passkeys: registering them, and logging in with nothing else.

package import Base
import Crypto
import Store
import Wire

extension AccountService {
    package func beginPasskeyRegistration(
        _ principal: Principal
    ) async throws(AccountError) -> WebAuthn.CreationOptions {
        _ = try principal.requireSession()
        try await requireRoom(for: principal.user)
        let user = try await authenticator.user(principal.user)
        let factors = try await activeFactors(of: user.id)
        let (token, stored) = try await ceremony(.passkeyRegistration, user: user.id, session: SessionRequest())
        return WebAuthn.CreationOptions(
            token: token, challenge: stored.challenge ?? [], relyingParty: options.relyingParty,
            algorithms: WebAuthn.algorithms, userHandle: user.id.bytes, userName: user.username,
            userDisplayName: user.displayName,
            excluded: factors.compactMap(\.credentialID), lifetime: options.challengeLifetime)
    }

    /// Returns recovery codes when this is the account's first factor.
    package func finishPasskeyRegistration(
        _ principal: Principal, token: Secret, _ response: WebAuthn.RegistrationResponse, label: String = "",
        origin: RequestOrigin
    ) async throws(AccountError) -> [Secret] {
        _ = try principal.requireSession()
        let stored = try await waiting(token, .passkeyRegistration)
        guard stored.user == principal.user, let challenge = stored.challenge else { throw .challengeInvalid }
        let label = label.isEmpty ? "passkey" : try Validation.keyName(label)
        let registered: WebAuthn.Registered
        do {
            registered = try WebAuthn.verify(response, challenge: challenge, relyingParty: options.relyingParty)
        } catch {
            Self.log.debug("a passkey was refused", [.error(error)])
            throw Validation.fault(.credential, .value, "the authenticator's response is not acceptable")
        }
        let credential = registered.credential
        guard try await database.first(FactorTable.byCredential(credential.id)) == nil else {
            throw .alreadyExists(.credential)
        }
        let now = clock.now()
        let factor = Factor(
            id: .timeOrdered(at: now), user: principal.user, method: .webauthn, label: label, isActive: true,
            sealed: nil, lastStep: 0, credentialID: credential.id, credentialKey: credential.encodedKey,
            signCount: Int64(registered.signCount), createdAt: now, lastUsedAt: nil)
        let consumed = Change(ChallengeTable.delete(stored.tokenHash), orThrow: .challengeInvalid)
        return try await activate([consumed, Change(FactorTable.insert(factor))], .webauthn, principal, origin)
    }

    /// For anybody: which account it will be is what the passkey tells.
    package func beginPasskeyLogin(
        session: SessionRequest = SessionRequest()
    ) async throws(AccountError) -> WebAuthn.RequestOptions {
        let (token, stored) = try await ceremony(.passkeyLogin, user: nil, session: session)
        return WebAuthn.RequestOptions(
            token: token, challenge: stored.challenge ?? [], relyingPartyID: options.relyingParty.id, allowed: [],
            requiresUserVerification: true, lifetime: options.challengeLifetime)
    }

    /// A passkey that verified its user (by a finger or a PIN) is two factors in one: no password is asked for.
    package func finishPasskeyLogin(
        token: Secret, _ response: WebAuthn.AssertionResponse, origin: RequestOrigin
    ) async throws(AccountError) -> SignedIn {
        let keys = [throttles.key(address: origin.address)]
        try await begin(keys, origin: origin)
        let found = try await releasing(keys) { () async throws(AccountError) in
            let stored = try await self.waiting(token, .passkeyLogin)
            return (stored, try await self.database.first(FactorTable.byCredential(response.credentialID)))
        }
        guard let factor = found.1, let used = verified(response, factor, found.0, requiresUserVerification: true)
        else {
            let event = event(
                .loginFailed, actor: found.1?.user, severity: .warning, outcome: .failure, origin: origin,
                details: [("reason", .string("passkey"))])
            await recordFailure(keys, event)
            throw .invalidCredentials
        }
        throttles.abandoned(keys)
        guard let user = try await database.first(UserTable.byID(factor.user)) else { throw .invalidCredentials }
        guard user.isActive else { throw .inactive }
        let consumed = Change(ChallengeTable.delete(found.0.tokenHash), orThrow: .challengeInvalid)
        return try await signIn(user, found.0.session, how: "passkey", changes: [consumed, used], origin: origin)
    }

    /// A security key as a login's second step.
    func proven(
        _ response: WebAuthn.AssertionResponse, _ factors: [Factor], _ challenge: StoredChallenge?
    ) -> Proven? {
        guard let challenge, let factor = factors.first(where: { $0.credentialID == response.credentialID }),
            let used = verified(response, factor, challenge, requiresUserVerification: false)
        else { return nil }
        return Proven(method: .webauthn, changes: [used])
    }

    /// The change that notes the use; `nil` when the assertion is not acceptable.
    private func verified(
        _ response: WebAuthn.AssertionResponse, _ factor: Factor, _ stored: StoredChallenge,
        requiresUserVerification: Bool
    ) -> Change? {
        guard factor.isActive, let key = factor.credentialKey, let challenge = stored.challenge else { return nil }
        do {
            let asserted = try WebAuthn.verify(
                response, challenge: challenge, relyingParty: options.relyingParty, encodedKey: key,
                signCount: factor.signCount, requiresUserVerification: requiresUserVerification)
            let counted = FactorTable.counted(
                Int64(asserted.signCount), after: factor.signCount, of: factor.id, at: clock.now())
            return Change(counted, orThrow: .mfaInvalid)
        } catch {
            Self.log.debug("an assertion was refused", [.error(error)])
            return nil
        }
    }

    private func ceremony(
        _ purpose: StoredChallenge.Purpose, user: UserID?, session: SessionRequest
    ) async throws(AccountError) -> (Secret, StoredChallenge) {
        let token = OpaqueToken.temporary.make()
        let now = clock.now()
        let stored = StoredChallenge(
            tokenHash: SHA256.hash(token.exposedBytes), user: user, purpose: purpose, attempts: 0, sent: 0,
            factor: nil, codeHash: nil, challenge: SecureRandom.bytes(Self.challengeCount), session: session,
            createdAt: now, expiresAt: now + options.challengeLifetime)
        let bound = user == nil ? options.waitingPasskeyLogins : nil
        try await database.transaction { (transaction) async throws(AccountError) in
            if let bound { try await Self.makeRoom(in: transaction, bound, at: now) }
            try await transaction.change(ChallengeTable.insert(stored))
        }
        return (token, stored)
    }

    private static func makeRoom(
        in transaction: any Transaction, _ bound: Int, at now: Timestamp
    ) async throws(AccountError) {
        try await transaction.change(ChallengeTable.sweep(at: now))
        guard try await transaction.first(ChallengeTable.waiting(.passkeyLogin)) ?? 0 < bound else { throw .busy }
    }

    private func waiting(
        _ token: Secret, _ purpose: StoredChallenge.Purpose
    ) async throws(AccountError) -> StoredChallenge {
        guard let hash = OpaqueToken.temporary.hash(of: token),
            let stored = try await database.first(ChallengeTable.byToken(hash)), stored.purpose == purpose,
            clock.now() < stored.expiresAt
        else { throw .challengeInvalid }
        try await countAttempt(stored)
        return stored
    }
}
