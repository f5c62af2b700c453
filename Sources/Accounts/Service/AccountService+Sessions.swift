// Refreshing and ending sessions.

package import Base
import Crypto
import Store
import Wire

/// What a refresh token that was shown deserves.
enum RefreshDecision: Sendable, Equatable {
    /// A new token for the old one.
    case rotate
    /// The same token again: a session of a client that knows no second one.
    case keep
    /// The answer that was given before: the same client asks again because it did not get it.
    case repeatAnswer
    /// A token that was exchanged comes back: either its owner or a thief holds the successor. Nobody may go on.
    case reuse
    case refuse

    static func decide(
        _ token: RefreshToken, _ session: Session, isSuccessorUnused: Bool, client: Bytes, grace: Duration,
        now: Timestamp
    ) -> RefreshDecision {
        guard session.isLive(at: now), now < token.expiresAt else { return .refuse }
        guard let usedAt = token.usedAt else { return session.rotatesRefreshTokens ? .rotate : .keep }
        let isRepetition = now < usedAt + grace && token.usedBy == client && isSuccessorUnused
        return isRepetition ? .repeatAnswer : .reuse
    }
}

struct RefreshToken: Sendable {
    let hash: Bytes
    let session: SessionID
    /// Counts from 0 at the login.
    let generation: Int
    let expiresAt: Timestamp
    let usedAt: Timestamp?
    let usedBy: Bytes?
    let salt: Bytes?
}

extension AccountService {
    private struct RefreshOutcome: Sendable {
        let decision: RefreshDecision
        let session: Session
        let user: User
        let token: Secret
    }

    /// Exchanges a refresh token for a new access token, and in sessions that rotate for its successor. One that was
    /// exchanged before ends its session (`.refreshReused`).
    package func refresh(_ token: Secret, origin: RequestOrigin) async throws(AccountError) -> Refreshed {
        guard let hash = OpaqueToken.refresh.hash(of: token) else { throw .refreshInvalid }
        let now = clock.now()
        let exchange = Exchange(
            token: token, hash: hash, client: client(origin),
            salt: SecureRandom.bytes(RefreshDerivation.saltCount), now: now)
        let outcome = try await database.transaction { [self] (transaction) async throws(AccountError) in
            try await refresh(exchange, origin, in: transaction)
        }
        guard outcome.decision != .reuse else {
            await announce(.sessionEnded(outcome.session.id))
            audit.sealSoon()
            throw .refreshReused
        }
        return Refreshed(
            user: outcome.user, session: outcome.session.id, scopes: outcome.user.scopes,
            accessToken: try await accessToken(outcome.session, outcome.user, at: now),
            accessLifetime: options.accessLifetime, refreshToken: outcome.token)
    }

    /// What does not change when the transaction has to run again.
    private struct Exchange: Sendable {
        let token: Secret
        let hash: Bytes
        let client: Bytes
        let salt: Bytes
        let now: Timestamp
    }

    private func refresh(
        _ exchange: Exchange, _ origin: RequestOrigin, in transaction: any Transaction
    ) async throws(AccountError) -> RefreshOutcome {
        guard let stored = try await transaction.first(RefreshTokenTable.byHash(exchange.hash)),
            let found = try await transaction.first(SessionTable.withUser(id: stored.session))
        else { throw .refreshInvalid }
        let successors = try await transaction.first(
            RefreshTokenTable.isUnused(session: stored.session, generation: stored.generation + 1))
        let decision = RefreshDecision.decide(
            stored, found.session, isSuccessorUnused: successors == 1, client: exchange.client,
            grace: options.refreshGrace, now: exchange.now)
        guard decision != .refuse else { throw .refreshInvalid }
        guard found.user.isActive else { throw .inactive }
        let next = try await carryOut(decision, exchange, stored, found, origin, in: transaction)
        return RefreshOutcome(decision: decision, session: found.session, user: found.user, token: next)
    }

    /// Returns the token that the client goes on with.
    private func carryOut(
        _ decision: RefreshDecision, _ exchange: Exchange, _ stored: RefreshToken, _ found: SessionAndUser,
        _ origin: RequestOrigin, in transaction: any Transaction
    ) async throws(AccountError) -> Secret {
        switch decision {
        case .rotate:
            let successor = refreshDerivation.successor(of: exchange.token, salt: exchange.salt)
            try await rotate(stored, to: successor, exchange, found.session, in: transaction)
            return successor
        case .keep:
            let end = found.session.expiresAt
            try await transaction.change(SessionTable.used(stored.session, at: exchange.now, expires: end))
            return exchange.token
        case .repeatAnswer:
            guard let salt = stored.salt else { throw .store(.corrupt("a used refresh token has no salt")) }
            return refreshDerivation.successor(of: exchange.token, salt: salt)
        case .reuse, .refuse:
            try await transaction.change(SessionTable.revoke(stored.session, at: exchange.now))
            let event = event(
                .refreshReused, actor: found.user.id, target: stored.session.description, severity: .critical,
                outcome: .failure, origin: origin, details: [("generation", .integer(Int64(stored.generation)))])
            try await AuditLog.append(event, in: transaction)
            return exchange.token
        }
    }

    private func rotate(
        _ stored: RefreshToken, to successor: Secret, _ exchange: Exchange, _ session: Session,
        in transaction: any Transaction
    ) async throws(AccountError) {
        let lifetime = session.isRemembered ? options.rememberedLifetime : options.refreshLifetime
        let end = min(exchange.now + lifetime, session.createdAt + options.familyLifetime)
        let marked = RefreshTokenTable.markUsed(
            stored.hash, at: exchange.now, by: exchange.client, salt: exchange.salt)
        // Two exchanges of one token run one after the other; the second would have seen the first.
        guard try await transaction.change(marked) == 1 else { throw .refreshInvalid }
        try await transaction.change(
            RefreshTokenTable.insert(
                hash: SHA256.hash(successor.exposedBytes), session: session.id,
                generation: stored.generation + 1, expires: end))
        try await transaction.change(SessionTable.used(session.id, at: exchange.now, expires: end))
    }

    /// A repeated request comes from the same address with the same User-Agent.
    private func client(_ origin: RequestOrigin) -> Bytes {
        SHA256.hash(Bytes("\(origin.address.exposed)\u{0}\(origin.userAgent?.exposed ?? "")".utf8))
    }

    // MARK: Ending

    package func logout(_ principal: Principal, origin: RequestOrigin) async throws(AccountError) {
        let session = try principal.requireSession()
        let event = event(.logout, actor: principal.user, target: session.description, origin: origin)
        try await commit([Change(SessionTable.revoke(session, at: clock.now()))], event)
        await announce(.sessionEnded(session))
    }

    /// Ends every session of the user, this one included.
    package func logoutEverywhere(_ principal: Principal, origin: RequestOrigin) async throws(AccountError) {
        _ = try principal.requireSession()
        let event = event(
            .logoutEverywhere, actor: principal.user, target: principal.user.description, origin: origin)
        try await commit([Change(SessionTable.revokeAll(of: principal.user, but: nil, at: clock.now()))], event)
        await announce(.sessionsEnded(of: principal.user, but: nil))
    }
}
