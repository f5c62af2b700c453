// Tickets: short-lived tokens for one purpose and one thing, given to who is logged in already, for places where the
// access token itself should not go (the address of a WebSocket). Signed like access tokens, and never taken for one.

package import Base
import Wire

package enum TicketPurpose: String, Sendable, CaseIterable {
    /// The signaling socket of one call.
    case signaling
}

/// Whom a ticket stands for, and which thing it was issued for.
package struct RedeemedTicket: Sendable {
    package let principal: Principal
    package let subject: UUID
}

struct TicketClaims: Sendable {
    /// What a ticket ends with.
    enum Holder: Sendable {
        case session(SessionID)
        case apiKey(APIKeyID)
    }

    let issuer: String
    let purpose: TicketPurpose
    let user: UserID
    let holder: Holder
    let kind: TokenKind
    let scopes: Scopes
    let resource: UUID
    let issuedAt: Timestamp
    let expiresAt: Timestamp

    var payload: Bytes {
        var writer = JSONWriter(capacity: 384)
        writer.object {
            $0.field("iss", issuer)
            $0.field("sub", user)
            switch holder {
            case .session(let id): $0.field("sid", id)
            case .apiKey(let id): $0.field("key", id)
            }
            $0.field("res", resource)
            $0.field("typ", purpose.rawValue)
            $0.field("knd", kind.rawValue)
            $0.field("scope", scopes.claim)
            $0.field("iat", issuedAt.secondsSinceEpoch)
            $0.field("exp", expiresAt.secondsSinceEpoch)
        }
        return writer.bytes
    }
}

extension TicketClaims {
    init?(_ members: JSONObject, time: (JSONValue?) -> Timestamp?) {
        func uuid(_ name: String) -> UUID? { members[name]?.stringValue.flatMap { UUID($0) } }
        let session = uuid("sid").map { Holder.session(SessionID($0)) }
        let key = uuid("key").map { Holder.apiKey(APIKeyID($0)) }
        guard let issuer = members["iss"]?.stringValue, let user = uuid("sub"), let holder = session ?? key,
            session == nil || key == nil, let resource = uuid("res"),
            let purpose = members["typ"]?.stringValue.flatMap(TicketPurpose.init(rawValue:)),
            let kind = members["knd"]?.stringValue.flatMap(TokenKind.init(rawValue:)),
            let scope = members["scope"]?.stringValue, let issuedAt = time(members["iat"]),
            let expiresAt = time(members["exp"]), issuedAt < expiresAt
        else { return nil }
        self.issuer = issuer
        self.purpose = purpose
        self.user = UserID(user)
        self.holder = holder
        self.kind = kind
        scopes = Scopes(claim: scope)
        self.resource = resource
        self.issuedAt = issuedAt
        self.expiresAt = expiresAt
    }
}

extension AccountService {
    /// A ticket for `resource`, which counts while the principal's login or key does, and at most for `lifetime`.
    package func ticket(
        for purpose: TicketPurpose, of resource: UUID, to principal: Principal, lifetime: Duration
    ) async throws(AccountError) -> (token: Secret, expiresAt: Timestamp) {
        let holder: TicketClaims.Holder
        if let session = principal.session {
            holder = .session(session)
        } else if let key = principal.apiKey {
            holder = .apiKey(key)
        } else {
            throw .forbidden(.sessionRequired)
        }
        // Whole seconds, as the token has them.
        let now = Timestamp(secondsSinceEpoch: clock.now().secondsSinceEpoch)
        let claims = TicketClaims(
            issuer: options.issuer, purpose: purpose, user: principal.user, holder: holder, kind: principal.kind,
            scopes: principal.scopes, resource: resource, issuedAt: now, expiresAt: now + max(lifetime, .seconds(1)))
        let key = try await keyring.current(at: now)
        return (JWT.sign(claims.payload, with: key), claims.expiresAt)
    }
}
