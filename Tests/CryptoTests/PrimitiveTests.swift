import Base
import Crypto
import Testing

private func ascii(_ text: String) -> Bytes { Bytes(text.utf8) }

@Suite struct PrimitiveTests {
    @Test func `SHA-1, SHA-256 and SHA-512 of abc are those of FIPS 180`() {
        #expect(Hex.encode(SHA1.hash(ascii("abc"))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            Hex.encode(SHA256.hash(ascii("abc")))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(Hex.encode(SHA512.hash(ascii("abc"))).hasPrefix("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2"))
        #expect(
            Hex.encode(SHA256.hash([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }

    @Test func `a stream of pieces has the hash of the whole, and begins anew`() {
        let bytes = SecureRandom.bytes(10_000)
        var stream = SHA256Stream()
        for _ in 0..<2 {
            for start in stride(from: 0, to: bytes.count, by: 777) {
                stream.update(Bytes(bytes[start..<min(start + 777, bytes.count)]))
            }
            let hash = stream.finish()
            #expect(hash == SHA256.hash(bytes))
        }
    }

    @Test func `constant-time equality looks at length and every byte`() {
        #expect(constantTimeEquals([], []))
        #expect(constantTimeEquals([1, 2, 3], [1, 2, 3]))
        #expect(!constantTimeEquals([1, 2, 3], [1, 2, 4]))
        #expect(!constantTimeEquals([1, 2, 3], [1, 2]))
    }

    @Test func `random bytes have the length asked for and differ`() {
        #expect(SecureRandom.bytes(0).isEmpty)
        #expect(SecureRandom.bytes(32).count == 32)
        #expect(SecureRandom.bytes(32) != SecureRandom.bytes(32))
        #expect(SecureRandom.secret(32).exposedBytes != SecureRandom.secret(32).exposedBytes)
    }

    @Test func `a key may be empty`() {
        // RFC 2104 pads it with zeros; the value is Python's hmac.new(b"", b"", "sha256").
        #expect(
            Hex.encode(HMAC.sha256([], key: Secret(Bytes())))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test func `AES-GCM refuses other key and nonce lengths, and says so`() {
        let key = SecureRandom.secret(32)
        #expect(throws: CryptoError.badKey("an AES-256 key has 32 bytes, not 16")) {
            let short = SecureRandom.secret(16)
            return try AES256GCM.seal([1], key: short, nonce: Bytes(repeating: 0, count: 12), authenticating: [])
        }
        #expect(throws: CryptoError.badParameters("a nonce has 12 bytes, not 16")) {
            try AES256GCM.seal([1], key: key, nonce: Bytes(repeating: 0, count: 16), authenticating: [])
        }
        #expect(throws: CryptoError.authenticationFailed) {
            try AES256GCM.open([1, 2], key: key, nonce: Bytes(repeating: 0, count: 12), authenticating: [])
        }
    }

    @Test func `an Ed25519 signature is valid for its message and key only`() throws {
        let key = Ed25519PrivateKey()
        let signature = key.sign(ascii("hello"))
        #expect(signature.count == 64)
        #expect(key.publicKey.isValid(signature, for: ascii("hello")))
        #expect(!key.publicKey.isValid(signature, for: ascii("hallo")))
        #expect(!Ed25519PrivateKey().publicKey.isValid(signature, for: ascii("hello")))
        #expect(!key.publicKey.isValid(Bytes(signature.dropLast()), for: ascii("hello")))
        let again = try Ed25519PrivateKey(seed: key.seed)
        #expect(again.publicKey == key.publicKey)
        #expect(again.sign(ascii("hello")) == signature)
    }

    @Test func `an Ed25519 key of another length is refused`() {
        #expect(throws: CryptoError.badKey("an Ed25519 public key has 32 bytes, not 31")) {
            try Ed25519PublicKey(Bytes(repeating: 1, count: 31))
        }
        #expect(throws: CryptoError.badKey("an Ed25519 seed has 32 bytes, not 0")) {
            try Ed25519PrivateKey(seed: Secret(Bytes()))
        }
    }
}

@Suite struct Argon2idTests {
    private let quick = Argon2id.Parameters(memoryKiB: 64, iterations: 1, parallelism: 1)

    @Test func `a password is verified against its own hash only`() throws {
        let hash = try Argon2id.hash(Secret(text: "correct horse"), quick)
        #expect(hash.hasPrefix("$argon2id$v=19$m=64,t=1,p=1$"))
        #expect(Argon2id.verify(Secret(text: "correct horse"), against: hash))
        #expect(!Argon2id.verify(Secret(text: "correct hors"), against: hash))
        #expect(try Argon2id.hash(Secret(text: "correct horse"), quick) != hash)
    }

    @Test func `the parameters are read back from the hash`() throws {
        let strong = Argon2id.Parameters(memoryKiB: 256, iterations: 3, parallelism: 2)
        #expect(Argon2id.parameters(of: try Argon2id.hash(Secret(text: "x"), strong)) == strong)
    }

    @Test(arguments: [
        "", "$", "secret", "$argon2i$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$AAAA", "$argon2id$m=64,t=1,p=1$c2FsdHNhbHQ$AAAA",
        "$argon2id$v=19$m=64,t=1$c2FsdHNhbHQ$AAAA", "$argon2id$v=19$m=99999999999,t=1,p=1$c2FsdHNhbHQ$AAAA",
        "$argon2id$v=19$m=4294967295,t=1,p=1$c2FsdHNhbHQ$AAAA", "$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$AAAA",
        "$argon2id$v=19$m=-1,t=1,p=1$c2FsdHNhbHQ$AAAA", "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ",
    ])
    func `a damaged or absurd hash verifies nothing`(_ phc: String) {
        #expect(Argon2id.parameters(of: phc) == nil)
        #expect(!Argon2id.verify(Secret(text: "x"), against: phc))
    }

    @Test func `bad parameters are refused in words`() {
        #expect(throws: CryptoError.badParameters("iterations 0 is not in 1...1000")) {
            try Argon2id.hash(Secret(text: "x"), Argon2id.Parameters(memoryKiB: 64, iterations: 0, parallelism: 1))
        }
        #expect(throws: CryptoError.badParameters("a password has at most 4096 bytes")) {
            try Argon2id.hash(Secret(Bytes(repeating: 65, count: 5_000)), quick)
        }
    }
}
