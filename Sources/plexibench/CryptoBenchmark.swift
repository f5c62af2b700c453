// `plexibench crypto [--seconds N] [--mebibytes N]`: what keys and age files cost, on one thread.
//
// Files are encrypted beside a loop of C that calls EVP's ChaCha20-Poly1305 on chunks of the same size: the floor.

import Base
import CFloor
import Crypto
import Glibc
import Vault

func benchmarkCrypto() {
    do {
        try CryptoBenchmark().run()
    } catch {
        print("plexibench: \(error)")
        exit(1)
    }
}

private struct CryptoBenchmark {
    private let perKind = Duration.milliseconds(Int64(Arguments.integer("seconds", default: 1)) * 1_000)
    private let mebibytes = max(1, Arguments.integer("mebibytes", default: 512))
    /// Rounds of which the best counts: the others shared the machine.
    private static let rounds = 3

    func run() throws {
        for implementation in MLKEM768.Implementation.allCases where implementation.isAvailable {
            try keyEncapsulation(implementation)
        }
        try hybrid()
        try files()
    }

    private func keyEncapsulation(_ implementation: MLKEM768.Implementation) throws {
        let key = try MLKEM768PrivateKey(seed: SecureRandom.secret(MLKEM768.seedCount), using: implementation)
        let bytes = key.publicKey.bytes
        let (ciphertext, _) = try key.publicKey.encapsulate()
        let name = "ML-KEM-768 (\(implementation))"
        try rate("\(name) new key") {
            _ = try MLKEM768PrivateKey(seed: SecureRandom.secret(MLKEM768.seedCount), using: implementation)
        }
        try rate("\(name) encapsulate to bytes") {
            _ = try MLKEM768PublicKey(bytes, using: implementation).encapsulate()
        }
        try rate("\(name) encapsulate to a kept key") { _ = try key.publicKey.encapsulate() }
        try rate("\(name) decapsulate") { _ = try key.decapsulate(ciphertext) }
    }

    private func hybrid() throws {
        let key = XWingPrivateKey()
        let (ciphertext, _) = try key.publicKey.encapsulate()
        try rate("X-Wing encapsulate to a kept key") { _ = try key.publicKey.encapsulate() }
        try rate("X-Wing decapsulate") { _ = try key.decapsulate(ciphertext) }
        let recipients = [AgeRecipient.hybrid(key.publicKey)]
        let file = try Age.encrypt([1], to: recipients)
        try rate("age, a file of one byte, encrypt") { _ = try Age.encrypt([1], to: recipients) }
        try rate("age, a file of one byte, decrypt") { _ = try Age.decrypt(file, with: [.hybrid(key)]) }
    }

    private func rate(_ name: String, _ body: () throws -> Void) throws {
        var best = 0
        for _ in 0..<Self.rounds {
            let start = Instant.now()
            var count = 0
            while Instant.now() - start < perKind {
                for _ in 0..<50 { try body() }
                count += 50
            }
            best = max(best, Int(Int64(count) * 1_000_000_000 / (Instant.now() - start).nanoseconds))
        }
        print("\(name): \(best)/s")
    }

    // MARK: - Files

    private func files() throws {
        let chunk = Bytes(repeating: 0x5A, count: AgeChunk.plainCount)
        let chunks = mebibytes * 16
        let key = XWingPrivateKey()
        let floor = try throughput("EVP ChaCha20-Poly1305 from C, chunks of 64 KiB", nil) {
            var output = Bytes(repeating: 0, count: AgeChunk.sealedCount)
            guard plexi_floor_chacha(chunk, &output, Int32(chunk.count), UInt(chunks)) == 0 else {
                throw CryptoError.failed("the floor could not encrypt")
            }
        }
        _ = try throughput("age encrypt", floor) {
            var encryptor = try AgeEncryptor(to: [.hybrid(key.publicKey)])
            var output = Bytes()
            output.reserveCapacity(4 * AgeChunk.sealedCount)
            for _ in 0..<chunks {
                encryptor.update(chunk, into: &output)
                output.removeAll(keepingCapacity: true)
            }
            encryptor.finish(into: &output)
        }
        // One round of a file that is in memory: its chunks are taken by the machine as they lie.
        let file = try Age.encrypt(
            Bytes(repeating: 0x5A, count: chunks * AgeChunk.plainCount), to: [.hybrid(key.publicKey)])
        _ = try throughput("age decrypt", floor) {
            var decryptor = try AgeDecryptor(with: [.hybrid(key)])
            var output = Bytes()
            output.reserveCapacity(20 * AgeChunk.plainCount)
            try file.withUnsafeBytes { file in
                for start in stride(from: 0, to: file.count, by: 1 << 20) {
                    try decryptor.update(
                        UnsafeRawBufferPointer(rebasing: file[start..<min(start + 1 << 20, file.count)]), into: &output)
                    output.removeAll(keepingCapacity: true)
                }
            }
            try decryptor.finish(into: &output)
        }
    }

    /// In MiB a second; the best of the rounds.
    private func throughput(_ name: String, _ floor: Int?, _ body: () throws -> Void) throws -> Int {
        var best = 0
        for _ in 0..<Self.rounds {
            let start = Instant.now()
            try body()
            best = max(best, Int(Int64(mebibytes) * 1_000_000_000 / max(1, (Instant.now() - start).nanoseconds)))
        }
        let share = floor.map { ", \(best * 100 / max(1, $0)) % of the floor" } ?? ""
        print("\(name): \(best) MiB/s\(share)")
        return best
    }
}
