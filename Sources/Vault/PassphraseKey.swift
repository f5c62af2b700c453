// A root key from a passphrase: docs/formats/vault.md, "Root key".

import Base
import Crypto

enum PassphraseKey {
    /// Shorter ones are found by trying, whatever each try costs.
    static let bytes = 12...1_024
    /// 256 MiB and about a second, once at each start (RFC 9106 §4 would be content with a quarter of it).
    static let parameters = Argon2id.Parameters(memoryKiB: 256 << 10, iterations: 3, parallelism: 1)
    /// What kept costs may ask for: a database that somebody changed must not take all memory.
    private static let memoryKiBMax = 1 << 20
    private static let iterationsMax = 32

    /// The key, and salt and costs as they are kept: `stored`, or new ones.
    static func derive(
        from passphrase: Secret, _ stored: String?
    ) throws(VaultError) -> (key: Secret, passphrase: String?) {
        let (salt, parameters) = try stored.map(parse) ?? (SecureRandom.bytes(Argon2id.saltCount), parameters)
        do {
            let key = try Argon2id.derive(
                passphrase, salt: salt, parameters, count: Vault.RootKeySource.keyCount)
            Argon2id.releaseMemory()
            return (key, stored ?? text(salt, parameters))
        } catch { throw .rootKey("the root key could not be computed from the passphrase: \(error)") }
    }

    private static func text(_ salt: Bytes, _ parameters: Argon2id.Parameters) -> String {
        let (memory, time) = (parameters.memoryKiB, parameters.iterations)
        return "$argon2id$v=19$m=\(memory),t=\(time),p=\(parameters.parallelism)$\(AgeBase64.encode(salt))"
    }

    private static func parse(_ stored: String) throws(VaultError) -> (Bytes, Argon2id.Parameters) {
        // The shape of a hash but for its last part, which would be the key.
        let parts = stored.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, let parameters = Argon2id.parameters(of: stored + "$"),
            let salt = AgeBase64.decode(Bytes(parts[4].utf8)), salt.count == Argon2id.saltCount
        else { throw .rootKey("how this data's root key comes from a passphrase was written by a newer version") }
        guard parameters.memoryKiB <= memoryKiBMax, parameters.iterations <= iterationsMax else {
            throw .rootKey("this data asks for more work on its passphrase than any version would; was it changed?")
        }
        return (salt, parameters)
    }
}
