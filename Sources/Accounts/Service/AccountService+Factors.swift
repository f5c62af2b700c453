// A user's second factors: enrolling, listing, removing.

package import Base
import Crypto
import Store
import Wire

extension AccountService {
    package func factors(_ principal: Principal) async throws(AccountError) -> [MFAFactor] {
        try await database.all(FactorTable.all(of: principal.user)).map {
            MFAFactor(
                id: $0.id, method: $0.method, label: $0.label, isActive: $0.isActive, createdAt: $0.createdAt,
                lastUsedAt: $0.lastUsedAt)
        }
    }

    // MARK: An authenticator app

    /// Counts from the first right code on (`confirmTOTP`). The secret is told once.
    package func enrolTOTP(
        _ principal: Principal, label: String = ""
    ) async throws(AccountError) -> TOTPEnrolment {
        _ = try principal.requireSession()
        let user = try await authenticator.user(principal.user)
        let secret = Secret(SecureRandom.bytes(TOTP.secretCount))
        let factor = try await insertPending(.totp, secret, label: label, of: user.id)
        let account = user.email?.exposed ?? user.username.exposed
        return TOTPEnrolment(
            factor: factor.id, secret: Secret(text: Base32.encode(secret.exposedBytes)),
            uri: TOTP.uri(secret: secret, issuer: options.relyingParty.name, account: account))
    }

    /// Returns recovery codes when this is the account's first factor; they are told once.
    package func confirmTOTP(
        _ principal: Principal, factor id: UUID, code: String, origin: RequestOrigin
    ) async throws(AccountError) -> [Secret] {
        _ = try principal.requireSession()
        guard let factor = try await database.first(FactorTable.byID(id, of: principal.user)), !factor.isActive,
            factor.method == .totp
        else { throw .notFound }
        let keys = [throttles.key(proofOf: principal.user)]
        try await begin(keys, origin: origin)
        let now = clock.now()
        let step = try await releasing(keys) { () async throws(AccountError) in try await self.match(code, factor, now)
        }
        guard let step else {
            await recordFailure(keys, failed(.totp, principal, origin))
            throw .mfaInvalid
        }
        try await proven(principal.user)
        let accept = Change(FactorTable.accept(step: step, of: id, at: now), orThrow: .mfaInvalid)
        return try await activate([accept], .totp, principal, origin)
    }

    // MARK: Mail and text messages

    /// Sends a code to the address or number; `confirmSent` with that code makes it a factor.
    package func enrolSent(
        _ principal: Principal, _ method: MFAMethod, to recipient: String, origin: RequestOrigin
    ) async throws(AccountError) -> Secret {
        _ = try principal.requireSession()
        let address = try Self.checked(recipient, method)
        guard senders[method] != nil else { throw .undeliverable }
        let factor = try await insertPending(
            method, Secret(text: address), label: Self.masked(address), of: principal.user)
        let token = OpaqueToken.temporary.make()
        let now = clock.now()
        let stored = StoredChallenge(
            tokenHash: SHA256.hash(token.exposedBytes), user: principal.user, purpose: .enrolment, attempts: 0,
            sent: 0, factor: factor.id, codeHash: nil, challenge: nil, session: SessionRequest(), createdAt: now,
            expiresAt: now + options.challengeLifetime)
        try await change(ChallengeTable.insert(stored))
        try await sendCode(for: stored, factor, origin)
        return token
    }

    package func confirmSent(
        _ principal: Principal, token: Secret, code: String, origin: RequestOrigin
    ) async throws(AccountError) -> [Secret] {
        _ = try principal.requireSession()
        guard let hash = OpaqueToken.temporary.hash(of: token),
            let stored = try await database.first(ChallengeTable.byToken(hash)), stored.purpose == .enrolment,
            stored.user == principal.user, let id = stored.factor,
            let factor = try await database.first(FactorTable.byID(id, of: principal.user))
        else { throw .challengeInvalid }
        try await countAttempt(stored)
        guard isSent(code, stored) else {
            try await audit.append(failed(factor.method, principal, origin))
            throw .mfaInvalid
        }
        let now = clock.now()
        var changes = [
            Change(ChallengeTable.delete(hash), orThrow: .challengeInvalid),
            Change(FactorTable.activate(id, at: now)),
        ]
        let user = try await authenticator.user(principal.user)
        if factor.method == .email, try await open(factor).exposedText == user.email?.exposed {
            changes.append(Change(UserTable.setVerified(user.id, at: now)))
        }
        return try await activate(changes, factor.method, principal, origin)
    }

    private static func checked(_ recipient: String, _ method: MFAMethod) throws(AccountError) -> String {
        switch method {
        case .email: try Validation.email(recipient)
        case .sms: try Validation.phone(recipient)
        case .totp, .webauthn, .recovery: throw Validation.fault(.method, .value, "email or sms")
        }
    }

    /// Enough for its owner to know it again: `…4711`, `a…@example.org`.
    private static func masked(_ address: String) -> String {
        guard let at = address.firstIndex(of: "@") else { return "…\(address.suffix(4))" }
        return "\(address.prefix(1))…\(address[at...])"
    }

    // MARK: All of them

    func insertPending(
        _ method: MFAMethod, _ secret: Secret, label: String, of user: UserID
    ) async throws(AccountError) -> Factor {
        let now = clock.now()
        let id = UUID.timeOrdered(at: now)
        let label = label.isEmpty ? method.rawValue : try Validation.keyName(label)
        let factor = Factor(
            id: id, user: user, method: method, label: label, isActive: false, sealed: try sealed(secret, factor: id),
            lastStep: 0, credentialID: nil, credentialKey: nil, signCount: 0, createdAt: now, lastUsedAt: nil)
        try await requireRoom(for: user)
        try await database.transaction { (transaction) async throws(AccountError) in
            try await transaction.change(FactorTable.deletePending(method, of: user))
            try await transaction.change(FactorTable.insert(factor))
        }
        return factor
    }

    func requireRoom(for user: UserID) async throws(AccountError) {
        guard try await activeFactors(of: user).count < options.factorsPerUser else {
            throw .limitReached(options.factorsPerUser)
        }
    }

    /// The end of every enrolment: with the account's first factor come its recovery codes.
    func activate(
        _ changes: [Change], _ method: MFAMethod, _ principal: Principal, _ origin: RequestOrigin
    ) async throws(AccountError) -> [Secret] {
        let isFirst = try await activeFactors(of: principal.user).isEmpty
        let codes = isFirst ? (0..<RecoveryCode.count).map { _ in RecoveryCode.make() } : []
        let event = event(
            .factorAdded, actor: principal.user, target: principal.user.description, severity: .warning,
            origin: origin, details: [("method", .string(method.rawValue))])
        let storing = isFirst ? self.storing(codes, of: principal.user) : []
        try await commit(changes + storing, event)
        authenticator.userChanged(principal.user)
        return codes
    }

    private func storing(_ codes: [Secret], of user: UserID) -> [Change] {
        [Change(RecoveryCodeTable.deleteAll(of: user))]
            + codes.compactMap { RecoveryCode.normalized($0.exposedText) }.map {
                Change(RecoveryCodeTable.insert(codeHash.hash(recovery: $0, of: user), of: user))
            }
    }

    /// New recovery codes; the old ones are void.
    package func makeRecoveryCodes(
        _ principal: Principal, password: Secret, origin: RequestOrigin
    ) async throws(AccountError) -> [Secret] {
        _ = try principal.requireSession()
        try await confirmPassword(password, of: principal.user, origin: origin)
        guard try await !activeFactors(of: principal.user).isEmpty else { throw .notFound }
        let codes = (0..<RecoveryCode.count).map { _ in RecoveryCode.make() }
        let event = event(
            .recoveryCodesMade, actor: principal.user, target: principal.user.description, severity: .warning,
            origin: origin)
        try await commit(storing(codes, of: principal.user), event)
        return codes
    }

    /// With the password: a stolen session must not take the second factor away.
    package func removeFactor(
        _ principal: Principal, _ id: UUID, password: Secret, origin: RequestOrigin
    ) async throws(AccountError) {
        _ = try principal.requireSession()
        try await confirmPassword(password, of: principal.user, origin: origin)
        let user = principal.user
        let event = event(
            .factorRemoved, actor: user, target: user.description, severity: .warning, origin: origin)
        try await database.transaction { (transaction) async throws(AccountError) in
            guard try await transaction.change(FactorTable.delete(id, of: user)) == 1 else { throw .notFound }
            // Recovery codes stand in for a factor: without one they would be passwords.
            if try await transaction.all(FactorTable.all(of: user)).allSatisfy({ !$0.isActive }) {
                try await transaction.change(RecoveryCodeTable.deleteAll(of: user))
            }
            try await AuditLog.append(event, in: transaction)
        }
        audit.sealSoon()
    }

    private func failed(_ method: MFAMethod, _ principal: Principal, _ origin: RequestOrigin) -> AuditEvent {
        event(
            .factorFailed, actor: principal.user, severity: .warning, outcome: .failure, origin: origin,
            details: [("method", .string(method.rawValue))])
    }
}
