// The second step of a login: challenges, codes and their checking.

package import Base
import Crypto
import Store
import Vault
import Wire

extension AccountService {
    /// Answers to one challenge. Six digits and five tries are one chance in 200,000; the throttle on the account makes
    /// the next challenge wait.
    private static let attemptsPerChallenge = 5
    /// Codes sent for one challenge: a message may be lost, but nobody's phone is to ring all night.
    private static let codesPerChallenge = 3
    static let challengeCount = 32

    func activeFactors(of user: UserID) async throws(AccountError) -> [Factor] {
        try await database.all(FactorTable.all(of: user)).filter(\.isActive)
    }

    /// After a right password: a code that came along is checked, otherwise one is asked for.
    func secondStep(
        _ user: User, _ factors: [Factor], _ code: String?, _ session: SessionRequest, _ origin: RequestOrigin
    ) async throws(AccountError) -> SignedIn {
        if let code, !code.isEmpty {
            let proof = try await prove(.code(code), nil, user, factors, challenge: nil, origin: origin)
            return try await signIn(
                user, session, how: "password+\(proof.method.rawValue)", changes: proof.changes, origin: origin)
        }
        throw .mfaRequired(try await challenge(user, factors, session, origin))
    }

    private func challenge(
        _ user: User, _ factors: [Factor], _ session: SessionRequest, _ origin: RequestOrigin
    ) async throws(AccountError) -> MFAChallenge {
        let now = clock.now()
        let token = OpaqueToken.temporary.make()
        let hash = SHA256.hash(token.exposedBytes)
        let stored = StoredChallenge(
            tokenHash: hash, user: user.id, purpose: .login, attempts: 0, sent: 0, factor: nil, codeHash: nil,
            challenge: SecureRandom.bytes(Self.challengeCount), session: session, createdAt: now,
            expiresAt: now + options.challengeLifetime)
        try await change(ChallengeTable.insert(stored))
        // With an app or a key at hand nothing is sent unless asked for; otherwise the first code goes out at once.
        if !factors.contains(where: { $0.method == .totp || $0.method == .webauthn }), let first = factors.first {
            try await sendCode(for: stored, first, origin)
        }
        var methods: [MFAMethod] = []
        for factor in factors where !methods.contains(factor.method) { methods.append(factor.method) }
        if try await database.first(RecoveryCodeTable.unused(of: user.id)) != 0 { methods.append(.recovery) }
        return MFAChallenge(temporaryToken: token, methods: methods, expiresAt: stored.expiresAt)
    }

    func change(_ statement: Statement) async throws(AccountError) {
        do { try await database.execute(statement) } catch { throw AccountError(error) }
    }

    /// Sends a code for a login that waits, by mail or text message.
    package func requestCode(
        temporaryToken: Secret, method: MFAMethod, origin: RequestOrigin
    ) async throws(AccountError) {
        let (stored, user) = try await waitingLogin(temporaryToken)
        let factors = try await activeFactors(of: user.id)
        guard let factor = factors.first(where: { $0.method == method && senders[method] != nil }) else {
            throw Validation.fault(.method, .value, "a method of this account that codes are sent by")
        }
        try await sendCode(for: stored, factor, origin)
    }

    /// What a security key signs for a login that waits.
    package func keyOptions(temporaryToken: Secret) async throws(AccountError) -> WebAuthn.RequestOptions {
        let (stored, user) = try await waitingLogin(temporaryToken)
        let factors = try await activeFactors(of: user.id).filter { $0.method == .webauthn }
        guard !factors.isEmpty, let challenge = stored.challenge else {
            throw Validation.fault(.method, .value, "this account has no security key")
        }
        return WebAuthn.RequestOptions(
            token: temporaryToken, challenge: challenge, relyingPartyID: options.relyingParty.id,
            allowed: factors.compactMap(\.credentialID), requiresUserVerification: false,
            lifetime: options.challengeLifetime)
    }

    private func waitingLogin(_ token: Secret) async throws(AccountError) -> (StoredChallenge, User) {
        guard let hash = OpaqueToken.temporary.hash(of: token),
            let stored = try await database.first(ChallengeTable.byToken(hash)), stored.purpose == .login,
            clock.now() < stored.expiresAt, let id = stored.user,
            let user = try await database.first(UserTable.byID(id)), user.isActive
        else { throw .challengeInvalid }
        return (stored, user)
    }

    /// Completes a login. Without a method, a code may be of any kind that the account has.
    package func completeMFA(
        temporaryToken: Secret, method: MFAMethod? = nil, proof: MFAProof, origin: RequestOrigin
    ) async throws(AccountError) -> SignedIn {
        let (stored, user) = try await waitingLogin(temporaryToken)
        try await countAttempt(stored)
        let factors = try await activeFactors(of: user.id)
        let proven = try await prove(proof, method, user, factors, challenge: stored, origin: origin)
        let consumed = Change(ChallengeTable.delete(stored.tokenHash), orThrow: .challengeInvalid)
        return try await signIn(
            user, stored.session, how: "password+\(proven.method.rawValue)", changes: [consumed] + proven.changes,
            origin: origin)
    }

    func countAttempt(_ challenge: StoredChallenge) async throws(AccountError) {
        let attempt = ChallengeTable.attempt(
            challenge.tokenHash, limit: Self.attemptsPerChallenge, at: clock.now())
        let count = try await database.transaction { (transaction) async throws(AccountError) in
            try await transaction.change(attempt)
        }
        guard count == 1 else { throw .challengeInvalid }
    }

    // MARK: Proving

    struct Proven: Sendable {
        let method: MFAMethod
        /// What makes the proof good only once.
        let changes: [Change]
    }

    /// Checks a proof, throttled like a password.
    func prove(
        _ proof: MFAProof, _ method: MFAMethod?, _ user: User, _ factors: [Factor], challenge: StoredChallenge?,
        origin: RequestOrigin
    ) async throws(AccountError) -> Proven {
        let keys = [throttles.key(proofOf: user.id)]
        try await begin(keys, origin: origin)
        let proven = try await releasing(keys) { () async throws(AccountError) in
            switch proof {
            case .code(let code): try await self.proven(code, method, user, factors, challenge)
            case .assertion(let response): self.proven(response, factors, challenge)
            }
        }
        guard let proven else {
            let event = event(
                .factorFailed, actor: user.id, severity: .warning, outcome: .failure, origin: origin,
                details: [("method", .string(method?.rawValue ?? "any"))])
            await recordFailure(keys, event)
            throw .mfaInvalid
        }
        try await self.proven(user.id)
        return proven
    }

    /// `nil` for a wrong code.
    private func proven(
        _ code: String, _ method: MFAMethod?, _ user: User, _ factors: [Factor], _ challenge: StoredChallenge?
    ) async throws(AccountError) -> Proven? {
        let now = clock.now()
        for factor in factors where factor.method == .totp && (method ?? .totp) == .totp {
            guard let step = try await match(code, factor, now) else { continue }
            let accept = FactorTable.accept(step: step, of: factor.id, at: now)
            return Proven(method: .totp, changes: [Change(accept, orThrow: .mfaInvalid)])
        }
        if let sent = sentFactor(challenge, factors), (method ?? sent.method) == sent.method,
            isSent(code, challenge)
        {
            return Proven(method: sent.method, changes: [Change(FactorTable.activate(sent.id, at: now))])
        }
        guard (method ?? .recovery) == .recovery, let letters = RecoveryCode.normalized(code) else { return nil }
        return try await recoveryProof(letters, user, now)
    }

    private func recoveryProof(
        _ letters: Bytes, _ user: User, _ now: Timestamp
    ) async throws(AccountError) -> Proven? {
        let hash = codeHash.hash(recovery: letters, of: user.id)
        guard try await database.first(RecoveryCodeTable.isUnused(hash, of: user.id)) == 1 else { return nil }
        let use = RecoveryCodeTable.use(hash, of: user.id, at: now)
        return Proven(method: .recovery, changes: [Change(use, orThrow: .mfaInvalid)])
    }

    func match(_ code: String, _ factor: Factor, _ now: Timestamp) async throws(AccountError) -> Int64? {
        let secret = try await open(factor)
        return TOTP.match(code, secret: secret, at: now, after: factor.lastStep)
    }

    private func sentFactor(_ challenge: StoredChallenge?, _ factors: [Factor]) -> Factor? {
        guard let id = challenge?.factor else { return nil }
        return factors.first { $0.id == id }
    }

    func isSent(_ code: String, _ challenge: StoredChallenge?) -> Bool {
        guard let challenge, let expected = challenge.codeHash else { return false }
        return constantTimeEquals(codeHash.hash(code: code, challenge: challenge.tokenHash), expected)
    }

    // MARK: Sending

    /// The person waits for the code, so the sending is waited for too.
    func sendCode(
        for challenge: StoredChallenge, _ factor: Factor, _ origin: RequestOrigin
    ) async throws(AccountError) {
        guard let sender = senders[factor.method] else { throw .undeliverable }
        let recipient = Private(try await open(factor).exposedText)
        let keys = [throttles.key(mailTo: recipient.exposed)]
        let now = clock.now()
        try throttles.begin(keys, at: now)
        throttles.failed(keys, at: now)
        let code = CodeHash.makeDigits()
        let setting = ChallengeTable.setCode(
            codeHash.hash(code: code, challenge: challenge.tokenHash), factor: factor.id, of: challenge.tokenHash,
            limit: Self.codesPerChallenge)
        let count = try await database.transaction { (transaction) async throws(AccountError) in
            try await transaction.change(setting)
        }
        guard count == 1 else { throw .challengeInvalid }
        let message: AccountMessage =
            challenge.purpose == .enrolment
            ? .enrolmentCode(code, validFor: options.challengeLifetime)
            : .loginCode(code, validFor: options.challengeLifetime)
        do {
            try await sender.send(message, to: recipient)
        } catch {
            Self.log.warning("a code could not be sent", [.error(error)])
            throw .undeliverable
        }
    }

    // MARK: Sealing

    func sealed(_ secret: Secret, factor: UUID) throws(AccountError) -> Bytes {
        try keyed { () throws(KeyError) in try SealedFactors.seal(secret, of: factor, keys) }
    }

    func open(_ factor: Factor) async throws(AccountError) -> Secret {
        guard let sealed = factor.sealed, let generation = VaultKeys.generation(of: sealed) else {
            throw .store(.corrupt("a factor has no sealed part"))
        }
        do {
            // Another node may have rotated the key a moment ago.
            try await keys.know(generation, of: KeyNames.factors)
            return try SealedFactors.open(sealed, of: factor.id, keys)
        } catch {
            if case .repository = error { throw AccountError(error) }
            throw .store(.corrupt("a factor cannot be opened: is this the database's own root key?"))
        }
    }
}
