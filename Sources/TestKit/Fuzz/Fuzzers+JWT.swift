// The fuzzer of access tokens.

import Accounts
import Base
import Crypto

extension Fuzzers {
    package static let accounts = [Fuzzer("jwt", fuzzToken)]
}

private let key: Ed25519PrivateKey = {
    guard let key = try? Ed25519PrivateKey(seed: Secret(Bytes(0..<32))) else { fatalError("the fuzzer's key") }
    return key
}()
private let now = Timestamp(secondsSinceEpoch: 1_760_000_000)

/// The bytes as a token; then as a payload that is signed, so that the claims are reached too.
private func fuzzToken(_ bytes: Bytes) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let parsed = try? JWT.parse(text) {
        promise(text.utf8.count <= JWT.sizeLimit, "a token is within its bound")
        promise((1...64).contains(parsed.kid.utf8.count), "a kid is within its bound")
        if let claims = try? JWT.verify(parsed, key: key.publicKey, issuer: "plexichat", now: now) {
            check(claims)
        }
    }
    let header = Base64.encode(Bytes(#"{"alg":"EdDSA","typ":"JWT","kid":"k"}"#.utf8), .urlSafe)
    let input = "\(header).\(Base64.encode(bytes, .urlSafe))"
    let token = "\(input).\(Base64.encode(key.sign(Bytes(input.utf8)), .urlSafe))"
    guard let parsed = try? JWT.parse(token) else { return }
    promise(parsed.kid == "k", "the kid is read as it was written")
    if let claims = try? JWT.verify(parsed, key: key.publicKey, issuer: "plexichat", now: now) { check(claims) }
}

/// What was accepted counts now, and is the same when it is written and read again.
private func check(_ claims: TokenClaims) {
    promise(claims.expiresAt > now && claims.issuedAt <= now + JWT.clockSkew, "the token counts now")
    promise(claims.issuer == "plexichat", "the issuer is ours")
    let token = JWT.sign(claims, kid: "k", key: key).exposedText
    guard let parsed = try? JWT.parse(token),
        let again = try? JWT.verify(parsed, key: key.publicKey, issuer: "plexichat", now: now)
    else { return promise(false, "what was signed is accepted") }
    promise(again == claims, "what was signed is read back")
}
