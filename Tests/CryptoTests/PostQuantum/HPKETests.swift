// X25519, ChaCha20-Poly1305, X-Wing, HPKE and scrypt against vectors.

import Base
import Crypto
import Testing
import Wire

@Suite struct HPKETests {
    @Test func `ChaCha20-Poly1305 agrees with Wycheproof`() throws {
        for (group, test) in try PostQuantumVectors.tests("wycheproof/chacha20_poly1305_test.json") {
            // Nonces of other sizes have no type here.
            guard try PostQuantumCase(group).number("ivSize") == 96 else {
                #expect(!test.isValid, "\(test.label)")
                continue
            }
            let (key, plaintext) = (try test.secret("key"), try test.secret("msg"))
            let (context, sealed) = (try test.bytes("aad"), try test.bytes("ct") + test.bytes("tag"))
            var nonce = ChaCha20Poly1305.Nonce(repeating: 0)
            for (index, byte) in try test.bytes("iv").enumerated() { nonce[index] = byte }
            let opened = try? ChaCha20Poly1305.open(sealed, key: key, nonce: nonce, authenticating: context)
            let made = try ChaCha20Poly1305.seal(plaintext, key: key, nonce: nonce, authenticating: context)
            #expect(opened?.exposedBytes == (test.isValid ? plaintext.exposedBytes : nil), "\(test.label)")
            #expect((made == sealed) == test.isValid, "\(test.label)")
        }
    }

    @Test func `ChaCha20-Poly1305 refuses what has no tag, and keys of other lengths`() throws {
        let key = SecureRandom.secret(32)
        let nonce = ChaCha20Poly1305.Nonce(repeating: 1)
        for count in 0..<16 {
            #expect(throws: CryptoError.authenticationFailed) {
                try ChaCha20Poly1305.open(Bytes(repeating: 0, count: count), key: key, nonce: nonce)
            }
        }
        for count in [0, 16, 31, 33] {
            #expect(throws: CryptoError.self) {
                try ChaCha20Poly1305.seal(Secret([1]), key: SecureRandom.secret(count), nonce: nonce)
            }
        }
    }

    /// "Acceptable" are odd points, which are taken, and those that give zeros, which are refused.
    @Test func `X25519 agrees with Wycheproof`() throws {
        var refused = 0
        for (_, test) in try PostQuantumVectors.tests("wycheproof/x25519_test.json") {
            let key = try X25519PrivateKey(try test.secret("private"))
            let other = try X25519PublicKey(try test.bytes("public"))
            let expected = try test.bytes("shared")
            let shared = try? key.sharedSecret(with: other).exposedBytes
            let isZero = expected.allSatisfy { $0 == 0 }
            #expect(shared == (isZero ? nil : expected), "\(test.label)")
            if isZero { refused += 1 }
        }
        #expect(refused > 0)
    }

    @Test func `X-Wing is that of its draft`() throws {
        for test in try PostQuantumVectors.list("xwing/test-vectors.json").map(PostQuantumCase.init) {
            let key = try XWingPrivateKey(seed: try test.secret("seed"))
            #expect(key.publicKey.bytes == (try test.bytes("pk")))
            let made = try key.publicKey.encapsulate(randomness: try test.secret("eseed"))
            #expect(made.ciphertext == (try test.bytes("ct")))
            #expect(made.sharedKey.exposedBytes == (try test.bytes("ss")))
            #expect(try key.decapsulate(made.ciphertext).exposedBytes == test.bytes("ss"))
        }
    }

    @Test func `X-Wing is that of another implementation, also for changed ciphertexts`() throws {
        var rejected = 0
        for test in try PostQuantumVectors.list("xwing/generated.json").map(PostQuantumCase.init) {
            let key = try XWingPrivateKey(seed: try test.secret("seed"))
            #expect(key.publicKey.bytes == (try test.bytes("pk")))
            #expect(try key.decapsulate(test.bytes("ct")).exposedBytes == test.bytes("ss"))
            if test.value["eseed"] == nil {
                rejected += 1
                continue
            }
            let made = try XWingPublicKey(try test.bytes("pk")).encapsulate(randomness: try test.secret("eseed"))
            #expect(made.ciphertext == (try test.bytes("ct")))
            #expect(made.sharedKey.exposedBytes == (try test.bytes("ss")))
        }
        #expect(rejected > 0)
    }

    @Test func `X-Wing refuses other lengths and points of low order`() throws {
        let key = XWingPrivateKey()
        let (ciphertext, _) = try key.publicKey.encapsulate()
        #expect(throws: CryptoError.self) { try key.decapsulate(Bytes(ciphertext.dropLast())) }
        #expect(throws: CryptoError.self) { try key.decapsulate(ciphertext + [0]) }
        #expect(throws: CryptoError.self) { try key.decapsulate([]) }
        #expect(throws: CryptoError.self) { try XWingPrivateKey(seed: SecureRandom.secret(31)) }
        #expect(throws: CryptoError.self) { try XWingPublicKey(key.publicKey.bytes + [0]) }
        #expect(throws: CryptoError.self) { try XWingPublicKey(Bytes(key.publicKey.bytes.dropLast())) }
        let zeros = Bytes(repeating: 0, count: 32)
        #expect(throws: CryptoError.self) { try key.decapsulate(ciphertext.dropLast(32) + zeros) }
        let lowOrder = try XWingPublicKey(key.publicKey.bytes.dropLast(32) + zeros)
        #expect(throws: CryptoError.self) { try lowOrder.encapsulate() }
    }

    // MARK: - HPKE

    @Test func `HPKE in base mode is that of RFC 9180 and of another implementation`() throws {
        var count = 0
        for test in try PostQuantumVectors.list("hpke/hpke-x25519-hkdf-sha256.json").map(PostQuantumCase.init) {
            // Other modes and AEADs are not ours.
            guard try test.number("mode") == 0, try test.number("aead_id") == 3 else { continue }
            let own = try X25519PrivateKey(try test.secret("skRm"))
            let ephemeral = try X25519PrivateKey(try test.secret("skEm"))
            let (info, encapsulated) = (try test.bytes("info"), try test.bytes("enc"))
            #expect(own.publicKey.bytes == (try test.bytes("pkRm")))
            #expect(ephemeral.publicKey.bytes == encapsulated)
            var sender = try HPKE.sender(to: own.publicKey, ephemeral: ephemeral, info: info)
            var recipient = try HPKE.recipient(encapsulated, with: .x25519(own), info: info)
            try messages(test, &sender, &recipient)
            for export in try #require(test.value["exports"]?.arrayValue).map(PostQuantumCase.init) {
                let context = try export.bytes("exporter_context")
                let (length, value) = (try export.number("L"), try export.bytes("exported_value"))
                #expect(sender.export(context, count: length).exposedBytes == value)
                #expect(recipient.export(context, count: length).exposedBytes == value)
            }
            count += 1
        }
        #expect(count >= 2)
    }

    /// Messages between those that are listed are sealed and opened too, for their place in the sequence counts.
    private func messages(_ test: PostQuantumCase, _ sender: inout HPKEContext, _ recipient: inout HPKEContext) throws {
        var sequence = 0
        for message in try #require(test.value["encryptions"]?.arrayValue).map(PostQuantumCase.init) {
            while sequence < (try message.number("seq")) {
                _ = try recipient.open(try sender.seal(Secret([1])))
                sequence += 1
            }
            let (context, plaintext) = (try message.bytes("aad"), try message.secret("pt"))
            let sealed = try sender.seal(plaintext, authenticating: context)
            #expect(sealed == (try message.bytes("ct")))
            #expect(throws: CryptoError.authenticationFailed) { try recipient.open(sealed, authenticating: [0]) }
            #expect(try recipient.open(sealed, authenticating: context).exposedBytes == plaintext.exposedBytes)
            sequence += 1
        }
        #expect(sequence > 0)
    }

    @Test func `what HPKE seals opens for its key and purpose only`() throws {
        let (key, other) = (XWingPrivateKey(), XWingPrivateKey())
        let (classic, otherClassic) = (X25519PrivateKey(), X25519PrivateKey())
        let keys: [(HPKE.PublicKey, HPKE.PrivateKey, HPKE.PrivateKey)] = [
            (.xWing(key.publicKey), .xWing(key), .xWing(other)),
            (.x25519(classic.publicKey), .x25519(classic), .x25519(otherClassic)),
        ]
        for (recipient, right, wrong) in keys {
            let (encapsulated, sealed) = try HPKE.seal(Secret([1, 2, 3]), to: recipient, info: [7])
            #expect(try HPKE.open(sealed, encapsulated, with: right, info: [7]).exposedBytes == [1, 2, 3])
            #expect(throws: CryptoError.authenticationFailed) {
                try HPKE.open(sealed, encapsulated, with: right, info: [8])
            }
            #expect(throws: CryptoError.authenticationFailed) {
                try HPKE.open(sealed, encapsulated, with: wrong, info: [7])
            }
            #expect(throws: CryptoError.authenticationFailed) {
                try HPKE.open(Bytes(sealed.dropLast()), encapsulated, with: right, info: [7])
            }
            #expect(throws: CryptoError.self) {
                try HPKE.open(sealed, Bytes(encapsulated.dropLast()), with: right, info: [7])
            }
        }
    }

    // MARK: - scrypt

    @Test func `scrypt is that of RFC 7914`() throws {
        // §12, the vector with r = 8 and p = 1.
        let key = try Scrypt.derive(
            Secret(text: "pleaseletmein"), salt: Bytes("SodiumChloride".utf8), logN: 14, count: 64)
        #expect(
            Hex.encode(key.exposedBytes)
                == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")
    }

    @Test func `scrypt refuses factors that take all memory, and none`() {
        for logN in [-1, 0, 23, 64, Int.max] {
            #expect(throws: CryptoError.self) { try Scrypt.derive(Secret([1]), salt: [], logN: logN) }
        }
        #expect(throws: CryptoError.self) {
            try Scrypt.derive(Secret(Bytes(repeating: 1, count: 5_000)), salt: [], logN: 2)
        }
    }
}
