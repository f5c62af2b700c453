// `plexibench crypto-secrets [--leak 1]`: ML-KEM's secrets are marked as uninitialised and used. Under valgrind every branch
// and every address that depends on one is then reported (the way of Langley's ctgrind); scripts/check-constant-time runs it.
// With `--leak 1` a branch depends on one, so that the check can be seen to find it.

import Base
import CShims
import Crypto
import Glibc

func checkCryptoSecrets() {
    guard plexi_memcheck_runs() != 0 else {
        print("plexibench: crypto-secrets runs under valgrind, and is built with its header (valgrind/memcheck.h)")
        exit(2)
    }
    do {
        if Arguments.integer("leak", default: 0) == 0 { try useSecrets() } else { leakSecret() }
    } catch {
        print("plexibench: \(error)")
        exit(1)
    }
}

private func hidden(_ secret: Secret, _ ranges: Range<Int>...) -> Secret {
    secret.withExposedBytes { bytes in
        for range in ranges.isEmpty ? [0..<bytes.count] : ranges {
            plexi_memcheck_hide(bytes.baseAddress! + range.lowerBound, UInt(range.count))
        }
    }
    return secret
}

/// What goes to others is public from here on.
private func shown(_ bytes: Bytes) -> Bytes {
    bytes.withUnsafeBytes { plexi_memcheck_show($0.baseAddress, UInt($0.count)) }
    return bytes
}

/// The marks went all the way: a secret that lost them on the way would hide a branch.
private func requireHidden(_ secret: Secret) throws {
    let isHidden = secret.withExposedBytes { plexi_memcheck_is_hidden($0.baseAddress, UInt($0.count)) }
    guard isHidden == 1 else { throw CryptoError.failed("a shared key is not marked as secret") }
}

private func useSecrets() throws {
    // The public half of the seed decides how long sampling takes, and may.
    let key = try MLKEM768PrivateKey(
        publicSeed: SecureRandom.bytes(32), noiseSeed: hidden(SecureRandom.secret(32)),
        rejection: hidden(SecureRandom.secret(32)))
    _ = shown(key.publicKey.bytes)

    let other = try MLKEM768PrivateKey(seed: SecureRandom.secret(MLKEM768.seedCount), using: .swift)
    let made = try MLKEM768PublicKey(other.publicKey.bytes, using: .swift)
        .encapsulate(message: hidden(SecureRandom.secret(32)))
    try requireHidden(made.sharedKey)
    let ciphertext = shown(made.ciphertext)

    // ŝ and z; the public key and its hash lie between them.
    let expanded = hidden(
        try other.expanded(), 0..<1_152, MLKEM768.expandedPrivateKeyCount - 32..<MLKEM768.expandedPrivateKeyCount)
    let again = try MLKEM768PrivateKey(expanded: expanded, using: .swift)
    try requireHidden(try again.decapsulate(ciphertext))
    var changed = ciphertext
    changed[0] ^= 1
    try requireHidden(try again.decapsulate(changed))
    print("no branch and no address depends on a secret, if valgrind says nothing")
}

private func leakSecret() {
    let secret = hidden(SecureRandom.secret(1))
    print(secret.withExposedBytes { $0[0] } > 127 ? "high" : "low")
}
