// Polynomials as bytes (FIPS 203 §4.2.1), compressed or not, and polynomials from randomness (§4.2.2).

import COpenSSL
import CShims

extension MLKEMRing {
    // MARK: - Bytes

    /// Four coefficients of `bits` bits are a whole number of bytes for the widths in use: 4, 10 and 12.
    @inline(__always)
    private static func pack(_ bits: Int, into bytes: UnsafeMutablePointer<UInt8>, _ value: (Int) -> UInt64) {
        let count = bits / 2
        for group in 0..<degree / 4 {
            var word: UInt64 = 0
            for index in 0..<4 { word |= value(4 &* group &+ index) &<< UInt64(truncatingIfNeeded: bits &* index) }
            for index in 0..<count {
                bytes[group &* count &+ index] = UInt8(truncatingIfNeeded: word &>> UInt64(8 &* index))
            }
        }
    }

    @inline(__always)
    private static func unpack(_ bits: Int, _ bytes: UnsafePointer<UInt8>, _ take: (Int, UInt32) -> Void) {
        let count = bits / 2
        for group in 0..<degree / 4 {
            var word: UInt64 = 0
            for index in 0..<count { word |= UInt64(bytes[group &* count &+ index]) &<< UInt64(8 &* index) }
            for index in 0..<4 {
                let value = word &>> UInt64(truncatingIfNeeded: bits &* index) & (1 &<< UInt64(bits) &- 1)
                take(4 &* group &+ index, UInt32(truncatingIfNeeded: value))
            }
        }
    }

    /// ByteEncode₁₂.
    static func encode(_ a: Polynomial, into bytes: UnsafeMutablePointer<UInt8>) {
        pack(12, into: bytes) { UInt64(canonical(a[$0])) }
    }

    /// ByteDecode₁₂. What is q or more is taken modulo q, as the standard has it for private keys.
    static func decode(_ bytes: UnsafePointer<UInt8>, into a: Polynomial) {
        unpack(12, bytes) { a[$0] = Int16(truncatingIfNeeded: canonical(Int16(truncatingIfNeeded: $1))) }
    }

    /// Whether all coefficients of a public key are below q: the check of §7.2.
    static func isCanonical(_ bytes: UnsafePointer<UInt8>) -> Bool {
        var fits = true
        unpack(12, bytes) { if $1 >= UInt32(modulus) { fits = false } }
        return fits
    }

    static func encodeCompressed(_ a: Polynomial, bits: Int, into bytes: UnsafeMutablePointer<UInt8>) {
        if bits == 10 {
            pack(10, into: bytes) { compressed(canonical(a[$0]), 10) }
        } else {
            pack(4, into: bytes) { compressed(canonical(a[$0]), 4) }
        }
    }

    static func decodeCompressed(_ bytes: UnsafePointer<UInt8>, bits: Int, into a: Polynomial) {
        if bits == 10 {
            unpack(10, bytes) { a[$0] = decompressed($1, 10) }
        } else {
            unpack(4, bytes) { a[$0] = decompressed($1, 4) }
        }
    }

    /// Compress of §4.2.1, round(2^bits/q · value) mod 2^bits. The division is a product with 2^36/q, rounded up, which
    /// is exact for all values there are: the time a division takes depends on what is divided.
    @inline(__always)
    static func compressed(_ value: UInt16, _ bits: UInt64) -> UInt64 {
        let dividend = UInt64(value) &<< bits &+ UInt64(modulus / 2)
        return (dividend &* 20_642_679) &>> 36 & (1 &<< bits &- 1)
    }

    @inline(__always)
    private static func decompressed(_ value: UInt32, _ bits: UInt32) -> Int16 {
        Int16(truncatingIfNeeded: (value &* UInt32(modulus) &+ 1 &<< (bits &- 1)) &>> bits)
    }

    /// A message of 32 bytes: a bit is 0 or (q+1)/2.
    static func decodeMessage(_ bytes: UnsafePointer<UInt8>, into a: Polynomial) {
        for index in 0..<degree {
            let bit = UInt32(bytes[index &>> 3] &>> UInt8(truncatingIfNeeded: index & 7) & 1)
            // The barrier hides that there are two values only: compilers have made a branch of this.
            a[index] = Int16(truncatingIfNeeded: (0 &- plexi_value_barrier(bit)) & UInt32((modulus &+ 1) / 2))
        }
    }

    static func encodeMessage(_ a: Polynomial, into bytes: UnsafeMutablePointer<UInt8>) {
        for byte in 0..<degree / 8 {
            var value: UInt8 = 0
            for bit in 0..<8 {
                let set = UInt8(truncatingIfNeeded: compressed(canonical(a[8 &* byte &+ bit]), 1))
                value |= set &<< UInt8(truncatingIfNeeded: bit)
            }
            bytes[byte] = value
        }
    }

    // MARK: - Randomness

    /// SampleNTT (Algorithm 7) of a public seed and two indices: uniform, already transformed. Rejection takes as long
    /// as it takes, and may, for all of it is public.
    static func sampleUniform(_ seed: UnsafeRawBufferPointer, _ first: UInt8, _ second: UInt8, into a: Polynomial) {
        let rate = Sponge.Function.shake128.rate
        Sponge.with(.shake128) { sponge in
            sponge.absorb(seed)
            sponge.absorb(first)
            sponge.absorb(second)
            withUnsafeTemporaryAllocation(byteCount: rate, alignment: 8) { block in
                var count = 0
                while count < degree {
                    sponge.squeeze(into: block)
                    count = accept(block, after: count, into: a)
                }
            }
        }
    }

    /// Two candidates of 12 bits in three bytes.
    private static func accept(_ block: UnsafeMutableRawBufferPointer, after count: Int, into a: Polynomial) -> Int {
        var count = count
        var offset = 0
        while offset < block.count, count < degree {
            let (b0, b1, b2) = (UInt16(block[offset]), UInt16(block[offset &+ 1]), UInt16(block[offset &+ 2]))
            let (low, high) = (b0 | (b1 & 15) &<< 8, b1 &>> 4 | b2 &<< 4)
            if low < UInt16(modulus) {
                a[count] = Int16(low)
                count &+= 1
            }
            if high < UInt16(modulus), count < degree {
                a[count] = Int16(high)
                count &+= 1
            }
            offset &+= 3
        }
        return count
    }

    /// SamplePolyCBD with η = 2 (Algorithm 8) of PRF(seed, index): the difference of two bits each. The seed is secret.
    static func sampleNoise(_ seed: UnsafeRawBufferPointer, _ index: UInt8, into a: Polynomial) {
        Sponge.with(.shake256) { sponge in
            sponge.absorb(seed)
            sponge.absorb(index)
            withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { bytes in
                defer { OPENSSL_cleanse(bytes.baseAddress, bytes.count) }
                sponge.squeeze(into: bytes)
                for word in 0..<32 {
                    let bits = bytes.load(fromByteOffset: 4 &* word, as: UInt32.self)
                    let sums = (bits & 0x5555_5555) &+ (bits &>> 1 & 0x5555_5555)
                    for nibble in 0..<8 {
                        let pair = sums &>> UInt32(4 &* nibble)
                        a[8 &* word &+ nibble] = Int16(pair & 3) &- Int16(pair &>> 2 & 3)
                    }
                }
            }
        }
    }
}
