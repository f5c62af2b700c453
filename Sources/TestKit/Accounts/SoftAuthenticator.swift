// A security key in software, as a browser would speak for it: Ed25519, with a counter.

package import Accounts
package import Base
package import Crypto

package struct SoftAuthenticator: Sendable {
    package var key = Ed25519PrivateKey()
    package var credentialID = SecureRandom.bytes(16)
    package var counter: UInt32 = 1
    package var relyingParty = WebAuthn.RelyingParty()
    package var origin = "http://localhost:8000"
    /// User present and verified.
    package var flags: UInt8 = 0x05

    package init() {}

    package var coseKey: Bytes {
        // {1: 1, 3: -8, -1: 6, -2: x}
        [0xA4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20] + key.publicKey.bytes
    }

    package func clientData(_ type: String, _ challenge: Bytes) -> Bytes {
        let text = Base64.encode(challenge, .urlSafe)
        return Bytes(
            "{\"type\":\"\(type)\",\"challenge\":\"\(text)\",\"origin\":\"\(origin)\",\"crossOrigin\":false}".utf8)
    }

    package func authenticatorData(attested: Bool) -> Bytes {
        var data = SHA256.hash(Bytes(relyingParty.id.utf8))
        data.append(flags | (attested ? 0x40 : 0))
        for shift in [24, 16, 8, 0] { data.append(UInt8(truncatingIfNeeded: counter >> UInt32(shift))) }
        guard attested else { return data }
        data += Bytes(repeating: 0, count: 16)
        data += [UInt8(credentialID.count >> 8), UInt8(credentialID.count & 0xFF)]
        return data + credentialID + coseKey
    }

    /// With `none` attestation, or signed by the credential's own key.
    package func register(_ challenge: Bytes, selfAttested: Bool = false) -> WebAuthn.RegistrationResponse {
        let client = clientData("webauthn.create", challenge)
        let data = authenticatorData(attested: true)
        var object: Bytes = [0xA3]
        object += Self.text("fmt") + Self.text(selfAttested ? "packed" : "none")
        object += Self.text("attStmt")
        if selfAttested {
            object += [0xA2] + Self.text("alg") + [0x27]
            object += Self.text("sig") + Self.bytes(key.sign(data + SHA256.hash(client)))
        } else {
            object.append(0xA0)
        }
        object += Self.text("authData") + Self.bytes(data)
        return WebAuthn.RegistrationResponse(clientDataJSON: client, attestationObject: object)
    }

    package mutating func assert(_ challenge: Bytes) -> WebAuthn.AssertionResponse {
        counter += 1
        let client = clientData("webauthn.get", challenge)
        let data = authenticatorData(attested: false)
        return WebAuthn.AssertionResponse(
            credentialID: credentialID, clientDataJSON: client, authenticatorData: data,
            signature: key.sign(data + SHA256.hash(client)))
    }

    private static func text(_ text: String) -> Bytes { [0x60 + UInt8(text.utf8.count)] + Bytes(text.utf8) }

    private static func bytes(_ bytes: Bytes) -> Bytes {
        bytes.count < 256
            ? [0x58, UInt8(bytes.count)] + bytes : [0x59, UInt8(bytes.count >> 8), UInt8(bytes.count & 0xFF)] + bytes
    }
}
