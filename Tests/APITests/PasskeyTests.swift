// The rows of passkeys: what they hand to a browser, and what they answer to one that lies. The ceremonies themselves
// are tested with real credentials in AccountsTests.

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
}
