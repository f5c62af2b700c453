// GF(2⁸) with the polynomial 0x11D: docs/formats/backup.md, "Names in a place".
//
// Nothing here is secret (it is ciphertext that is cut and summed), so tables are looked up by value.

import CShims

enum GaloisField {
    /// The way that this processor multiplies buffers; others, for tests that compare them.
    static let bestKernel = plexi_gf_best_kernel()

    private static let logarithms: (exp: [UInt8], log: [UInt8]) = {
        var exp = [UInt8](repeating: 0, count: 510)
        var log = [UInt8](repeating: 0, count: 256)
        var value = 1
        for power in 0..<255 {
            exp[power] = UInt8(value)
            exp[power + 255] = UInt8(value)
            log[value] = UInt8(power)
            value <<= 1
            if value & 0x100 != 0 { value ^= 0x11D }
        }
        return (exp, log)
    }()

    static func multiply(_ left: UInt8, _ right: UInt8) -> UInt8 {
        guard left != 0, right != 0 else { return 0 }
        return logarithms.exp[Int(logarithms.log[Int(left)]) + Int(logarithms.log[Int(right)])]
    }

    /// Zero has none: a mistake of the program.
    static func inverse(_ value: UInt8) -> UInt8 {
        precondition(value != 0, "zero has no inverse")
        return logarithms.exp[255 - Int(logarithms.log[Int(value)])]
    }

    /// target += source · coefficient, byte by byte.
    static func multiplyAdd(
        _ coefficient: UInt8, _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer,
        kernel: Int32 = bestKernel
    ) {
        precondition(source.count == target.count, "both have the same length")
        guard coefficient != 0, let from = source.baseAddress, let to = target.baseAddress else { return }
        var low: InlineArray<16, UInt8> = .init(repeating: 0)
        var high = low
        for nibble in 0..<16 {
            low[nibble] = multiply(coefficient, UInt8(nibble))
            high[nibble] = multiply(coefficient, UInt8(nibble) << 4)
        }
        let (lowSpan, highSpan) = (low.span, high.span)
        lowSpan.withUnsafeBufferPointer { low in
            highSpan.withUnsafeBufferPointer { high in
                plexi_gf_multiply_add(
                    to.assumingMemoryBound(to: UInt8.self), from.assumingMemoryBound(to: UInt8.self),
                    UInt(source.count), low.baseAddress, high.baseAddress, kernel)
            }
        }
    }
}
