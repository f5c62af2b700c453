// Passwords that the relay can check without a table of users: `password = Base64(HMAC(secret, name))`, where the name
// is `expiry:session` (coturn's `use-auth-secret`; draft-uberti-behave-turn-rest).
//
// The HMAC is SHA-1's, which every issuer uses, or SHA-256's. The name tells neither, so a password that the one did not
// make is tried with the other, and with the secret before; each costs an HMAC and a hash.

package import Base
import Crypto
import Wire

package struct RelaySecrets: Sendable {
    /// While a secret is replaced, the one before counts too: credentials made with it live on until their time.
    package static let secretsMax = 2

    package enum Hash: Sendable, CaseIterable {
        case sha1
        case sha256
    }

    private struct Issuer: Sendable {
        let secret: Secret
        /// The states of HMAC-SHA1 are kept: it is computed for each new client.
        let sha1: MessageIntegrityKey
    }

    /// The first is the one that new credentials are made with.
    private let issuers: [Issuer]

    package init(_ current: Secret, previous: Secret? = nil) {
        issuers = ([current] + (previous.map { [$0] } ?? [])).map { Issuer(secret: $0, sha1: MessageIntegrityKey($0)) }
    }

    /// The password of a name, for who issues credentials and for tests.
    package func password(of name: Bytes, hash: Hash = .sha1) -> Secret {
        Secret(text: password(of: name, issuers[0], hash))
    }

    private func password(of name: Bytes, _ issuer: Issuer, _ hash: Hash) -> String {
        switch hash {
        case .sha1:
            let code = issuer.sha1.code(over: name.span.bytes)
            var bytes: Bytes = []
            bytes.append(code.span)
            return Base64.encode(bytes)
        case .sha256: return Base64.encode(HMAC.sha256(name, key: issuer.secret))
        }
    }

    /// How many keys a name may have.
    var candidateCount: Int { issuers.count * Hash.allCases.count }

    /// One of them, the likeliest first.
    func key(_ candidate: Int, of name: Bytes, realm: String, _ algorithm: PasswordAlgorithm) -> RelayKey {
        let (issuer, hash) = candidate.quotientAndRemainder(dividingBy: Hash.allCases.count)
        let password = password(of: name, issuers[issuer], Hash.allCases[hash])
        return RelayKey(name: name, realm: realm, password: password, algorithm)
    }
}
