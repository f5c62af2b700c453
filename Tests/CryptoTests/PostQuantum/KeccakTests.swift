// Our Keccak beside OpenSSL's, and the arithmetic that stands for divisions beside divisions.

import Base
import COpenSSL
import Testing

@testable import Crypto

@Suite struct KeccakTests {
    /// OpenSSL's answer.
    private func expected(_ name: String, _ input: Bytes, count: Int) throws -> Bytes {
        let algorithm = EVP_MD_fetch(nil, name, nil)
        let context = EVP_MD_CTX_new()
        defer {
            EVP_MD_CTX_free(context)
            EVP_MD_free(algorithm)
        }
        var output = Bytes(repeating: 0, count: count)
        try #require(EVP_DigestInit_ex2(context, algorithm, nil) == 1)
        try #require(EVP_DigestUpdate(context, input, input.count) == 1)
        if name.hasPrefix("SHAKE") {
            try #require(EVP_DigestFinalXOF(context, &output, count) == 1)
        } else {
            try #require(EVP_DigestFinal_ex(context, &output, nil) == 1)
        }
        return output
    }

    private func ours(_ function: Sponge.Function, _ input: Bytes, _ piece: Int, count: Int) -> Bytes {
        var output = Bytes(repeating: 0, count: count)
        output.withUnsafeMutableBytes { output in
            Sponge.with(function) { sponge in
                for start in stride(from: 0, to: input.count, by: piece) {
                    input.withUnsafeBytes {
                        sponge.absorb(UnsafeRawBufferPointer(rebasing: $0[start..<min(start + piece, $0.count)]))
                    }
                }
                for start in stride(from: 0, to: count, by: piece) {
                    sponge.squeeze(
                        into: UnsafeMutableRawBufferPointer(rebasing: output[start..<min(start + piece, count)]))
                }
            }
        }
        return output
    }

    /// Lengths around words, rates, and one more than a block.
    @Test(arguments: [0, 1, 7, 8, 9, 71, 72, 73, 135, 136, 137, 167, 168, 169, 271, 272, 336, 1_184, 1_120])
    func `SHA3 and SHAKE are those of OpenSSL, in any pieces`(_ count: Int) throws {
        let input = SecureRandom.bytes(count)
        for piece in [1, 3, 8, 64, 168, 2_000] {
            #expect(
                ours(.sha3Of256, input, piece, count: 32) == (try expected("SHA3-256", input, count: 32)))
            #expect(
                ours(.sha3Of512, input, piece, count: 64) == (try expected("SHA3-512", input, count: 64)))
            #expect(
                ours(.shake128, input, piece, count: 700) == (try expected("SHAKE128", input, count: 700)))
            #expect(
                ours(.shake256, input, piece, count: 300) == (try expected("SHAKE256", input, count: 300)))
        }
    }

    @Test func `a sponge is as new after a reset`() {
        var output = Bytes(repeating: 0, count: 32)
        output.withUnsafeMutableBytes { output in
            Sponge.with(.sha3Of256) { sponge in
                sponge.absorb(1)
                sponge.squeeze(into: output)
                sponge.reset()
                sponge.absorb(2)
                sponge.squeeze(into: output)
            }
        }
        #expect(output == ours(.sha3Of256, [2], 1, count: 32))
    }

    @Test(arguments: [1, 4, 10])
    func `compression rounds as a division would`(_ bits: UInt64) {
        for value in UInt16(0)..<3329 {
            let twice = UInt64(value) << (bits + 1)
            let rounded: UInt64 = (twice + 3329) / 6658
            let exact = rounded & ((1 as UInt64) << bits - 1)
            #expect(MLKEMRing.compressed(value, bits) == exact, "\(value)")
        }
    }

    @Test func `every 16-bit number has its remainder`() {
        for value in Int16.min...Int16.max {
            let remainder = (Int(value) % 3329 + 3329) % 3329
            #expect(Int(MLKEMRing.canonical(value)) == remainder)
        }
    }
}
