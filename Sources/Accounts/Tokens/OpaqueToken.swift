// Tokens that mean nothing by themselves: random bytes whose SHA-256 finds a row. A fast hash is enough, because 256
// random bits cannot be guessed whatever a guess costs.

package import Base
import Crypto
import Vault

/// The prefixes let a person, and a scanner for leaked secrets, tell what was found.
enum OpaqueToken: String {
    case apiKey = "plx_"
    case refresh = "plr_"
    case cookie = "plc_"
    case temporary = "plt_"
    case reset = "plp_"

    private static let randomCount = 32
    /// 32 bytes in URL-safe Base64.
    private static let textCount = 43

    func make() -> Secret { text(SecureRandom.bytes(Self.randomCount)) }

    func text(_ bytes: Bytes) -> Secret { Secret(text: rawValue + Base64.encode(bytes, .urlSafe)) }

    /// What the row is found by; `nil` for a text that no token of this kind can have, without asking the database.
    func hash(of token: Secret) -> Bytes? {
        guard token.count == rawValue.utf8.count + Self.textCount else { return nil }
        return hash(ofText: token.exposedBytes)
    }

    func hash(of token: String) -> Bytes? {
        guard token.utf8.count == rawValue.utf8.count + Self.textCount else { return nil }
        return hash(ofText: Bytes(token.utf8))
    }

    private func hash(ofText text: Bytes) -> Bytes? {
        text.starts(with: rawValue.utf8) ? SHA256.hash(text) : nil
    }
}

/// The next token of a family is computed from the last one, so that a client that repeats its request (because the
/// answer was lost) gets the same answer, though only hashes are stored. Whoever lacks the vault's key cannot compute
/// it, and whoever has the key and the database still lacks the token.
struct RefreshDerivation: Sendable {
    private let key: Secret
    static let saltCount = 16

    init(vault: Vault) { key = vault.derive("accounts refresh successor v1", count: 32) }

    func successor(of token: Secret, salt: Bytes) -> Secret {
        OpaqueToken.refresh.text(HMAC.sha256(salt + token.exposedBytes, key: key))
    }
}

/// Double-submit protection of cookie sessions: the token is bound to the session, so a cookie that another site
/// managed to plant does not fit the header that it cannot set.
package struct CSRF: Sendable {
    private let key: Secret

    init(vault: Vault) { key = vault.derive("accounts csrf v1", count: 32) }

    package func token(for session: SessionID) -> String {
        Base64.encode(HMAC.sha256(Bytes("csrf".utf8) + session.bytes, key: key), .urlSafe)
    }

    package func isValid(_ token: String, for session: SessionID) -> Bool {
        constantTimeEquals(Bytes(token.utf8), Bytes(self.token(for: session).utf8))
    }
}
