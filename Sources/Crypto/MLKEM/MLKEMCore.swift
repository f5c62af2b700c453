// ML-KEM-768 itself (FIPS 203 §5 and §6), on memory: k = 3, η = 2, d = (10, 4). Randomness is an argument.
//
// Keys are kept expanded, for the matrix takes longer to make than all the rest. What may be known and what may not:
// the seed ρ, the matrix, t̂, and ciphertexts are public; ŝ, z, messages, noise and shared keys are secret, live in
// memory that is wiped, and never decide about a branch or an address.

import Base
import COpenSSL
import CShims

enum MLKEMCore {
    /// k of the standard. `MLKEMRing.multiply` counts on it.
    static let rank = 3
    static let vectorBytes = rank * 384
    static let publicKeyCount = vectorBytes + 32
    static let privateKeyCount = vectorBytes + publicKeyCount + 64
    static let ciphertextCount = rank * 320 + 128
    static let vectorCount = rank * MLKEMRing.degree

    /// A public key with its matrix.
    ///
    /// `@unchecked`: written in `init`, only read afterwards.
    final class PublicKey: @unchecked Sendable {
        let bytes: Bytes
        /// H(ek).
        fileprivate let digest: Bytes
        /// Â, row by row, and t̂.
        fileprivate let matrix: Polynomial
        fileprivate var vector: Polynomial { matrix + MLKEMCore.rank * MLKEMCore.vectorCount }

        /// `nil` unless it is 1184 bytes of coefficients below q and ρ.
        init?(_ bytes: Bytes) {
            guard bytes.count == publicKeyCount else { return nil }
            let fits = bytes.withUnsafeBufferPointer { bytes in
                (0..<rank).allSatisfy { MLKEMRing.isCanonical(bytes.baseAddress! + $0 * 384) }
            }
            guard fits else { return nil }
            self.bytes = bytes
            digest = MLKEMCore.sha3(bytes)
            matrix = .allocate(capacity: (rank + 1) * vectorCount)
            bytes.withUnsafeBufferPointer { bytes in
                for index in 0..<rank {
                    MLKEMRing.decode(bytes.baseAddress! + index * 384, into: vector + index * MLKEMRing.degree)
                }
                expand(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes)[vectorBytes...]), into: matrix)
            }
        }

        /// One that was made here: what it is made from is secret, so nothing is checked.
        fileprivate init(_ bytes: Bytes, adopting matrix: Polynomial) {
            self.bytes = bytes
            self.matrix = matrix
            digest = MLKEMCore.sha3(bytes)
        }

        deinit { matrix.deallocate() }
    }

    /// A private key with its public key.
    ///
    /// `@unchecked`: written in `init`, only read afterwards, wiped with its last owner.
    final class PrivateKey: @unchecked Sendable {
        let publicKey: PublicKey
        /// ŝ.
        fileprivate let vector: Polynomial
        /// z, which takes the message's place when a ciphertext is not what it should be.
        fileprivate let rejection: Secret

        /// KeyGen_internal: d and z, 32 bytes each.
        convenience init(seed: Secret) {
            precondition(seed.count == 64, "d and z have 32 bytes each")
            self.init { vector in
                seed.withExposedBytes { seed in
                    withWiped(65) { scratch in
                        scratch[64] = UInt8(rank)
                        Sponge.hash(
                            .sha3Of512, part(seed, 0..<32), part(scratch, 64..<65), into: mutable(scratch, 0..<64))
                        let publicKey = generate(part(scratch, 0..<32), noise: part(scratch, 32..<64), into: vector)
                        return (publicKey, Secret(part(seed, 32..<64)))
                    }
                }
            }!
        }

        /// KeyGen_internal after G: ρ is public, and nothing that is told by it may depend on σ.
        convenience init(publicSeed: UnsafeRawBufferPointer, noiseSeed: UnsafeRawBufferPointer, rejection: Secret) {
            self.init { (generate(publicSeed, noise: noiseSeed, into: $0), rejection) }!
        }

        /// `nil` unless it has 2400 bytes and the hash in it is that of the public key in it (§7.3), which itself is one.
        convenience init?(expanded bytes: Secret) {
            guard bytes.count == privateKeyCount else { return nil }
            self.init { vector in
                bytes.withExposedBytes { bytes in
                    let start = vectorBytes + publicKeyCount
                    guard let publicKey = PublicKey(Bytes(bytes[vectorBytes..<start])),
                        constantTimeEquals(publicKey.digest, Bytes(bytes[start..<start + 32]))
                    else { return nil }
                    let words = bytes.bindMemory(to: UInt8.self).baseAddress!
                    for index in 0..<rank {
                        MLKEMRing.decode(words + index * 384, into: vector + index * MLKEMRing.degree)
                    }
                    return (publicKey, Secret(bytes[(start + 32)...]))
                }
            }
        }

        private init?(_ fill: (Polynomial) -> (PublicKey, Secret)?) {
            let vector = Polynomial.allocate(capacity: vectorCount)
            guard let (publicKey, rejection) = fill(vector) else {
                OPENSSL_cleanse(vector, 2 * vectorCount)
                vector.deallocate()
                return nil
            }
            self.vector = vector
            self.publicKey = publicKey
            self.rejection = rejection
        }

        deinit {
            OPENSSL_cleanse(vector, 2 * vectorCount)
            vector.deallocate()
        }

        /// The form of the standard: ŝ, ek, H(ek), z.
        var expanded: Secret {
            Secret(count: privateKeyCount) { bytes in
                let words = bytes.bindMemory(to: UInt8.self).baseAddress!
                for index in 0..<rank {
                    MLKEMRing.encode(vector + index * MLKEMRing.degree, into: words + index * 384)
                }
                let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[vectorBytes...])
                publicKey.bytes.withUnsafeBytes { rest.copyMemory(from: $0) }
                publicKey.digest.withUnsafeBytes { mutable(rest, publicKeyCount..<rest.count).copyMemory(from: $0) }
                rejection.withExposedBytes {
                    mutable(rest, publicKeyCount + 32..<rest.count).copyMemory(from: $0)
                }
            }
        }
    }

    // MARK: - The encryption scheme

    /// K-PKE.KeyGen after G: fills ŝ and gives the public key.
    private static func generate(
        _ publicSeed: UnsafeRawBufferPointer, noise: UnsafeRawBufferPointer, into secret: Polynomial
    ) -> PublicKey {
        let matrix = Polynomial.allocate(capacity: (rank + 1) * vectorCount)
        expand(publicSeed, into: matrix)
        for index in 0..<rank {
            MLKEMRing.sampleNoise(noise, UInt8(index), into: secret + index * MLKEMRing.degree)
            MLKEMRing.transform(secret + index * MLKEMRing.degree)
        }
        var bytes = Bytes(repeating: 0, count: publicKeyCount)
        bytes.withUnsafeMutableBytes { bytes in
            let words = bytes.bindMemory(to: UInt8.self).baseAddress!
            for row in 0..<rank {
                let sum = matrix + rank * vectorCount + row * MLKEMRing.degree
                MLKEMRing.multiply(matrix + row * vectorCount, step: MLKEMRing.degree, secret, into: sum)
                MLKEMRing.toMontgomery(sum)
                addNoise(noise, UInt8(rank + row), transformed: true, to: sum)
                MLKEMRing.reduce(sum)
                MLKEMRing.encode(sum, into: words + row * 384)
            }
            mutable(bytes, vectorBytes..<publicKeyCount).copyMemory(from: publicSeed)
        }
        return PublicKey(bytes, adopting: matrix)
    }

    private static func addNoise(
        _ seed: UnsafeRawBufferPointer, _ index: UInt8, transformed: Bool = false, to sum: Polynomial
    ) {
        withWiped(2 * MLKEMRing.degree) { scratch in
            let noise = scratch.bindMemory(to: Int16.self).baseAddress!
            MLKEMRing.sampleNoise(seed, index, into: noise)
            if transformed { MLKEMRing.transform(noise) }
            MLKEMRing.add(noise, to: sum)
        }
    }

    /// K-PKE.Encrypt. `message` and `noise` are secret; the ciphertext is, until it is sent.
    private static func encrypt(
        _ message: UnsafePointer<UInt8>, noise: UnsafeRawBufferPointer, to key: PublicKey,
        into ciphertext: UnsafeMutablePointer<UInt8>
    ) {
        withWiped((vectorCount + 2 * MLKEMRing.degree) * 2) { scratch in
            let vector = scratch.bindMemory(to: Int16.self).baseAddress!
            let (sum, half) = (vector + vectorCount, vector + vectorCount + MLKEMRing.degree)
            for index in 0..<rank {
                MLKEMRing.sampleNoise(noise, UInt8(index), into: vector + index * MLKEMRing.degree)
                MLKEMRing.transform(vector + index * MLKEMRing.degree)
            }
            for column in 0..<rank {
                // The transposed matrix: down a column.
                MLKEMRing.multiply(key.matrix + column * MLKEMRing.degree, step: vectorCount, vector, into: sum)
                MLKEMRing.transformBack(sum)
                addNoise(noise, UInt8(rank + column), to: sum)
                MLKEMRing.encodeCompressed(sum, bits: 10, into: ciphertext + column * 320)
            }
            MLKEMRing.multiply(key.vector, step: MLKEMRing.degree, vector, into: sum)
            MLKEMRing.transformBack(sum)
            addNoise(noise, UInt8(2 * rank), to: sum)
            MLKEMRing.decodeMessage(message, into: half)
            MLKEMRing.add(half, to: sum)
            MLKEMRing.encodeCompressed(sum, bits: 4, into: ciphertext + rank * 320)
        }
    }

    /// K-PKE.Decrypt.
    private static func decrypt(
        _ ciphertext: UnsafePointer<UInt8>, with key: PrivateKey, into message: UnsafeMutablePointer<UInt8>
    ) {
        withWiped((vectorCount + 2 * MLKEMRing.degree) * 2) { scratch in
            let vector = scratch.bindMemory(to: Int16.self).baseAddress!
            let (product, sum) = (vector + vectorCount, vector + vectorCount + MLKEMRing.degree)
            for index in 0..<rank {
                MLKEMRing.decodeCompressed(ciphertext + index * 320, bits: 10, into: vector + index * MLKEMRing.degree)
                MLKEMRing.transform(vector + index * MLKEMRing.degree)
            }
            MLKEMRing.multiply(key.vector, step: MLKEMRing.degree, vector, into: product)
            MLKEMRing.transformBack(product)
            MLKEMRing.decodeCompressed(ciphertext + rank * 320, bits: 4, into: sum)
            MLKEMRing.subtract(product, from: sum)
            MLKEMRing.encodeMessage(product, into: message)
        }
    }

    // MARK: - The key encapsulation

    /// Encaps_internal: the ciphertext, and the shared key into `shared`.
    static func encapsulate(
        _ message: Secret, to key: PublicKey, into shared: UnsafeMutableRawBufferPointer
    ) -> Bytes {
        precondition(message.count == 32 && shared.count == 32, "a message and a shared key have 32 bytes each")
        return message.withExposedBytes { message in
            withWiped(64) { scratch in
                key.digest.withUnsafeBytes { Sponge.hash(.sha3Of512, message, $0, into: scratch) }
                shared.copyMemory(from: part(scratch, 0..<32))
                var ciphertext = Bytes(repeating: 0, count: ciphertextCount)
                ciphertext.withUnsafeMutableBufferPointer { ciphertext in
                    encrypt(
                        message.bindMemory(to: UInt8.self).baseAddress!, noise: part(scratch, 32..<64), to: key,
                        into: ciphertext.baseAddress!)
                }
                return ciphertext
            }
        }
    }

    /// Decaps_internal. A ciphertext that is not what encapsulation would have made gives a key that nobody knows; which
    /// of the two it is shows neither in the result nor in the time.
    static func decapsulate(_ ciphertext: Bytes, with key: PrivateKey, into shared: UnsafeMutableRawBufferPointer) {
        precondition(ciphertext.count == ciphertextCount && shared.count == 32, "the caller checks the lengths")
        // m', K' and r', K̄, c'.
        withWiped(32 + 64 + 32 + ciphertextCount) { scratch in
            let bytes = scratch.bindMemory(to: UInt8.self).baseAddress!
            let again = bytes + 128
            ciphertext.withUnsafeBufferPointer { decrypt($0.baseAddress!, with: key, into: bytes) }
            key.publicKey.digest.withUnsafeBytes {
                Sponge.hash(.sha3Of512, part(scratch, 0..<32), $0, into: mutable(scratch, 32..<96))
            }
            key.rejection.withExposedBytes { rejection in
                ciphertext.withUnsafeBytes {
                    Sponge.hash(.shake256, rejection, $0, into: mutable(scratch, 96..<128))
                }
            }
            encrypt(bytes, noise: part(scratch, 64..<96), to: key.publicKey, into: again)
            let differs = UInt8(truncatingIfNeeded: difference(again, ciphertext))
            for index in 0..<32 {
                let (accepted, rejected) = (bytes[32 &+ index], bytes[96 &+ index])
                shared[index] = accepted ^ (differs & (accepted ^ rejected))
            }
        }
    }

    /// All ones when they differ, else zero.
    private static func difference(_ made: UnsafePointer<UInt8>, _ given: Bytes) -> UInt32 {
        given.withUnsafeBufferPointer { given in
            var bits: UInt32 = 0
            for index in 0..<ciphertextCount { bits |= UInt32(made[index] ^ given[index]) }
            return 0 &- plexi_value_barrier((0 &- bits) &>> 31)
        }
    }

    // MARK: - Parts

    /// Â[i, j] = SampleNTT(ρ, j, i).
    private static func expand(_ seed: UnsafeRawBufferPointer, into matrix: Polynomial) {
        for row in 0..<rank {
            for column in 0..<rank {
                let entry = matrix + row * vectorCount + column * MLKEMRing.degree
                MLKEMRing.sampleUniform(seed, UInt8(column), UInt8(row), into: entry)
            }
        }
    }

    private static func sha3(_ bytes: Bytes) -> Bytes {
        Bytes(unsafeUninitializedCapacity: 32) { digest, count in
            bytes.withUnsafeBytes { Sponge.hash(.sha3Of256, $0, into: UnsafeMutableRawBufferPointer(digest)) }
            count = 32
        }
    }

    /// Scratch memory that is wiped.
    private static func withWiped<Result>(
        _ count: Int, _ body: (UnsafeMutableRawBufferPointer) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(byteCount: count, alignment: 32) { memory in
            defer { OPENSSL_cleanse(memory.baseAddress, memory.count) }
            return body(memory)
        }
    }

    private static func part(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    private static func part(_ bytes: UnsafeMutableRawBufferPointer, _ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    private static func mutable(
        _ bytes: UnsafeMutableRawBufferPointer, _ range: Range<Int>
    ) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: bytes[range])
    }
}
