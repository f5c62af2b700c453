// scrypt (RFC 7914), for age files with a passphrase; new passwords and keys use Argon2id.
//
// It takes as much memory and time as its parameters say: 1 KiB times 2^`logN` (at r = 8). Never call it on a loop's
// thread.

package import Base
import COpenSSL

package enum Scrypt {
    /// 4 GiB of memory: what age takes from others at most.
    package static let largestLogN = 22
    /// Longer ones are cut down to a hash anyway; this only bounds the copying.
    package static let passphraseLimit = 4_096

    /// r = 8, p = 1, which age fixes.
    package static func derive(
        _ passphrase: Secret, salt: Bytes, logN: Int, count: Int = 32
    ) throws(CryptoError) -> Secret {
        guard (1...largestLogN).contains(logN) else {
            throw .badParameters("scrypt's work factor 2^\(logN) is not in 2^1...2^\(largestLogN)")
        }
        guard passphrase.count <= passphraseLimit else {
            throw .badParameters("a passphrase has at most \(passphraseLimit) bytes")
        }
        return try Secret(count: count) { key throws(CryptoError) in
            let done = passphrase.withExposedBytes { passphrase in
                // What the table takes, and room for scrypt's own blocks. OpenSSL refuses rather than take more.
                EVP_PBE_scrypt(
                    passphrase.bindMemory(to: CChar.self).baseAddress, passphrase.count, salt, salt.count, 1 << logN, 8,
                    1, 1_024 << UInt64(logN) + 65_536, key.bindMemory(to: UInt8.self).baseAddress, key.count)
            }
            guard done == 1 else { throw OpenSSLFailure.error() }
        }
    }
}
