// Shamir's secret sharing over GF(2^8) with AES's polynomial: any k of n shares give the secret, k - 1 give nothing.
// Without tables and branches on secrets: a table's place in the cache tells what was looked up.

import Base
import CShims
import Crypto

enum Shamir {
    struct Share {
        /// Where the polynomials are evaluated; never zero, where the secret is.
        let x: UInt8
        let y: Secret
    }

    static func split(_ secret: Secret, needed: Int, of count: Int) -> [Share] {
        precondition((1...count).contains(needed) && count <= 255, "k of n shares, at most 255")
        // A polynomial for each byte: the secret is its constant, the other coefficients are random.
        let coefficients = (1..<needed).map { _ in SecureRandom.secret(secret.count) }
        return (1...count).map { x in
            let x = UInt8(x)
            return Share(
                x: x,
                y: collected(secret.count) { index in
                    // Horner's rule, from the highest coefficient.
                    var value: UInt8 = 0
                    for part in coefficients.reversed() { value = multiplied(value, x) ^ byte(part, index) }
                    return coefficients.isEmpty ? byte(secret, index) : multiplied(value, x) ^ byte(secret, index)
                })
        }
    }

    /// Of shares with different `x` and equal lengths. Too few, or foreign ones, give another secret: who knows what it
    /// should be compares.
    static func combine(_ shares: [Share]) -> Secret {
        let weights = shares.map { share in
            // Lagrange's weight at 0. Places are no secrets.
            shares.filter { $0.x != share.x }.reduce(UInt8(1)) { weight, other in
                multiplied(weight, multiplied(other.x, inverse(other.x ^ share.x)))
            }
        }
        return collected(shares.first?.y.count ?? 0) { index in
            var value: UInt8 = 0
            for (share, weight) in zip(shares, weights) { value ^= multiplied(byte(share.y, index), weight) }
            return value
        }
    }

    private static func byte(_ secret: Secret, _ index: Int) -> UInt8 { secret.withExposedBytes { $0[index] } }

    private static func collected(_ count: Int, _ byte: (Int) -> UInt8) -> Secret {
        var bytes = (0..<count).map(byte)
        defer { bytes.withUnsafeMutableBytes { plexi_zeroise($0.baseAddress, UInt($0.count)) } }
        return Secret(bytes)
    }

    static func multiplied(_ left: UInt8, _ right: UInt8) -> UInt8 {
        var (product, factor, rest): (UInt8, UInt8, UInt8) = (0, left, right)
        for _ in 0..<8 {
            product ^= factor & (0 &- (rest & 1))
            factor = factor << 1 ^ 0x1B & (0 &- (factor >> 7))
            rest >>= 1
        }
        return product
    }

    /// x^254.
    static func inverse(_ value: UInt8) -> UInt8 {
        var (result, power): (UInt8, UInt8) = (1, value)
        for _ in 0..<7 {
            power = multiplied(power, power)
            result = multiplied(result, power)
        }
        return result
    }
}
