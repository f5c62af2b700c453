// Bits of a codec's headers, most significant first. Nothing here traps: what ends too early is `nil`, and stays so.

import Base

struct BitCursor {
    private let bytes: ArraySlice<UInt8>
    private var position = 0
    private(set) var isExhausted = false

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    /// Up to 32 bits; 0 beyond the end, which `isExhausted` tells. Headers are checked once, when they are read.
    mutating func read(_ count: Int) -> Int {
        var value = 0
        for _ in 0..<count {
            let index = bytes.startIndex &+ position >> 3
            guard index < bytes.endIndex else {
                isExhausted = true
                return 0
            }
            value = value << 1 | Int(bytes[index] >> UInt8(7 &- position & 7) & 1)
            position &+= 1
        }
        return value
    }

    mutating func flag() -> Bool { read(1) == 1 }

    mutating func skip(_ count: Int) {
        position &+= count
        if position > bytes.count &* 8 { isExhausted = true }
    }

    /// ue(v) of H.264 and H.265. More than 31 leading zeros are of no value that occurs.
    mutating func exponential() -> Int {
        var zeros = 0
        while !isExhausted, !flag() {
            zeros += 1
            guard zeros < 32 else {
                isExhausted = true
                return 0
            }
        }
        return (1 << zeros) - 1 + read(zeros)
    }

    /// se(v).
    mutating func signedExponential() -> Int {
        let value = exponential()
        return value & 1 == 1 ? (value + 1) / 2 : -(value / 2)
    }

    /// uvlc() of AV1, which is ue(v) with another name and 32 zeros for the largest value.
    mutating func variable() -> Int { exponential() }
}

extension ArraySlice<UInt8> {
    /// The payload of a NAL unit: 00 00 03 stands for 00 00.
    func withoutEmulationPrevention(max: Int) -> Bytes {
        var result: Bytes = []
        var zeros = 0
        for byte in self.prefix(max) {
            if zeros >= 2 && byte == 3 {
                zeros = 0
                continue
            }
            zeros = byte == 0 ? zeros + 1 : 0
            result.append(byte)
        }
        return result
    }
}
