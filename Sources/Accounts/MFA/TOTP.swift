// Time-based one-time passwords (RFC 6238) with what every authenticator app supports: SHA-1, six digits, 30 seconds.

package import Base
import Crypto

package enum TOTP {
    package static let digits = 6
    package static let stepSeconds: Int64 = 30
    /// RFC 4226 §4 asks for at least 128 bits and recommends 160.
    package static let secretCount = 20
    /// One step to either side: a phone's clock may be wrong by half a minute, and typing takes time.
    static let tolerance: Int64 = 1

    package static func step(at time: Timestamp) -> Int64 {
        time.secondsSinceEpoch.flooredDivision(by: stepSeconds)
    }

    /// HOTP (RFC 4226 §5.3) of a step.
    package static func code(_ secret: Secret, step: Int64, digits: Int = TOTP.digits) -> String {
        let counter = (0..<8).map { UInt8(truncatingIfNeeded: step >> Int64(56 - 8 * $0)) }
        let hash = HMAC.sha1(counter, key: secret)
        let offset = Int(hash[19] & 15)
        let word = hash[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        var modulus: UInt32 = 1
        for _ in 0..<digits { modulus *= 10 }
        var text = Bytes()
        text.appendDecimal(word % modulus, width: digits)
        return String(decoding: text, as: UTF8.self)
    }

    /// The step whose code this is; `nil` when none within the tolerance has it, or only steps up to `last`, which
    /// were used. Every candidate is compared, so that the time does not tell which one was near.
    package static func match(_ code: String, secret: Secret, at now: Timestamp, after last: Int64) -> Int64? {
        guard code.utf8.count == digits else { return nil }
        let current = step(at: now)
        var found: Int64?
        for step in (current - tolerance)...(current + tolerance) {
            let isEqual = constantTimeEquals(Bytes(code.utf8), Bytes(self.code(secret, step: step).utf8))
            if isEqual, step > last, found == nil { found = step }
        }
        return found
    }

    /// What an authenticator app reads from a QR code (the Key URI format of Google Authenticator).
    package static func uri(secret: Secret, issuer: String, account: String) -> Secret {
        let key = Base32.encode(secret.exposedBytes)
        return Secret(
            text: """
                otpauth://totp/\(percentEncoded(issuer)):\(percentEncoded(account))?secret=\(key)\
                &issuer=\(percentEncoded(issuer))&algorithm=SHA1&digits=\(digits)&period=\(stepSeconds)
                """)
    }

    /// RFC 3986 §2.3: all but the unreserved characters.
    private static func percentEncoded(_ text: String) -> String {
        var encoded = Bytes()
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: encoded.append(byte)
            default: encoded += Array("%\(Hex.encode([byte]).uppercased())".utf8)
            }
        }
        return String(decoding: encoded, as: UTF8.self)
    }
}
