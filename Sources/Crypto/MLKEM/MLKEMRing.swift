// Arithmetic of ML-KEM (FIPS 203 §4.3): polynomials of 256 coefficients modulo q = 3329 and x^256 + 1.
//
// Coefficients are signed, in Montgomery's way with R = 2^16: `product(a, b)` is a·b/R mod q, so constants carry a
// factor of R. Coefficients may be secret: nothing here branches on one, addresses by one, or divides one; overflow
// cannot happen within the ranges given, and `&+` keeps the compiler from looking for it. The forms are chosen so that
// the loops become vector code (a product is two high halves and one low half of 16 bits).

/// 256 coefficients in memory that someone else owns.
typealias Polynomial = UnsafeMutablePointer<Int16>

enum MLKEMRing {
    static let degree = 256
    static let modulus: Int16 = 3329
    /// q⁻¹ mod 2^16.
    private static let inverseOfModulus: Int16 = -3327
    /// R² mod q: a product with it puts a factor of R in.
    private static let squareOfR: Int16 = 1353
    /// R²/128 mod q: what is left to do after the inverse transform of a product.
    private static let afterInverse: Int16 = 1441

    /// ζ^BitRev7(i)·R mod q for ζ = 17, between -q/2 and q/2, each followed in the other table by itself times q⁻¹.
    private static let roots: InlineArray<128, Int16> = tables().roots
    private static let quotients: InlineArray<128, Int16> = tables().quotients

    private static func tables() -> (roots: InlineArray<128, Int16>, quotients: InlineArray<128, Int16>) {
        var roots = InlineArray<128, Int16>(repeating: 0)
        var quotients = roots
        var power: Int32 = 65_536 % 3329
        for exponent in UInt8(0)..<128 {
            let centred = Int16(power > 1664 ? power - 3329 : power)
            let index = Int(reversed(exponent))
            roots[index] = centred
            quotients[index] = centred &* inverseOfModulus
            power = power * 17 % 3329
        }
        return (roots, quotients)
    }

    /// The seven low bits in the other order.
    private static func reversed(_ value: UInt8) -> UInt8 {
        (0..<7).reduce(0) { $0 | (value >> UInt8($1) & 1) << UInt8(6 - $1) }
    }

    // MARK: - Coefficients

    /// a·b/R mod q, between -q and q, for |a·b| < 2^15·q. `quotient` is b·q⁻¹ mod 2^16.
    @inline(__always)
    private static func product(_ a: Int16, _ b: Int16, _ quotient: Int16) -> Int16 {
        highHalf(a, b) &- highHalf(a &* quotient, modulus)
    }

    @inline(__always)
    private static func highHalf(_ a: Int16, _ b: Int16) -> Int16 {
        Int16(truncatingIfNeeded: (Int32(a) &* Int32(b)) &>> 16)
    }

    /// a/R mod q, between -q and q, for |a| < 2^15·q.
    @inline(__always)
    private static func montgomery(_ a: Int32) -> Int16 {
        let low = Int16(truncatingIfNeeded: a) &* inverseOfModulus
        return Int16(truncatingIfNeeded: (a &- Int32(low) &* Int32(modulus)) &>> 16)
    }

    /// a mod q, between -q/2 and q/2 (Barrett: 20159 is 2^26/q, rounded).
    @inline(__always)
    private static func reduced(_ a: Int16) -> Int16 {
        let quotient = Int16(truncatingIfNeeded: (Int32(a) &* 20_159 &+ (1 &<< 25)) &>> 26)
        return a &- quotient &* modulus
    }

    /// a mod q, from 0 up to q.
    @inline(__always)
    static func canonical(_ a: Int16) -> UInt16 {
        let centred = reduced(a)
        return UInt16(bitPattern: centred &+ (centred &>> 15 & modulus))
    }

    // MARK: - Polynomials

    static func add(_ a: Polynomial, to sum: Polynomial) {
        for index in 0..<degree { sum[index] = sum[index] &+ a[index] }
    }

    /// `from` − `a`, in place of `a`.
    static func subtract(_ a: Polynomial, from: Polynomial) {
        for index in 0..<degree { a[index] = from[index] &- a[index] }
    }

    static func reduce(_ a: Polynomial) {
        for index in 0..<degree { a[index] = reduced(a[index]) }
    }

    /// Puts in a factor of R.
    static func toMontgomery(_ a: Polynomial) {
        scale(a, by: squareOfR)
    }

    private static func scale(_ a: Polynomial, by factor: Int16) {
        let quotient = factor &* inverseOfModulus
        for index in 0..<degree { a[index] = product(a[index], factor, quotient) }
    }

    /// Algorithm 9, in place. Coefficients go in between -q and q and come out between -q/2 and q/2.
    static func transform(_ a: Polynomial) {
        var next = 1
        var length = 128
        while length >= 2 {
            for start in stride(from: 0, to: degree, by: 2 &* length) {
                let (root, quotient) = (roots[next], quotients[next])
                next &+= 1
                let (low, high) = (a + start, a + start + length)
                for index in 0..<length {
                    let turned = product(high[index], root, quotient)
                    high[index] = low[index] &- turned
                    low[index] = low[index] &+ turned
                }
            }
            length &>>= 1
        }
        reduce(a)
    }

    /// Algorithm 10, in place, with a factor of R: it takes away what `multiply` leaves.
    static func transformBack(_ a: Polynomial) {
        var next = 127
        var length = 2
        while length <= 128 {
            for start in stride(from: 0, to: degree, by: 2 &* length) {
                let (root, quotient) = (roots[next], quotients[next])
                next &-= 1
                let (low, high) = (a + start, a + start + length)
                for index in 0..<length {
                    let (first, second) = (low[index], high[index])
                    low[index] = reduced(first &+ second)
                    high[index] = product(second &- first, root, quotient)
                }
            }
            length &<<= 1
        }
        scale(a, by: afterInverse)
    }

    /// The sum of three products of transformed polynomials (Algorithm 11), divided by R: `a` are three one `step`
    /// after the other, `b` three one after the other. One of each pair is below q, the other below q/2 in size.
    static func multiply(_ a: Polynomial, step: Int, _ b: Polynomial, into result: Polynomial) {
        for pair in 0..<degree / 2 {
            var (even, odd, mixed): (Int32, Int32, Int32) = (0, 0, 0)
            for index in 0..<3 {
                let (x, y) = (a + (index &* step &+ 2 &* pair), b + (index &* degree &+ 2 &* pair))
                even &+= Int32(x[0]) &* Int32(y[0])
                odd &+= Int32(x[1]) &* Int32(y[1])
                mixed &+= Int32(x[0]) &* Int32(y[1]) &+ Int32(x[1]) &* Int32(y[0])
            }
            let root = Int32(roots[64 &+ pair &>> 1])
            let signed = pair & 1 == 0 ? root : 0 &- root
            result[2 &* pair] = montgomery(even &+ Int32(montgomery(odd)) &* signed)
            result[2 &* pair &+ 1] = montgomery(mixed)
        }
    }
}
