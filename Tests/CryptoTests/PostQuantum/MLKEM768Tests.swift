// ML-KEM-768 against all vectors, in Swift and, where the linked OpenSSL has it, in OpenSSL.

import Base
import Testing
import Wire

@testable import Crypto

/// Every implementation that can be had here. `MLKEM768Tests` says so when one cannot.
private let implementations = MLKEM768.Implementation.allCases.filter(\.isAvailable)

@Suite struct MLKEM768Tests {
    @Test(.enabled(if: MLKEM768.Implementation.openSSL.isAvailable, "the linked OpenSSL is older than 3.5"))
    func `OpenSSL's ML-KEM-768 is preferred where there is one`() {
        #expect(MLKEM768.Implementation.preferred == .openSSL)
    }

    @Test(arguments: implementations)
    func `keys are those of ACVP`(_ implementation: MLKEM768.Implementation) throws {
        let tests = try PostQuantumVectors.tests(
            "acvp-mlkem768/ML-KEM-keyGen-FIPS203.internalProjection.768.json")
        for (_, test) in tests {
            let seed = Secret(try test.bytes("d") + test.bytes("z"))
            let key = try MLKEM768PrivateKey(seed: seed, using: implementation)
            #expect(key.publicKey.bytes == (try test.bytes("ek")), "\(test.label)")
            #expect(try key.expanded().exposedBytes == test.bytes("dk"), "\(test.label)")
        }
    }

    @Test(arguments: implementations)
    func `ciphertexts and shared keys are those of ACVP`(_ implementation: MLKEM768.Implementation) throws {
        var modified = 0
        let tests = try PostQuantumVectors.tests(
            "acvp-mlkem768/ML-KEM-encapDecap-FIPS203.internalProjection.768.json")
        for (group, test) in tests {
            let (ciphertext, shared) = (try test.bytes("c"), try test.bytes("k"))
            // One key for the group, or one for each test.
            let keys = PostQuantumCase(group["dk"] == nil ? test.value : group)
            let key = try MLKEM768PrivateKey(expanded: try keys.secret("dk"), using: implementation)
            #expect(key.publicKey.bytes == (try keys.bytes("ek")), "\(test.label)")
            #expect(try key.decapsulate(ciphertext).exposedBytes == shared, "\(test.label)")
            if try test.text("reason") != "no modification" { modified += 1 }
            guard test.value["m"] != nil else { continue }
            let made = try MLKEM768PublicKey(try keys.bytes("ek"), using: implementation)
                .encapsulate(message: try test.secret("m"))
            #expect(made.ciphertext == ciphertext, "\(test.label)")
            #expect(made.sharedKey.exposedBytes == shared, "\(test.label)")
        }
        #expect(modified > 0)
    }

    @Test(arguments: implementations)
    func `decapsulation from seeds agrees with Wycheproof`(_ implementation: MLKEM768.Implementation) throws {
        for (_, test) in try PostQuantumVectors.tests("wycheproof/mlkem_768_test.json") {
            let seed = try test.secret("seed")
            let key = try? MLKEM768PrivateKey(seed: seed, using: implementation)
            let shared = try? key?.decapsulate(try test.bytes("c"))
            #expect((shared != nil) == test.isValid, "\(test.label)")
            guard test.isValid else { continue }
            #expect(key?.publicKey.bytes == (try test.bytes("ek")), "\(test.label)")
            #expect(shared?.exposedBytes == (try test.bytes("K")), "\(test.label)")
        }
    }

    @Test(arguments: implementations)
    func `keys from seeds agree with Wycheproof`(_ implementation: MLKEM768.Implementation) throws {
        for (_, test) in try PostQuantumVectors.tests("wycheproof/mlkem_768_keygen_seed_test.json") {
            let key = try MLKEM768PrivateKey(seed: try test.secret("seed"), using: implementation)
            #expect(key.publicKey.bytes == (try test.bytes("ek")), "\(test.label)")
            #expect(try key.expanded().exposedBytes == test.bytes("dk"), "\(test.label)")
            let again = try MLKEM768PrivateKey(expanded: try key.expanded(), using: implementation)
            #expect(again.publicKey.bytes == key.publicKey.bytes)
        }
    }

    @Test(arguments: implementations)
    func `encapsulation agrees with Wycheproof`(_ implementation: MLKEM768.Implementation) throws {
        for (_, test) in try PostQuantumVectors.tests("wycheproof/mlkem_768_encaps_test.json") {
            let key = try? MLKEM768PublicKey(try test.bytes("ek"), using: implementation)
            let made = try? key?.encapsulate(message: try test.secret("m"))
            #expect((made != nil) == test.isValid, "\(test.label)")
            guard test.isValid else { continue }
            #expect(made?.ciphertext == (try test.bytes("c")), "\(test.label)")
            #expect(made?.sharedKey.exposedBytes == (try test.bytes("K")), "\(test.label)")
        }
    }

    @Test(arguments: implementations)
    func `expanded keys agree with Wycheproof`(_ implementation: MLKEM768.Implementation) throws {
        for (_, test) in try PostQuantumVectors.tests("wycheproof/mlkem_768_semi_expanded_decaps_test.json") {
            let key = try? MLKEM768PrivateKey(expanded: try test.secret("dk"), using: implementation)
            let shared = try? key?.decapsulate(try test.bytes("c"))
            #expect((shared != nil) == test.isValid, "\(test.label)")
            if test.isValid { #expect(shared?.exposedBytes == (try test.bytes("K")), "\(test.label)") }
        }
    }

    @Test(arguments: implementations)
    func `public keys above the modulus are refused`(_ implementation: MLKEM768.Implementation) throws {
        let lines = try PostQuantumVectors.gzipLines("cctv-mlkem768/modulus-ML-KEM-768.txt.gz")
        #expect(lines.count >= 500)
        for line in lines {
            let bytes = try #require(Hex.decode(line))
            #expect(bytes.count == MLKEM768.publicKeyCount)
            #expect(throws: CryptoError.self) { try MLKEM768PublicKey(bytes, using: implementation) }
        }
    }

    /// Values of one CCTV file by name; polynomials and lists of numbers are left out.
    private func values(_ name: String) throws -> [String: Bytes] {
        let text = String(
            decoding: try PostQuantumVectors.bytes("cctv-mlkem768/\(name)-ML-KEM-768.txt"), as: UTF8.self)
        var values: [String: Bytes] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: " ")
            guard parts.count == 3, parts[1] == "=", let value = Hex.decode(parts[2]) else { continue }
            if values[String(parts[0])] == nil { values[String(parts[0])] = value }
        }
        return values
    }

    @Test(arguments: implementations)
    func `unlucky and known keys of CCTV do as they should`(_ implementation: MLKEM768.Implementation) throws {
        for name in ["unluckysample", "intermediate"] {
            let values = try values(name)
            let key = try MLKEM768PrivateKey(expanded: Secret(try #require(values["dk"])), using: implementation)
            #expect(key.publicKey.bytes == values["ek"])
            #expect(try key.expanded().exposedBytes == #require(values["dk"]))
            let made = try key.publicKey.encapsulate(message: Secret(try #require(values["m"])))
            #expect(made.ciphertext == values["c"])
            #expect(made.sharedKey.exposedBytes == values["K"])
            #expect(try key.decapsulate(made.ciphertext).exposedBytes == #require(values["K"]))
        }
    }

    /// They are of the standard's draft, where G takes d alone; the rest of making a key stayed the same.
    @Test(arguments: ["unluckysample", "intermediate"])
    func `keys of CCTV are made from their seeds`(_ name: String) throws {
        let values = try values(name)
        var seeds = Bytes(repeating: 0, count: 64)
        let seed = try #require(values["d"])
        seed.withUnsafeBytes { seed in seeds.withUnsafeMutableBytes { Sponge.hash(.sha3Of512, seed, into: $0) } }
        let key = try MLKEM768PrivateKey(
            publicSeed: Bytes(seeds.prefix(32)), noiseSeed: Secret(seeds.dropFirst(32)),
            rejection: Secret(try #require(values["z"])))
        #expect(key.publicKey.bytes == values["ek"])
        #expect(try key.expanded().exposedBytes == #require(values["dk"]))
    }

    @Test(arguments: implementations)
    func `what does not have the right length is refused`(_ implementation: MLKEM768.Implementation) throws {
        let key = try MLKEM768PrivateKey(seed: SecureRandom.secret(64), using: implementation)
        let expanded = try key.expanded().exposedBytes
        for change in [-1, 1] {
            func resized(_ bytes: Bytes) -> Bytes { change < 0 ? Bytes(bytes.dropLast()) : bytes + [0] }
            #expect(throws: CryptoError.self) {
                try MLKEM768PrivateKey(seed: SecureRandom.secret(64 + change), using: implementation)
            }
            #expect(throws: CryptoError.self) {
                try MLKEM768PrivateKey(expanded: Secret(resized(expanded)), using: implementation)
            }
            #expect(throws: CryptoError.self) {
                try MLKEM768PublicKey(resized(key.publicKey.bytes), using: implementation)
            }
            #expect(throws: CryptoError.self) {
                try key.decapsulate(Bytes(repeating: 1, count: MLKEM768.ciphertextCount + change))
            }
            #expect(throws: CryptoError.self) {
                try key.publicKey.encapsulate(message: SecureRandom.secret(32 + change))
            }
        }
        #expect(throws: CryptoError.self) { try MLKEM768PrivateKey(seed: Secret([]), using: implementation) }
    }

    @Test(arguments: implementations)
    func `a private key with any other hash or public key is refused`(
        _ implementation: MLKEM768.Implementation
    ) throws {
        let key = try MLKEM768PrivateKey(seed: SecureRandom.secret(64), using: implementation)
        let expanded = try key.expanded().exposedBytes
        for index in [1152, 1152 + 1184 - 1, 1152 + 1184, 1152 + 1184 + 31] {
            var changed = expanded
            changed[index] ^= 1
            #expect(throws: CryptoError.self, "byte \(index)") {
                try MLKEM768PrivateKey(expanded: Secret(changed), using: implementation)
            }
        }
    }

    @Test(arguments: implementations)
    func `a changed ciphertext gives another key, always the same`(_ implementation: MLKEM768.Implementation) throws {
        let key = try MLKEM768PrivateKey(seed: SecureRandom.secret(64), using: implementation)
        let (ciphertext, shared) = try key.publicKey.encapsulate()
        #expect(try key.decapsulate(ciphertext).exposedBytes == shared.exposedBytes)
        for index in stride(from: 0, to: ciphertext.count, by: 37) {
            var changed = ciphertext
            changed[index] ^= 0x80
            let rejected = try key.decapsulate(changed).exposedBytes
            #expect(rejected != shared.exposedBytes, "byte \(index)")
            #expect(try key.decapsulate(changed).exposedBytes == rejected, "byte \(index)")
        }
    }

    @Test func `many random keys agree with themselves`() throws {
        for _ in 0..<50 {
            let key = try MLKEM768PrivateKey(seed: SecureRandom.secret(64), using: .swift)
            let again = try MLKEM768PublicKey(key.publicKey.bytes, using: .swift)
            let (ciphertext, shared) = try again.encapsulate()
            #expect(try key.decapsulate(ciphertext).exposedBytes == shared.exposedBytes)
            let expanded = try MLKEM768PrivateKey(expanded: try key.expanded(), using: .swift)
            #expect(try expanded.decapsulate(ciphertext).exposedBytes == shared.exposedBytes)
        }
    }
}
