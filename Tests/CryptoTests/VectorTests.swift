import Base
import Crypto
import Glibc
import Testing
import Wire

/// Public vectors: every case with its verdict. Sources are named beside the files.
private enum Vectors {
    static func load(_ name: String) throws -> JSONValue {
        let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        let path = "/\(folder)/Vectors/crypto/\(name)"
        let file = try #require(fopen(path, "r"), "\(path) is missing")
        defer { fclose(file) }
        var bytes = Bytes()
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return try JSONValue(parsing: bytes)
    }

    static func list(_ name: String) throws -> [JSONValue] {
        let value = try load(name)
        return try #require(value.arrayValue)
    }

    /// Every test of every group of a Wycheproof file. At least as many as the file says there are.
    static func wycheproof(_ name: String, _ body: (_ group: JSONValue, _ test: WycheproofCase) throws -> Void) throws {
        let file = try load("wycheproof/\(name)_test.json")
        var count: Int64 = 0
        for group in try #require(file["testGroups"]?.arrayValue) {
            for test in try #require(group["tests"]?.arrayValue) {
                try body(group, WycheproofCase(value: test))
                count += 1
            }
        }
        #expect(count == file["numberOfTests"]?.integerValue)
    }
}

private struct WycheproofCase {
    let value: JSONValue
    var isValid: Bool { value["result"]?.stringValue == "valid" }
    var label: String { "\(value["tcId"]?.integerValue ?? 0) \(value["comment"]?.stringValue ?? "")" }
    func bytes(_ key: String) throws -> Bytes { try hex(value, key) }
}

private func hex(_ value: JSONValue, _ key: String) throws -> Bytes {
    try #require(value[key]?.stringValue.flatMap { Hex.decode($0) }, "no \(key), or no hexadecimal")
}

private func number(_ value: JSONValue, _ key: String) throws -> Int {
    Int(try #require(value[key]?.integerValue, "no \(key)"))
}

@Suite struct VectorTests {
    @Test func `AES-256-GCM agrees with Wycheproof, and refuses other sizes`() throws {
        try Vectors.wycheproof("aes_gcm") { group, test in
            let key = Secret(try test.bytes("key"))
            let nonce = try test.bytes("iv")
            let (plaintext, context) = (try test.bytes("msg"), try test.bytes("aad"))
            let sealed = try test.bytes("ct") + test.bytes("tag")
            let supported = try number(group, "keySize") == 256 && number(group, "ivSize") == 96
            let opened = try? AES256GCM.open(sealed, key: key, nonce: nonce, authenticating: context)
            let secret = try? AES256GCM.openSecret(sealed, key: key, nonce: nonce, authenticating: context)
            let made = try? AES256GCM.seal(plaintext, key: key, nonce: nonce, authenticating: context)
            #expect(opened == (supported && test.isValid ? plaintext : nil), "\(test.label)")
            #expect(secret?.exposedBytes == opened, "\(test.label)")
            #expect((made == sealed) == (supported && test.isValid), "\(test.label)")
        }
    }

    @Test func `Ed25519 verification agrees with Wycheproof`() throws {
        try Vectors.wycheproof("ed25519") { group, test in
            let key = try Ed25519PublicKey(try hex(group["publicKey"] ?? .null, "pk"))
            #expect(key.isValid(try test.bytes("sig"), for: try test.bytes("msg")) == test.isValid, "\(test.label)")
        }
    }

    @Test(arguments: ["hmac_sha1", "hmac_sha256"])
    func `HMAC agrees with Wycheproof`(_ name: String) throws {
        try Vectors.wycheproof(name) { group, test in
            let key = Secret(try test.bytes("key"))
            let message = try test.bytes("msg")
            let tag = name == "hmac_sha1" ? HMAC.sha1(message, key: key) : HMAC.sha256(message, key: key)
            let cut = Bytes(tag.prefix(try number(group, "tagSize") / 8))
            #expect(constantTimeEquals(cut, try test.bytes("tag")) == test.isValid, "\(test.label)")
        }
    }

    @Test func `HKDF agrees with Wycheproof`() throws {
        try Vectors.wycheproof("hkdf_sha256") { _, test in
            let size = try number(test.value, "size")
            // Longer than the RFC allows is a mistake of the program and stops it, so it cannot be asked for here.
            guard size <= HKDF.longest else {
                #expect(!test.isValid, "\(test.label)")
                return
            }
            let key = HKDF.sha256(
                Secret(try test.bytes("ikm")), salt: try test.bytes("salt"), info: try test.bytes("info"), count: size)
            #expect((key.exposedBytes == (try test.bytes("okm"))) == test.isValid, "\(test.label)")
        }
    }

    @Test func `ES256 agrees with Wycheproof`() throws {
        try Vectors.wycheproof("ecdsa_secp256r1_sha256") { group, test in
            let point = try hex(group["publicKey"] ?? .null, "uncompressed")
            let verdict = SignatureCheck.es256(
                publicX: Bytes(point[1..<33]), publicY: Bytes(point[33..<65]),
                derSignature: try test.bytes("sig"), message: try test.bytes("msg"))
            #expect(verdict == test.isValid, "\(test.label)")
        }
    }

    @Test func `a point off the curve verifies nothing`() throws {
        try Vectors.wycheproof("ecdsa_secp256r1_sha256") { group, test in
            var point = try hex(group["publicKey"] ?? .null, "uncompressed")
            point[40] ^= 1
            let verdict = SignatureCheck.es256(
                publicX: Bytes(point[1..<33]), publicY: Bytes(point[33..<65]),
                derSignature: try test.bytes("sig"), message: try test.bytes("msg"))
            #expect(!verdict)
        }
        #expect(!SignatureCheck.es256(publicX: [], publicY: [], derSignature: [], message: []))
    }

    @Test func `RS256 takes what it should and nothing else`() throws {
        for test in try Vectors.list("rsa/rs256.json") {
            let verdict = SignatureCheck.rs256(
                modulus: Hex.decode(test["n"]?.stringValue ?? "") ?? [], exponent: try hex(test, "e"),
                signature: try hex(test, "sig"), message: try hex(test, "msg"))
            let name = test["name"]?.stringValue ?? ""
            #expect(verdict == (test["result"]?.stringValue == "valid"), "\(name)")
        }
    }

    @Test func `HOTP and TOTP come out of HMAC as their RFCs print them`() throws {
        for test in try Vectors.list("totp/totp-rfc6238.json") {
            let key = Secret(try hex(test, "secret_hex"))
            let counter = try hex(test, "T_hex")
            let mac =
                switch test["algorithm"]?.stringValue {
                case "SHA1": HMAC.sha1(counter, key: key)
                case "SHA256": HMAC.sha256(counter, key: key)
                default: HMAC.sha512(counter, key: key)
                }
            #expect(truncated(mac, digits: try number(test, "digits")) == test["totp"]?.stringValue)
        }
    }

    /// RFC 4226 §5.3.
    private func truncated(_ mac: Bytes, digits: Int) -> String {
        let offset = Int(mac[mac.count - 1] & 15)
        let word = mac[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        var modulus: UInt32 = 1
        for _ in 0..<digits { modulus *= 10 }
        var text = Bytes()
        text.appendDecimal(word % modulus, width: digits)
        return String(decoding: text, as: UTF8.self)
    }

    @Test func `Argon2id tags are those of another implementation`() throws {
        var count = 0
        for test in try Vectors.list("argon2/argon2.json") {
            // Other types, keyed hashes and associated data are not ours.
            guard test["type"]?.stringValue == "argon2id", test["secret"]?.stringValue == "",
                test["ad"]?.stringValue == ""
            else { continue }
            let parameters = Argon2id.Parameters(
                memoryKiB: try number(test, "m_kib"), iterations: try number(test, "t"),
                parallelism: try number(test, "p"))
            let (password, salt, tag) = (try hex(test, "password"), try hex(test, "salt"), try hex(test, "tag"))
            let key = try Argon2id.derive(Secret(password), salt: salt, parameters, count: tag.count)
            #expect(key.exposedBytes == tag)
            let cost = "m=\(parameters.memoryKiB),t=\(parameters.iterations),p=\(parameters.parallelism)"
            let stored = "$argon2id$v=19$\(cost)$\(unpadded(salt))$\(unpadded(tag))"
            #expect(Argon2id.parameters(of: stored) == parameters)
            #expect(Argon2id.verify(Secret(password), against: stored))
            #expect(!Argon2id.verify(Secret(password + [0]), against: stored))
            count += 1
        }
        #expect(count >= 5)
    }

    private func unpadded(_ bytes: Bytes) -> String {
        String(Base64.encode(bytes).prefix { $0 != "=" })
    }
}
