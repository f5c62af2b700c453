// The second factors and their codes.

package import Base
import Crypto
import Vault

package enum MFAMethod: String, Sendable, CaseIterable {
    case totp, sms, email, webauthn
    case recovery = "recovery_code"

    /// Clients of different documents call them differently.
    package init?(name: String) {
        switch name {
        case "totp", "app", "authenticator": self = .totp
        case "sms": self = .sms
        case "email": self = .email
        case "webauthn", "hardware", "hardware_key", "passkey", "security_key": self = .webauthn
        case "recovery", "recovery_code", "backup", "backup_code": self = .recovery
        default: return nil
        }
    }
}

/// How somebody proves a second factor.
package enum MFAProof: Sendable {
    case code(String)
    case assertion(WebAuthn.AssertionResponse)
}

/// A factor as its owner sees it.
package struct MFAFactor: Sendable {
    package let id: UUID
    package let method: MFAMethod
    package let label: String
    package let isActive: Bool
    package let createdAt: Timestamp
    package let lastUsedAt: Timestamp?
}

package struct TOTPEnrolment: Sendable {
    package let factor: UUID
    /// For typing in where a QR code cannot be scanned; Base32.
    package let secret: Secret
    package let uri: Secret
}

/// Codes that people carry on paper: ten of them, each good once.
enum RecoveryCode {
    static let count = 10
    /// 80 random bits, so that a fast keyed hash protects them even from who has the table.
    private static let randomCount = 10

    /// Four groups of four, in the letters of Base32, which hold no pair that looks alike.
    static func make() -> Secret {
        let letters = Array(Base32.encode(SecureRandom.bytes(randomCount)).lowercased().utf8)
        var text = Bytes()
        for (index, letter) in letters.enumerated() {
            if index > 0, index % 4 == 0 { text.append(UInt8(ascii: "-")) }
            text.append(letter)
        }
        return Secret(text)
    }

    /// Without spaces and dashes, in lower case: as people type it.
    static func normalized(_ code: String) -> Bytes? {
        let letters = code.utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: " ") }
            .map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        return letters.count == randomCount * 8 / 5 ? letters : nil
    }
}

/// Codes that are sent: six digits, compared by a keyed hash that is bound to their challenge.
struct CodeHash: Sendable {
    private let key: Secret

    init(vault: Vault) { key = vault.derive("accounts code hash v1", count: 32) }

    /// Every code of six digits equally likely.
    static func makeDigits() -> String {
        var generator = SystemRandomNumberGenerator()
        var text = Bytes()
        text.appendDecimal(Int.random(in: 0..<1_000_000, using: &generator), width: 6)
        return String(decoding: text, as: UTF8.self)
    }

    func hash(code: String, challenge: Bytes) -> Bytes {
        HMAC.sha256(Bytes("code".utf8) + challenge + Bytes(code.utf8), key: key)
    }

    func hash(recovery letters: Bytes, of user: UserID) -> Bytes {
        HMAC.sha256(Bytes("recovery".utf8) + user.bytes + letters, key: key)
    }
}
