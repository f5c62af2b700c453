// Passkeys over HTTP, with the JSON that a browser writes: from the options to a session, and what is answered to one
// that lies. Counters, unverified users and foreign keys are tested below HTTP, in TestKit's account conformance.

import Accounts
import Base
import TestKit
import Testing
import Wire

@Suite struct PasskeyTests {
    @Test func `the options are what a browser reads`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let begun = try await api.post("/api/v1/auth/passkeys", as: alice)
            #expect(begun.status == 201)
            let options = try #require(begun["public_key"])
            #expect(options["rp"]?["id"] == .string("localhost"))
            #expect(options["user"]?["id"]?.stringValue?.isEmpty == false)
            #expect(options["challenge"]?.stringValue?.utf8.count == 43)
            let algorithms = options["pubKeyCredParams"]?.arrayValue?.compactMap { $0["alg"]?.integerValue }
            #expect(algorithms == [-8, -7, -257])

            let login = try await api.post("/api/v1/auth/passkeys/login", "")
            #expect(login.status == 200)
            #expect(login["public_key"]?["userVerification"] == .string("required"))
            #expect(login["public_key"]?["allowCredentials"] == .array([]))
        }
    }

    @Test func `an answer that is not a key's is refused by field or as wrong`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let token = try #require(try await api.post("/api/v1/auth/passkeys", as: alice).string("token"))
            let notBase64 = try await api.post(
                "/api/v1/auth/passkeys/finish",
                #"{"token": "\#(token)", "credential": {"id": "AA", "response": {"clientDataJSON": "=", "#
                    + #""attestationObject": "AA"}}}"#, as: alice)
            #expect(notBase64.status == 422)
            let garbage = try await api.post(
                "/api/v1/auth/passkeys/finish",
                #"{"token": "\#(token)", "credential": {"id": "AA", "response": {"clientDataJSON": "e30", "#
                    + #""attestationObject": "oA"}}}"#, as: alice)
            #expect((400..<500).contains(garbage.status))
            let login = try #require(try await api.post("/api/v1/auth/passkeys/login", "").string("token"))
            let forged = try await api.post(
                "/api/v1/auth/passkeys/login/finish",
                #"{"token": "\#(login)", "credential": {"id": "AAAA", "response": {"clientDataJSON": "e30", "#
                    + #""authenticatorData": "AAAA", "signature": "AAAA"}}}"#)
            #expect(forged.status == 401)
        }
    }

    // MARK: Real credentials

    @Test(arguments: TestDatabase.available)
    func `a passkey is enrolled and logs in without a password, by token and by cookie`(
        _ place: TestDatabase
    ) async throws {
        try await APIHarness.run(on: place) { api in
            let alice = try await api.register()
            var key = SoftAuthenticator()
            let enrolled = try await api.enrol(key, for: alice)
            #expect(enrolled.status == 200)
            #expect(enrolled["recovery_codes"]?.arrayValue?.count == 10)
            let factors = try await api.get("/api/v1/auth/mfa", as: alice)
            #expect(factors.text.contains("webauthn") && factors.text.contains("key ring"))

            let signedIn = try await api.loginFinish(try await api.passkeyLogin(), &key)
            #expect(signedIn.status == 200)
            let bearer = try #require(signedIn.string("access_token"))
            let me = try await api.get("/api/v1/users/me", headers: [("Authorization", "Bearer \(bearer)")])
            #expect(me.string("username") == "alice")
            let cookie = try #require(signedIn.cookie("plx_session"))
            #expect(try await api.get("/users/me", headers: [("Cookie", "plx_session=\(cookie)")]).status == 200)
            let excluded = try await api.post("/api/v1/auth/passkeys", as: alice)
            #expect(excluded.string("public_key.excludeCredentials.0.id") == key.encodedID)
        }
    }

    @Test func `a key of another origin is neither enrolled nor let in`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            var lured = SoftAuthenticator()
            lured.origin = "http://localhost.example.com"
            let refused = try await api.enrol(lured, for: alice)
            #expect(refused.status == 422)
            #expect(refused.string("error.details.field") == "credential")
            #expect(try await api.get("/api/v1/auth/mfa", as: alice).text.contains("webauthn") == false)

            var key = SoftAuthenticator()
            #expect(try await api.enrol(key, for: alice).status == 200)
            key.origin = lured.origin
            #expect(try await api.loginFinish(try await api.passkeyLogin(), &key).status == 401)
            key.origin = SoftAuthenticator().origin
            key.relyingParty.id = "example.com"
            #expect(try await api.loginFinish(try await api.passkeyLogin(), &key).status == 401)
            key.relyingParty = SoftAuthenticator().relyingParty
            #expect(try await api.loginFinish(try await api.passkeyLogin(), &key).status == 200)
        }
    }

    @Test func `an answer counts once, and only for the challenge and the purpose it was made for`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            var key = SoftAuthenticator()
            let creation = try api.ceremony(try await api.post("/api/v1/auth/passkeys", as: alice))
            let registration = key.registrationJSON(creation)
            let path = "/api/v1/auth/passkeys/finish"
            #expect(try await api.post(path, registration, as: alice).status == 200)
            #expect(try await api.post(path, registration, as: alice).status == 401, "registered twice")

            let first = try await api.passkeyLogin()
            let answer = key.assertionJSON(first)
            let finish = "/api/v1/auth/passkeys/login/finish"
            #expect(try await api.post(finish, answer).status == 200)
            #expect(try await api.post(finish, answer).status == 401, "the same answer again")
            // The old signature under a new ceremony's token, and a login's answer where a registration is awaited.
            let second = try await api.passkeyLogin()
            let stale = key.assertionJSON(Ceremony(token: second.token, challenge: first.challenge))
            #expect(try await api.post(finish, stale).status == 401, "a challenge of before")
            let third = try await api.passkeyLogin()
            #expect(try await api.post(path, key.registrationJSON(third), as: alice).status == 401, "another purpose")
            let late = try await api.passkeyLogin()
            api.advance(by: .minutes(6))
            #expect(try await api.loginFinish(late, &key).status == 401, "too late")
        }
    }

    @Test func `a registration belongs to who began it`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let begun = try api.ceremony(try await api.post("/api/v1/auth/passkeys", as: alice))
            let body = SoftAuthenticator().registrationJSON(begun)
            #expect(try await api.post("/api/v1/auth/passkeys/finish", body, as: bob).status == 401)
            #expect(try await api.post("/api/v1/auth/passkeys/finish", body).status == 401)
        }
    }

    @Test func `a key is the second step of a login with a password`() async throws {
        try await APIHarness.run { api in
            var key = SoftAuthenticator()
            _ = try await api.enrol(key, for: try await api.register())
            let password = #"{"username": "alice", "password": "\#(APIHarness.password)"}"#
            let login = try await api.post("/api/v1/auth/login", password)
            let temporary = try #require(login.string("temp_token"))
            let asked = try await api.post("/api/v1/auth/mfa/key", #"{"temp_token": "\#(temporary)"}"#)
            #expect(asked.string("public_key.allowCredentials.0.id") == key.encodedID)
            let ceremony = try api.ceremony(asked)
            let verify = "/api/v1/auth/mfa/key/verify"
            var stranger = SoftAuthenticator()
            stranger.credentialID = key.credentialID
            let forged = stranger.assertionJSON(ceremony, tokenName: "temp_token", token: temporary)
            #expect(try await api.post(verify, forged).status == 401)
            let body = key.assertionJSON(ceremony, tokenName: "temp_token", token: temporary)
            let signedIn = try await api.post(verify, body)
            #expect(signedIn.status == 200)
            #expect(signedIn.string("access_token") != nil)
            #expect(try await api.post(verify, body).status == 401)
        }
    }
}

/// What a page reads from the options: where to answer, and what to sign.
private struct Ceremony {
    let token: String
    let challenge: Bytes
}

extension APIHarness {
    fileprivate func ceremony(_ options: TestAnswer) throws -> Ceremony {
        let challenge = try #require(options.string("public_key.challenge"))
        return Ceremony(
            token: try #require(options.string("token")), challenge: try #require(Base64.decode(challenge, .urlSafe)))
    }

    fileprivate func enrol(_ key: SoftAuthenticator, for person: Person) async throws -> TestAnswer {
        let begun = try ceremony(try await post("/api/v1/auth/passkeys", as: person))
        return try await post("/api/v1/auth/passkeys/finish", key.registrationJSON(begun), as: person)
    }

    fileprivate func passkeyLogin() async throws -> Ceremony {
        try ceremony(try await post("/api/v1/auth/passkeys/login", ""))
    }

    fileprivate func loginFinish(_ begun: Ceremony, _ key: inout SoftAuthenticator) async throws -> TestAnswer {
        try await post("/api/v1/auth/passkeys/login/finish", key.assertionJSON(begun))
    }
}

/// What a browser's `PublicKeyCredential.toJSON()` writes.
extension SoftAuthenticator {
    fileprivate var encodedID: String { Base64.encode(credentialID, .urlSafe) }

    fileprivate func registrationJSON(_ ceremony: Ceremony) -> String {
        let response = register(ceremony.challenge)
        return credential(
            "token", ceremony.token, ", \"label\": \"key ring\"",
            ["clientDataJSON": response.clientDataJSON, "attestationObject": response.attestationObject])
    }

    fileprivate mutating func assertionJSON(
        _ ceremony: Ceremony, tokenName: String = "token", token: String? = nil
    ) -> String {
        let response = assert(ceremony.challenge)
        return credential(
            tokenName, token ?? ceremony.token, "",
            [
                "clientDataJSON": response.clientDataJSON, "authenticatorData": response.authenticatorData,
                "signature": response.signature,
            ])
    }

    private func credential(
        _ tokenName: String, _ token: String, _ more: String, _ members: KeyValuePairs<String, Bytes>
    ) -> String {
        let response = members.map { "\"\($0.key)\": \"\(Base64.encode($0.value, .urlSafe))\"" }
        return """
            {"\(tokenName)": "\(token)"\(more), "credential": {"id": "\(encodedID)", "rawId": "\(encodedID)", \
            "type": "public-key", "response": {\(response.joined(separator: ", "))}}}
            """
    }
}
