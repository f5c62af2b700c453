// Keccak-f[1600] and its sponge (FIPS 202): the SHA3 and SHAKE functions of ML-KEM and X-Wing.
//
// Our own, because ML-KEM draws from SHAKE128 until it has enough, which EVP cannot do before OpenSSL 3.3, and because it
// hashes twenty short inputs: each costs EVP 0.4 µs before its first permutation, as much as a permutation takes there
// and here. The state lives in memory that the caller lends and is wiped after use. Only counts, which are public, decide
// about branches and addresses. Lanes are little-endian in memory as the standard has them, which every machine that Swift
// runs on does by itself.

import COpenSSL

enum Keccak {
    static let laneCount = 25

    private static let roundConstants: InlineArray<24, UInt64> = [
        0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808A, 0x8000_0000_8000_8000,
        0x0000_0000_0000_808B, 0x0000_0000_8000_0001, 0x8000_0000_8000_8081, 0x8000_0000_0000_8009,
        0x0000_0000_0000_008A, 0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000A,
        0x0000_0000_8000_808B, 0x8000_0000_0000_008B, 0x8000_0000_0000_8089, 0x8000_0000_0000_8003,
        0x8000_0000_0000_8002, 0x8000_0000_0000_0080, 0x0000_0000_0000_800A, 0x8000_0000_8000_000A,
        0x8000_0000_8000_8081, 0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
    ]

    /// `spare` has room for another state. Rounds go to and fro between the two, so that nothing has to stay in
    /// registers over a round: there are 25 lanes, and 16 registers.
    static func permute(_ state: UnsafeMutablePointer<UInt64>, _ spare: UnsafeMutablePointer<UInt64>) {
        for index in stride(from: 0, to: 24, by: 2) {
            round(state, to: spare, roundConstants[index])
            round(spare, to: state, roundConstants[index &+ 1])
        }
    }

    /// θ, ρ, π, χ, ι. Lane (x, y) is at x + 5y; each line of five makes a row of the result.
    @inline(__always)
    private static func round(
        _ a: UnsafeMutablePointer<UInt64>, to e: UnsafeMutablePointer<UInt64>, _ constant: UInt64
    ) {
        let c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20]
        let c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21]
        let c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22]
        let c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23]
        let c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24]
        let d0 = c4 ^ rotated(c1, 1)
        let d1 = c0 ^ rotated(c2, 1)
        let d2 = c1 ^ rotated(c3, 1)
        let d3 = c2 ^ rotated(c4, 1)
        let d4 = c3 ^ rotated(c0, 1)
        row(
            e, a[0] ^ d0, rotated(a[6] ^ d1, 44), rotated(a[12] ^ d2, 43), rotated(a[18] ^ d3, 21),
            rotated(a[24] ^ d4, 14))
        e[0] ^= constant
        row(
            e + 5, rotated(a[3] ^ d3, 28), rotated(a[9] ^ d4, 20), rotated(a[10] ^ d0, 3), rotated(a[16] ^ d1, 45),
            rotated(a[22] ^ d2, 61))
        row(
            e + 10, rotated(a[1] ^ d1, 1), rotated(a[7] ^ d2, 6), rotated(a[13] ^ d3, 25), rotated(a[19] ^ d4, 8),
            rotated(a[20] ^ d0, 18))
        row(
            e + 15, rotated(a[4] ^ d4, 27), rotated(a[5] ^ d0, 36), rotated(a[11] ^ d1, 10), rotated(a[17] ^ d2, 15),
            rotated(a[23] ^ d3, 56))
        row(
            e + 20, rotated(a[2] ^ d2, 62), rotated(a[8] ^ d3, 55), rotated(a[14] ^ d4, 39), rotated(a[15] ^ d0, 41),
            rotated(a[21] ^ d1, 2))
    }

    /// χ of one row.
    @inline(__always)
    private static func row(
        _ e: UnsafeMutablePointer<UInt64>, _ b0: UInt64, _ b1: UInt64, _ b2: UInt64, _ b3: UInt64, _ b4: UInt64
    ) {
        e[0] = b0 ^ (~b1 & b2)
        e[1] = b1 ^ (~b2 & b3)
        e[2] = b2 ^ (~b3 & b4)
        e[3] = b3 ^ (~b4 & b0)
        e[4] = b4 ^ (~b0 & b1)
    }

    @inline(__always)
    private static func rotated(_ lane: UInt64, _ count: UInt64) -> UInt64 { lane &<< count | lane &>> (64 &- count) }
}

/// One input of any number of pieces, then one output of any number of pieces.
struct Sponge: ~Copyable {
    struct Function {
        /// Bytes that a permutation takes in or gives out.
        let rate: Int
        /// The bits that tell SHA3 from SHAKE, and the first bit of the padding.
        let suffix: UInt8

        static let sha3Of256 = Function(rate: 136, suffix: 0x06)
        static let sha3Of512 = Function(rate: 72, suffix: 0x06)
        static let shake128 = Function(rate: 168, suffix: 0x1F)
        static let shake256 = Function(rate: 136, suffix: 0x1F)
    }

    private let function: Function
    private let lanes: UnsafeMutablePointer<UInt64>
    /// Bytes of the current block that are taken in or given out.
    private var position = 0
    private var isSqueezing = false

    private static let wordCount = 2 * Keccak.laneCount

    /// Lends memory for a sponge, and wipes it.
    static func with<Result>(_ function: Function, _ body: (inout Sponge) -> Result) -> Result {
        withUnsafeTemporaryAllocation(of: UInt64.self, capacity: wordCount) { words in
            words.initialize(repeating: 0)
            var sponge = Sponge(function: function, lanes: words.baseAddress!)
            defer { OPENSSL_cleanse(words.baseAddress, words.count * 8) }
            return body(&sponge)
        }
    }

    /// A hash or a short output of two pieces; an empty second piece is none.
    static func hash(
        _ function: Function, _ first: UnsafeRawBufferPointer,
        _ second: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0),
        into output: UnsafeMutableRawBufferPointer
    ) {
        with(function) { sponge in
            sponge.absorb(first)
            sponge.absorb(second)
            sponge.squeeze(into: output)
        }
    }

    private init(function: Function, lanes: UnsafeMutablePointer<UInt64>) {
        self.function = function
        self.lanes = lanes
    }

    /// For another input, in the same memory.
    mutating func reset() {
        lanes.update(repeating: 0, count: Keccak.laneCount)
        position = 0
        isSqueezing = false
    }

    mutating func absorb(_ input: UnsafeRawBufferPointer) {
        precondition(!isSqueezing, "a sponge that gives takes no more")
        var offset = 0
        while offset < input.count {
            if position & 7 == 0, input.count &- offset >= 8 {
                lanes[position &>> 3] ^= input.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                position &+= 8
                offset &+= 8
            } else {
                mix(input[offset], at: position)
                position &+= 1
                offset &+= 1
            }
            if position == function.rate { permute() }
        }
    }

    mutating func absorb(_ byte: UInt8) {
        withUnsafeBytes(of: byte) { absorb($0) }
    }

    mutating func squeeze(into output: UnsafeMutableRawBufferPointer) {
        if !isSqueezing { pad() }
        var offset = 0
        while offset < output.count {
            if position == function.rate { permute() }
            let count = min(function.rate &- position, output.count &- offset)
            UnsafeMutableRawBufferPointer(rebasing: output[offset..<offset + count])
                .copyMemory(from: UnsafeRawBufferPointer(start: UnsafeRawPointer(lanes) + position, count: count))
            position &+= count
            offset &+= count
        }
    }

    private mutating func pad() {
        mix(function.suffix, at: position)
        mix(0x80, at: function.rate &- 1)
        permute()
        isSqueezing = true
    }

    private func mix(_ byte: UInt8, at position: Int) {
        let bytes = UnsafeMutableRawPointer(lanes)
        let value = bytes.load(fromByteOffset: position, as: UInt8.self) ^ byte
        bytes.storeBytes(of: value, toByteOffset: position, as: UInt8.self)
    }

    private mutating func permute() {
        Keccak.permute(lanes, lanes + Keccak.laneCount)
        position = 0
    }
}
