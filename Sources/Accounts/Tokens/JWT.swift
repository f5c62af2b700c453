// Access tokens: JSON Web Tokens (RFC 7519) in the one form of docs/protocol/tokens.md, signed with Ed25519 (RFC 8037).
// Pure functions; which keys there are is `Keyring`'s business, what a token's bearer may do `Authenticator`'s.

package import Base
package import Crypto
import Vault
import Wire

package enum TokenKind: String, Sendable, CaseIterable {
    case user, admin, node, service
}

package struct TokenClaims: Sendable, Equatable {
    package let issuer: String
    package let subject: UserID
    package let session: SessionID
    package let id: UUID
    package let kind: TokenKind
    package let scopes: Scopes
    /// Whole seconds.
    package let issuedAt: Timestamp
    package let expiresAt: Timestamp

    package init(
        issuer: String, subject: UserID, session: SessionID, id: UUID, kind: TokenKind, scopes: Scopes,
        issuedAt: Timestamp, expiresAt: Timestamp
    ) {
        self.issuer = issuer
        self.subject = subject
        self.session = session
        self.id = id
        self.kind = kind
        self.scopes = scopes
        self.issuedAt = Timestamp(secondsSinceEpoch: issuedAt.secondsSinceEpoch)
        self.expiresAt = Timestamp(secondsSinceEpoch: expiresAt.secondsSinceEpoch)
    }
}

/// Why a token is refused. For tests and counters: the client only learns "invalid" or "expired".
package enum JWTFault: Error, Sendable, Equatable {
    case tooLong, notThreeParts, notBase64, badHeader, badAlgorithm, criticalExtension, unknownKey, badSignature
    case badClaims, wrongIssuer, fromTheFuture, expired
}

package enum JWT {
    /// Ours have about 420 characters. What is longer is refused before it is decoded.
    package static let sizeLimit = 2_048
    /// Nodes' clocks may differ; a token from further in the future is refused.
    package static let clockSkew = Duration.seconds(60)
    /// Twice the greatest depth that occurs.
    private static let limits = JSONLimits(depth: 2, values: 64)

    /// With a key of the caller's own: for tests.
    package static func sign(_ claims: TokenClaims, kid: String, key: Ed25519PrivateKey) -> Secret {
        sign(payload(claims), kid) { key.sign($0) }
    }

    static func sign(_ claims: TokenClaims, with signer: VaultSigner) -> Secret { sign(payload(claims), with: signer) }

    /// `payload` is a JSON object with our claims.
    static func sign(_ payload: Bytes, with signer: VaultSigner) -> Secret {
        sign(payload, signer.fingerprint) { signer.sign($0) }
    }

    private static func sign(_ payload: Bytes, _ kid: String, _ signature: (Bytes) -> Bytes) -> Secret {
        var header = JSONWriter(capacity: 64)
        header.object {
            $0.field("alg", "EdDSA")
            $0.field("typ", "JWT")
            $0.field("kid", kid)
        }
        let input = "\(Base64.encode(header.bytes, .urlSafe)).\(Base64.encode(payload, .urlSafe))"
        return Secret(text: "\(input).\(Base64.encode(signature(Bytes(input.utf8)), .urlSafe))")
    }

    private static func payload(_ claims: TokenClaims) -> Bytes {
        var writer = JSONWriter(capacity: 384)
        writer.object {
            $0.field("iss", claims.issuer)
            $0.field("sub", claims.subject)
            $0.field("sid", claims.session)
            $0.field("jti", claims.id)
            $0.field("typ", claims.kind.rawValue)
            $0.field("scope", claims.scopes.claim)
            $0.field("iat", claims.issuedAt.secondsSinceEpoch)
            $0.field("exp", claims.expiresAt.secondsSinceEpoch)
        }
        return writer.bytes
    }

    /// A token whose form is right and whose signature nobody has looked at yet.
    package struct Unverified: Sendable {
        package let kid: String
        fileprivate let input: Bytes
        fileprivate let payload: Bytes
        fileprivate let signature: Bytes
    }

    /// Takes a token apart. Nothing in it may be believed before `verify`, least of all its algorithm.
    package static func parse(_ token: String) throws(JWTFault) -> Unverified {
        guard token.utf8.count <= sizeLimit else { throw .tooLong }
        let parts = token.utf8.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 3, let first = parts.first, let last = parts.last else { throw .notThreeParts }
        guard let header = decode(first), let payload = decode(parts[1]), let signature = decode(last) else {
            throw .notBase64
        }
        let inputCount = first.count + 1 + parts[1].count
        return Unverified(
            kid: try kid(of: header), input: Bytes(token.utf8.prefix(inputCount)), payload: payload,
            signature: signature)
    }

    /// The header must be ours to the letter: a member that we did not write is one that somebody hopes we obey.
    private static func kid(of header: Bytes) throws(JWTFault) -> String {
        guard let members = object(header) else { throw .badHeader }
        if members["crit"] != nil { throw .criticalExtension }
        guard members["alg"] == .string("EdDSA") else { throw .badAlgorithm }
        guard members.count == 3, members["typ"] == .string("JWT"), let kid = members["kid"]?.stringValue,
            (1...64).contains(kid.utf8.count)
        else { throw .badHeader }
        return kid
    }

    package static func verify(
        _ token: Unverified, key: Ed25519PublicKey, issuer: String, now: Timestamp
    ) throws(JWTFault) -> TokenClaims {
        try requireSignature(of: token, key)
        let claims = try claims(token.payload)
        guard claims.issuer == issuer else { throw .wrongIssuer }
        try requireCurrent(issuedAt: claims.issuedAt, expiresAt: claims.expiresAt, now)
        return claims
    }

    private static func requireSignature(of token: Unverified, _ key: Ed25519PublicKey) throws(JWTFault) {
        guard token.signature.count == Ed25519PublicKey.signatureCount, key.isValid(token.signature, for: token.input)
        else { throw .badSignature }
    }

    private static func requireCurrent(
        issuedAt: Timestamp, expiresAt: Timestamp, _ now: Timestamp
    ) throws(JWTFault) {
        guard issuedAt <= now + clockSkew else { throw .fromTheFuture }
        guard now < expiresAt else { throw .expired }
    }

    /// The same for a ticket, whose `typ` is none of an access token's: neither is ever taken for the other.
    static func verifyTicket(
        _ token: Unverified, key: Ed25519PublicKey, issuer: String, now: Timestamp
    ) throws(JWTFault) -> TicketClaims {
        try requireSignature(of: token, key)
        guard let members = object(token.payload), let claims = TicketClaims(members, time: time) else {
            throw .badClaims
        }
        guard claims.issuer == issuer else { throw .wrongIssuer }
        try requireCurrent(issuedAt: claims.issuedAt, expiresAt: claims.expiresAt, now)
        return claims
    }

    private static func claims(_ payload: Bytes) throws(JWTFault) -> TokenClaims {
        guard let members = object(payload), let issuer = members["iss"]?.stringValue,
            let subject = members["sub"]?.stringValue.flatMap({ UUID($0) }),
            let session = members["sid"]?.stringValue.flatMap({ UUID($0) }),
            let id = members["jti"]?.stringValue.flatMap({ UUID($0) }),
            let kind = members["typ"]?.stringValue.flatMap(TokenKind.init(rawValue:)),
            let scope = members["scope"]?.stringValue,
            let issuedAt = time(members["iat"]), let expiresAt = time(members["exp"]), issuedAt < expiresAt
        else { throw .badClaims }
        return TokenClaims(
            issuer: issuer, subject: UserID(subject), session: SessionID(session), id: id, kind: kind,
            scopes: Scopes(claim: scope), issuedAt: issuedAt, expiresAt: expiresAt)
    }

    private static func object(_ bytes: Bytes) -> JSONObject? {
        (try? JSONValue(parsing: bytes, limits: limits))?.objectValue
    }

    /// Seconds of a year with four digits; more would overflow the microseconds.
    private static func time(_ value: JSONValue?) -> Timestamp? {
        guard case .integer(let seconds)? = value, (0...253_402_300_799).contains(seconds) else { return nil }
        return Timestamp(secondsSinceEpoch: seconds)
    }

    private static func decode(_ part: Substring.UTF8View) -> Bytes? {
        part.isEmpty ? nil : Base64.decode(Substring(part), .urlSafe)
    }
}
