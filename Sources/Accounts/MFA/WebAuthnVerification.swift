// Checking what an authenticator signed (Web Authentication Level 2, §7). Pure functions: the ceremony's challenge and
// the stored credential come in, what may be stored comes out.
//
// Attestation tells who made the authenticator. We do not ask for it, so `none` is the rule; `packed` self-attestation
// is checked because it can be; every other statement is passed over, as §6.5.4 allows a relying party to.

import Base
import Crypto
import Wire

/// A COSE key (RFC 9052 §7) of an algorithm that we offered.
enum CredentialKey: Sendable, Equatable {
    case es256(x: Bytes, y: Bytes)
    case eddsa(Bytes)
    case rs256(modulus: Bytes, exponent: Bytes)

    /// Fewer bits are within reach of an attacker, more only cost time.
    private static let modulusBytes = 256...512

    init(_ map: CBORValue) throws(WebAuthn.Fault) {
        switch (map[1]?.integerValue, map[3]?.integerValue) {
        case (2, -7):
            guard map[-1]?.integerValue == 1, let x = map[-2]?.bytesValue, let y = map[-3]?.bytesValue,
                x.count == 32, y.count == 32
            else { throw .badKey }
            self = .es256(x: x, y: y)
        case (1, -8):
            guard map[-1]?.integerValue == 6, let x = map[-2]?.bytesValue, x.count == Ed25519PublicKey.count else {
                throw .badKey
            }
            self = .eddsa(x)
        case (3, -257):
            guard let modulus = map[-1]?.bytesValue, let exponent = map[-2]?.bytesValue,
                Self.modulusBytes.contains(modulus.count), (1...8).contains(exponent.count)
            else { throw .badKey }
            self = .rs256(modulus: modulus, exponent: exponent)
        default: throw .badKey
        }
    }

    var algorithm: Int64 {
        switch self {
        case .es256: -7
        case .eddsa: -8
        case .rs256: -257
        }
    }

    func isValid(_ signature: Bytes, for message: Bytes) -> Bool {
        switch self {
        case .es256(let x, let y):
            SignatureCheck.es256(publicX: x, publicY: y, derSignature: signature, message: message)
        case .eddsa(let bytes):
            (try? Ed25519PublicKey(bytes))?.isValid(signature, for: message) ?? false
        case .rs256(let modulus, let exponent):
            SignatureCheck.rs256(modulus: modulus, exponent: exponent, signature: signature, message: message)
        }
    }
}

/// Authenticator data (§6.1):
///
///     rpIdHash 32 | flags 1 | signCount 4 | [aaguid 16 | length 2 | credential id | COSE key] | [extensions]
struct AuthenticatorData: Sendable {
    private enum Flag {
        static let userPresent: UInt8 = 0x01
        static let userVerified: UInt8 = 0x04
        static let attestedCredential: UInt8 = 0x40
        static let extensions: UInt8 = 0x80
    }

    struct Credential: Sendable {
        let id: Bytes
        /// As it came, to be stored.
        let encodedKey: Bytes
        let key: CredentialKey
    }

    /// §5.8.3 of Level 3: longer ones are refused.
    private static let credentialLimit = 1_023
    private static let headCount = 37

    let relyingPartyHash: Bytes
    let isUserPresent: Bool
    let isUserVerified: Bool
    let signCount: UInt32
    let credential: Credential?

    init(_ bytes: Bytes) throws(WebAuthn.Fault) {
        guard bytes.count >= Self.headCount else { throw .badAuthenticatorData }
        let flags = bytes[32]
        relyingPartyHash = Bytes(bytes[..<32])
        isUserPresent = flags & Flag.userPresent != 0
        isUserVerified = flags & Flag.userVerified != 0
        signCount = bytes[33..<37].reduce(0) { $0 << 8 | UInt32($1) }
        var offset = Self.headCount
        credential =
            flags & Flag.attestedCredential == 0 ? nil : try Self.credential(in: bytes, &offset)
        if flags & Flag.extensions != 0 { try Self.skipValue(in: bytes, &offset) }
        guard offset == bytes.count else { throw .badAuthenticatorData }
    }

    private static func credential(in bytes: Bytes, _ offset: inout Int) throws(WebAuthn.Fault) -> Credential {
        let idStart = offset + 18
        guard bytes.count >= idStart else { throw .badAuthenticatorData }
        let count = Int(bytes[idStart - 2]) << 8 | Int(bytes[idStart - 1])
        let keyStart = idStart + count
        guard (1...credentialLimit).contains(count), bytes.count > keyStart else { throw .badAuthenticatorData }
        offset = keyStart
        let map = try skipValue(in: bytes, &offset)
        return Credential(
            id: Bytes(bytes[idStart..<keyStart]), encodedKey: Bytes(bytes[keyStart..<offset]),
            key: try CredentialKey(map))
    }

    @discardableResult
    private static func skipValue(in bytes: Bytes, _ offset: inout Int) throws(WebAuthn.Fault) -> CBORValue {
        var reader = CBORReader(bytes, from: offset)
        guard let value = try? reader.next() else { throw .badAuthenticatorData }
        offset = reader.offset
        return value
    }
}

extension WebAuthn {
    /// Each part of a response; real ones stay under 10 KiB with a certificate chain.
    static let sizeLimit = 64 << 10

    struct Registered: Sendable {
        let credential: AuthenticatorData.Credential
        let signCount: UInt32
        let isUserVerified: Bool
    }

    /// §7.1, without asking for attestation.
    static func verify(
        _ response: RegistrationResponse, challenge: Bytes, relyingParty: RelyingParty
    ) throws(Fault) -> Registered {
        try checkClientData(response.clientDataJSON, "webauthn.create", challenge, relyingParty)
        guard response.attestationObject.count <= sizeLimit else { throw .tooLong }
        guard let object = try? CBORValue(parsing: response.attestationObject),
            let format = object["fmt"]?.textValue, let statement = object["attStmt"]?.mapValue,
            let encoded = object["authData"]?.bytesValue
        else { throw .badAttestation }
        let data = try AuthenticatorData(encoded)
        try check(data, relyingParty)
        guard let credential = data.credential else { throw .badAuthenticatorData }
        if format == "packed" {
            let signed = encoded + SHA256.hash(response.clientDataJSON)
            try checkSelfAttestation(statement, credential.key, signed)
        }
        return Registered(credential: credential, signCount: data.signCount, isUserVerified: data.isUserVerified)
    }

    /// §8.2: signed with the credential's own key, unless there is a certificate chain, which is passed over.
    private static func checkSelfAttestation(
        _ statement: CBORMap, _ key: CredentialKey, _ signed: Bytes
    ) throws(Fault) {
        guard statement[.text("x5c")] == nil else { return }
        guard statement[.text("alg")]?.integerValue == key.algorithm,
            let signature = statement[.text("sig")]?.bytesValue, key.isValid(signature, for: signed)
        else { throw .badAttestation }
    }

    struct Asserted: Sendable, Equatable {
        let signCount: UInt32
        let isUserVerified: Bool
    }

    /// §7.2. A counter that does not go on betrays a copied authenticator; one that stays 0 is not in use.
    static func verify(
        _ response: AssertionResponse, challenge: Bytes, relyingParty: RelyingParty, encodedKey: Bytes,
        signCount: Int64, requiresUserVerification: Bool
    ) throws(Fault) -> Asserted {
        try checkClientData(response.clientDataJSON, "webauthn.get", challenge, relyingParty)
        guard response.authenticatorData.count <= sizeLimit, response.signature.count <= sizeLimit else {
            throw .tooLong
        }
        let data = try AuthenticatorData(response.authenticatorData)
        try check(data, relyingParty)
        guard data.isUserVerified || !requiresUserVerification else { throw .userNotVerified }
        guard let map = try? CBORValue(parsing: encodedKey) else { throw .badKey }
        let signed = response.authenticatorData + SHA256.hash(response.clientDataJSON)
        guard try CredentialKey(map).isValid(response.signature, for: signed) else { throw .badSignature }
        let isCounting = data.signCount != 0 || signCount != 0
        guard !isCounting || Int64(data.signCount) > signCount else { throw .counterWentBack }
        return Asserted(signCount: data.signCount, isUserVerified: data.isUserVerified)
    }

    private static func check(_ data: AuthenticatorData, _ relyingParty: RelyingParty) throws(Fault) {
        guard constantTimeEquals(data.relyingPartyHash, SHA256.hash(Bytes(relyingParty.id.utf8))) else {
            throw .wrongRelyingParty
        }
        guard data.isUserPresent else { throw .userNotPresent }
    }

    private static func checkClientData(
        _ json: Bytes, _ type: String, _ challenge: Bytes, _ relyingParty: RelyingParty
    ) throws(Fault) {
        guard json.count <= sizeLimit else { throw .tooLong }
        guard let data = (try? JSONValue(parsing: json, limits: JSONLimits(depth: 8, values: 256)))?.objectValue,
            let answered = data["challenge"]?.stringValue, let origin = data["origin"]?.stringValue
        else { throw .badClientData }
        guard data["type"] == .string(type) else { throw .wrongType }
        guard constantTimeEquals(Bytes(answered.utf8), Bytes(Base64.encode(challenge, .urlSafe).utf8)) else {
            throw .wrongChallenge
        }
        guard relyingParty.origins.contains(origin) else { throw .wrongOrigin }
        guard data["crossOrigin"] != .bool(true) else { throw .crossOrigin }
    }
}
