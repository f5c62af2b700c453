import Base
import TestKit
import Testing

@testable import Backup

@Suite struct ErasureCodeTests {
    private static func bytes(_ count: Int, _ seed: UInt64 = 1) -> Bytes {
        var random = SplitMix(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    @Test func `multiplication is that of polynomials modulo 0x11D`() {
        func slow(_ left: UInt8, _ right: UInt8) -> UInt8 {
            var (product, factor) = (0, Int(left))
            for bit in 0..<8 {
                if right >> bit & 1 != 0 { product ^= factor }
                factor <<= 1
                if factor & 0x100 != 0 { factor ^= 0x11D }
            }
            return UInt8(product)
        }
        for left in UInt8.min...UInt8.max {
            for right in UInt8.min...UInt8.max {
                guard GaloisField.multiply(left, right) == slow(left, right) else {
                    Issue.record("\(left) times \(right)")
                    return
                }
            }
            if left != 0 { #expect(GaloisField.multiply(left, GaloisField.inverse(left)) == 1) }
        }
    }

    @Test func `every kernel of this processor gives what the table gives`() {
        for kernel in 0...GaloisField.bestKernel {
            for count in [0, 1, 15, 16, 17, 31, 32, 33, 1_000] {
                let source = Self.bytes(count)
                for coefficient in [UInt8(0), 1, 2, 0x1D, 0x8E, 0xFF] {
                    var target = Self.bytes(count, 2)
                    let expected = zip(source, target).map { GaloisField.multiply($0, coefficient) ^ $1 }
                    target.withUnsafeMutableBytes { target in
                        source.withUnsafeBytes {
                            GaloisField.multiplyAdd(coefficient, $0, into: target, kernel: kernel)
                        }
                    }
                    #expect(target == expected, "kernel \(kernel), \(count) bytes, times \(coefficient)")
                }
            }
        }
    }

    @Test(arguments: [(1, 2), (2, 1), (3, 2), (4, 3), (5, 0)])
    func `any k of k and m shares are enough, and one fewer are not`(_ data: Int, _ parity: Int) throws {
        let code = ErasureCode(try #require(Protection(data: data, parity: parity)))
        let object = Self.bytes(40_001)
        let shares = code.shares(of: object)
        #expect(shares.count == data + parity)
        for pattern in 0..<(1 << shares.count) {
            let kept = shares.indices.filter { pattern >> $0 & 1 != 0 }
            let found = code.object(
                of: object.count, from: Dictionary(uniqueKeysWithValues: kept.map { ($0, shares[$0]) }))
            #expect((found == object) == (kept.count >= data))
            if kept.count < data { #expect(found == nil) }
        }
    }

    @Test func `the widest code restores from parity alone`() throws {
        let code = ErasureCode(try #require(Protection(data: 16, parity: 16)))
        let object = Self.bytes(5_000)
        let shares = code.shares(of: object)
        let parity = Dictionary(uniqueKeysWithValues: (16..<32).map { ($0, shares[$0]) })
        #expect(code.object(of: object.count, from: parity) == object)
    }

    @Test func `a share of another length is no share`() throws {
        let code = ErasureCode(try #require(Protection(data: 2, parity: 1)))
        let shares = code.shares(of: Self.bytes(100))
        #expect(code.object(of: 100, from: [0: shares[0], 1: shares[1] + [0]]) == nil)
        #expect(code.object(of: 100, from: [0: shares[0], 7: shares[1]]) == nil)
    }

    @Test func `the parity of fixed bytes is what the page's formula gives`() throws {
        // k = 2, m = 1: the parity is d0 / (2 xor 0) + d1 / (2 xor 1); 1/2 = 0x8E, 1/3 = 0xF4.
        let code = ErasureCode(try #require(Protection(data: 2, parity: 1)))
        #expect(code.shares(of: [1, 0]) == [[1], [0], [0x8E]])
        #expect(code.shares(of: [0, 1]) == [[0], [1], [0xF4]])
        #expect(code.shares(of: [1, 1])[2] == [0x8E ^ 0xF4])
    }
}
