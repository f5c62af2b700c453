// Security keys: ceremonies of another implementation, and what must not pass.

import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Accounts

@Suite struct WebAuthnTests {
    private let party = WebAuthn.RelyingParty()

    private func registration(_ vector: JSONValue, _ attestation: String) -> Result<WebAuthn.Registered, WebAuthn.Fault>
    {
        do throws(WebAuthn.Fault) {
            let response = WebAuthn.RegistrationResponse(
                clientDataJSON: vector.bytes("registration_client_data"), attestationObject: vector.bytes(attestation))
            return .success(
                try WebAuthn.verify(response, challenge: vector.bytes("challenge"), relyingParty: party))
        } catch {
            return .failure(error)
        }
    }

    private func assertion(
        _ vector: JSONValue, signature: Bytes? = nil, data: Bytes? = nil, client: Bytes? = nil,
        challenge: Bytes? = nil, party: WebAuthn.RelyingParty? = nil, count: Int64 = 6, verifiesUser: Bool = true
    ) -> Result<WebAuthn.Asserted, WebAuthn.Fault> {
        do throws(WebAuthn.Fault) {
            let response = WebAuthn.AssertionResponse(
                credentialID: vector.bytes("credential_id"),
                clientDataJSON: client ?? vector.bytes("assertion_client_data"),
                authenticatorData: data ?? vector.bytes("authenticator_data"),
                signature: signature ?? vector.bytes("signature"))
            return .success(
                try WebAuthn.verify(
                    response, challenge: challenge ?? vector.bytes("challenge"), relyingParty: party ?? self.party,
                    encodedKey: vector.bytes("cose_key"), signCount: count, requiresUserVerification: verifiesUser))
        } catch {
            return .failure(error)
        }
    }

    @Test(arguments: 0..<3) func `ceremonies of another implementation are accepted`(_ index: Int) throws {
        let vector = try Vectors.array("webauthn/ceremonies.json")[index]
        for attestation in ["attestation_none", "attestation_self", "attestation_certificate"] {
            let registered = try registration(vector, attestation).get()
            #expect(registered.credential.id == vector.bytes("credential_id"))
            #expect(registered.credential.encodedKey == vector.bytes("cose_key"))
            #expect(registered.signCount == 1)
        }
        #expect(assertion(vector) == .success(WebAuthn.Asserted(signCount: 7, isUserVerified: true)))
    }

    @Test(arguments: 0..<3) func `no changed byte of an assertion is accepted`(_ index: Int) throws {
        let vector = try Vectors.array("webauthn/ceremonies.json")[index]
        let data = vector.bytes("authenticator_data")
        for position in data.indices {
            var changed = data
            changed[position] ^= 0x10
            #expect(throws: WebAuthn.Fault.self) { try assertion(vector, data: changed).get() }
        }
        let client = vector.bytes("assertion_client_data")
        for position in client.indices {
            var changed = client
            changed[position] ^= 1
            #expect(throws: WebAuthn.Fault.self) { try assertion(vector, client: changed).get() }
        }
        var signature = vector.bytes("signature")
        signature[signature.count - 1] ^= 1
        #expect(assertion(vector, signature: signature) == .failure(.badSignature))
        #expect(assertion(vector, signature: []) == .failure(.badSignature))
    }

    @Test func `a changed self-attestation is refused`() throws {
        for vector in try Vectors.array("webauthn/ceremonies.json") {
            var object = vector.bytes("attestation_self")
            // The statement precedes the authenticator data: its signature ends 9 bytes and a head before it.
            guard let position = object.firstIndex(of: 0x63).map({ $0 + 30 }) else { return }
            object[position] ^= 1
            var changed = vector.objectValue ?? JSONObject()
            changed["changed"] = .string(Hex.encode(object))
            #expect(throws: WebAuthn.Fault.self) { try registration(.object(changed), "changed").get() }
        }
    }

    @Test func `what belongs to another page, party, challenge or moment is refused`() throws {
        let vector = try Vectors.array("webauthn/ceremonies.json")[0]
        #expect(assertion(vector, challenge: Bytes(repeating: 1, count: 32)) == .failure(.wrongChallenge))
        var party = WebAuthn.RelyingParty(origins: ["https://localhost"])
        #expect(assertion(vector, party: party) == .failure(.wrongOrigin))
        party = WebAuthn.RelyingParty(id: "example.org")
        #expect(assertion(vector, party: party) == .failure(.wrongRelyingParty))
        #expect(assertion(vector, client: vector.bytes("registration_client_data")) == .failure(.wrongType))
        #expect(assertion(vector, count: 7) == .failure(.counterWentBack))
        #expect(assertion(vector, count: 8) == .failure(.counterWentBack))
        #expect(assertion(vector, client: Bytes("{}".utf8)) == .failure(.badClientData))
        #expect(assertion(vector, data: []) == .failure(.badAuthenticatorData))
        #expect(assertion(vector, client: Bytes(repeating: 0x20, count: 65_537)) == .failure(.tooLong))
    }

    @Test func `a counter that stays 0 is not in use`() {
        var key = SoftAuthenticator()
        for _ in 0..<2 {
            key.counter = 0xFFFF_FFFF
            key.counter &+= 1
            let challenge = Bytes(repeating: 7, count: 32)
            var silent = key
            silent.counter = .max
            let data = SHA256.hash(Bytes("localhost".utf8)) + [0x05, 0, 0, 0, 0]
            let client = silent.clientData("webauthn.get", challenge)
            let response = WebAuthn.AssertionResponse(
                credentialID: key.credentialID, clientDataJSON: client, authenticatorData: data,
                signature: key.key.sign(data + SHA256.hash(client)))
            let asserted = try? WebAuthn.verify(
                response, challenge: challenge, relyingParty: party, encodedKey: key.coseKey, signCount: 0,
                requiresUserVerification: true)
            #expect(asserted?.signCount == 0)
        }
    }

    @Test func `a user who was not there, or not verified, is refused`() {
        let challenge = Bytes(repeating: 7, count: 32)
        for (flags, needs, fault) in [
            (UInt8(0x04), false, WebAuthn.Fault?.some(.userNotPresent)), (0x01, true, .userNotVerified),
            (0x01, false, nil), (0x05, true, nil),
        ] {
            var key = SoftAuthenticator()
            key.flags = flags
            let response = key.assert(challenge)
            var found: WebAuthn.Fault?
            do throws(WebAuthn.Fault) {
                _ = try WebAuthn.verify(
                    response, challenge: challenge, relyingParty: party, encodedKey: key.coseKey, signCount: 0,
                    requiresUserVerification: needs)
            } catch {
                found = error
            }
            #expect(found == fault)
        }
    }

    @Test(arguments: [
        "A0", "A401010326200621", "A301010326200620", "A4010203262001215820" + String(repeating: "00", count: 32),
        "A5010203262003215820" + String(repeating: "00", count: 32) + "225820" + String(repeating: "00", count: 32),
        "A40103033901002041002143010001", "80", "01",
    ])
    func `keys that we did not offer are refused`(_ hex: String) {
        guard let map = try? CBORValue(parsing: Hex.decode(hex) ?? []) else { return }
        #expect(throws: WebAuthn.Fault.badKey) { try CredentialKey(map) }
    }

    @Test func `any bytes are refused without a trap`() throws {
        let vector = try Vectors.array("webauthn/ceremonies.json")[0]
        var generator = SystemRandomNumberGenerator()
        let object = vector.bytes("attestation_none")
        for _ in 0..<2_000 {
            var changed = object
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                changed[Int.random(in: changed.indices, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            let kept = Bytes(changed.prefix(Int.random(in: 0...changed.count, using: &generator)))
            let response = WebAuthn.RegistrationResponse(
                clientDataJSON: vector.bytes("registration_client_data"), attestationObject: kept)
            _ = try? WebAuthn.verify(response, challenge: vector.bytes("challenge"), relyingParty: party)
        }
    }
}
