// Access tokens: what is signed is read back, and every other form is refused.

import Base
import Crypto
import Testing
import Wire

@testable import Accounts

@Suite struct JWTTests {
    private let key = Ed25519PrivateKey()
    private let now = Timestamp(secondsSinceEpoch: 1_760_000_000)

    private func claims(issuedAt: Duration = .zero, lifetime: Duration = .minutes(30)) -> TokenClaims {
        TokenClaims(
            issuer: "plexichat", subject: UserID(.random()), session: SessionID(.random()), id: .random(),
            kind: .user, scopes: [.profile, .clusterAdmin], issuedAt: now + issuedAt,
            expiresAt: now + issuedAt + lifetime)
    }

    private func verify(_ token: String, issuer: String = "plexichat", at time: Timestamp? = nil) -> Result<
        TokenClaims, JWTFault
    > {
        do throws(JWTFault) {
            let parsed = try JWT.parse(token)
            guard parsed.kid == "k1" else { throw .unknownKey }
            return .success(try JWT.verify(parsed, key: key.publicKey, issuer: issuer, now: time ?? now))
        } catch {
            return .failure(error)
        }
    }

    private func sign(_ header: String, _ payload: String) -> String {
        let input = "\(Base64.encode(Bytes(header.utf8), .urlSafe)).\(Base64.encode(Bytes(payload.utf8), .urlSafe))"
        return "\(input).\(Base64.encode(key.sign(Bytes(input.utf8)), .urlSafe))"
    }

    private let header = #"{"alg":"EdDSA","typ":"JWT","kid":"k1"}"#

    private func payload(_ change: (inout JSONObject) -> Void = { _ in }) -> String {
        var object = JSONObject([
            ("iss", .string("plexichat")), ("sub", .string(UUID.random().description)),
            ("sid", .string(UUID.random().description)), ("jti", .string(UUID.random().description)),
            ("typ", .string("user")), ("scope", .string("profile calls")), ("iat", .integer(1_760_000_000)),
            ("exp", .integer(1_760_001_800)),
        ])
        change(&object)
        return String(decoding: JSONValue.object(object).encoded, as: UTF8.self)
    }

    @Test func `what was signed is read back`() {
        let claims = claims()
        let token = JWT.sign(claims, kid: "k1", key: key).exposedText
        #expect(verify(token) == .success(claims))
        #expect(token.utf8.count < 600)
    }

    @Test func `the example of the protocol page is what we write`() throws {
        let seed = Secret(Bytes(0..<32))
        let claims = TokenClaims(
            issuer: "plexichat", subject: UserID(try #require(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))),
            session: SessionID(try #require(UUID("01890a5d-ac96-774b-bcce-b302099a8058"))),
            id: try #require(UUID("0f8fad5b-d9cb-469f-a165-70867728950e")), kind: .user,
            scopes: .ofEveryUser, issuedAt: now, expiresAt: now + .minutes(30))
        let token = JWT.sign(claims, kid: "56475aa75463474c", key: try Ed25519PrivateKey(seed: seed)).exposedText
        let page = try Page.text("docs/protocol/tokens.md")
        #expect(page.contains(token), "the page should show \(token)")
    }

    @Test func `every changed character breaks a token`() {
        let token = Array(JWT.sign(claims(), kid: "k1", key: key).exposedText.utf8)
        for index in token.indices {
            var changed = token
            changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            let result = verify(String(decoding: changed, as: UTF8.self))
            #expect(throws: JWTFault.self) { try result.get() }
        }
    }

    @Test func `every shortened token is refused`() {
        let token = JWT.sign(claims(), kid: "k1", key: key).exposedText
        for count in 0..<token.utf8.count {
            let result = verify(String(token.prefix(count)))
            #expect(throws: JWTFault.self) { try result.get() }
        }
    }

    @Test(arguments: [
        (#"{"alg":"none","typ":"JWT","kid":"k1"}"#, JWTFault.badAlgorithm),
        (#"{"alg":"HS256","typ":"JWT","kid":"k1"}"#, .badAlgorithm),
        (#"{"alg":"eddsa","typ":"JWT","kid":"k1"}"#, .badAlgorithm),
        (#"{"typ":"JWT","kid":"k1"}"#, .badAlgorithm),
        (#"{"alg":["EdDSA"],"typ":"JWT","kid":"k1"}"#, .badAlgorithm),
        (#"{"alg":"EdDSA","typ":"JWT","kid":"k1","crit":["exp"]}"#, .criticalExtension),
        (#"{"alg":"EdDSA","typ":"JWT","kid":"k1","crit":[]}"#, .criticalExtension),
        (#"{"alg":"EdDSA","typ":"JWT","kid":"k1","jwk":{}}"#, .badHeader),
        (#"{"alg":"EdDSA","typ":"JWT","kid":"k1","b64":false}"#, .badHeader),
        (#"{"alg":"EdDSA","typ":"at+jwt","kid":"k1"}"#, .badHeader),
        (#"{"alg":"EdDSA","typ":"JWT"}"#, .badHeader),
        (#"{"alg":"EdDSA","typ":"JWT","kid":""}"#, .badHeader),
        (#"{"alg":"EdDSA","typ":"JWT","kid":1}"#, .badHeader),
        (#"{"alg":"EdDSA","typ":"JWT","kid":"k2"}"#, .unknownKey),
        (#"{"alg":"EdDSA","alg":"none","typ":"JWT","kid":"k1"}"#, .badHeader),
        (#"["EdDSA"]"#, .badHeader), (#"{"alg":"EdDSA","typ":"JWT","kid":"k1"} x"#, .badHeader),
    ])
    func `a header that is not ours is refused though it is signed`(_ header: String, _ fault: JWTFault) {
        #expect(verify(sign(header, payload())) == .failure(fault))
    }

    @Test(arguments: ["iss", "sub", "sid", "jti", "typ", "scope", "iat", "exp"])
    func `a missing claim is refused`(_ name: String) {
        #expect(verify(sign(header, payload { $0[name] = nil })) == .failure(.badClaims))
        #expect(verify(sign(header, payload { $0[name] = .null })) == .failure(.badClaims))
    }

    @Test(arguments: [
        ("exp", JSONValue.integer(1_760_000_000), JWTFault.badClaims), ("exp", .number(1_760_001_800.5), .badClaims),
        ("exp", .integer(.max), .badClaims), ("exp", .integer(-1), .badClaims), ("iat", .integer(.min), .badClaims),
        ("exp", .string("1760001800"), .badClaims), ("typ", .string("root"), .badClaims),
        ("sub", .string("user_1"), .badClaims), ("iss", .string("other"), .wrongIssuer),
        ("iat", .integer(1_760_000_061), .fromTheFuture),
    ])
    func `a wrong claim is refused`(_ name: String, _ value: JSONValue, _ fault: JWTFault) {
        #expect(verify(sign(header, payload { $0[name] = value })) == .failure(fault))
    }

    @Test func `unknown claims and scopes are passed over`() throws {
        let token = sign(
            header,
            payload {
                $0["aud"] = .string("x"); $0["scope"] = .string("calls fly profile ")
            })
        #expect(try verify(token).get().scopes == [.calls, .profile])
    }

    @Test func `a token counts until the second in which it expires`() {
        let token = JWT.sign(claims(), kid: "k1", key: key).exposedText
        let end = now + .minutes(30)
        #expect(throws: Never.self) { try verify(token, at: end - .microseconds(1)).get() }
        #expect(verify(token, at: end) == .failure(.expired))
        let ahead = JWT.sign(claims(issuedAt: .seconds(60)), kid: "k1", key: key).exposedText
        #expect(throws: Never.self) { try verify(ahead).get() }
    }

    @Test func `another form of the same bytes is refused`() {
        let token = JWT.sign(claims(), kid: "k1", key: key).exposedText
        for changed in [
            token + "=", token.replacing("-", with: "+").replacing("_", with: "/") + "==", " " + token, token + "\n",
            token + ".", "." + token, token.replacing(".", with: ".."),
        ] where changed != token {
            #expect(throws: JWTFault.self) { try verify(changed).get() }
        }
        #expect(verify(String(repeating: "A", count: 2_049)) == .failure(.tooLong))
        #expect(verify("A.A.A") == .failure(.notBase64))
        #expect(verify("e30.e30.e30") == .failure(.badAlgorithm))
    }

    @Test func `another key's signature is refused`() {
        let token = JWT.sign(claims(), kid: "k1", key: Ed25519PrivateKey()).exposedText
        #expect(verify(token) == .failure(.badSignature))
    }
}
