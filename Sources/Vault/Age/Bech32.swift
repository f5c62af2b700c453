// Bech32 (BIP 173) without its limit of length: how age writes keys.

import Base
import CShims

enum Bech32 {
    private static let digits = Array("qpzry9x8gf2tvdw0s3jn54khce6mua7l".utf8)
    /// Twice as long as the longest key there is.
    static let longestText = 4_096
    private static let checksumCount = 6

    static func encode(_ prefix: String, _ data: UnsafeRawBufferPointer) -> Bytes {
        var values = regrouped(data)
        defer { wipe(&values) }
        let remainder = checksum(Bytes(prefix.utf8), values + Bytes(repeating: 0, count: checksumCount)) ^ 1
        for index in 0..<checksumCount {
            values.append(UInt8(truncatingIfNeeded: remainder >> UInt32(5 * (checksumCount - 1 - index)) & 31))
        }
        return Bytes(prefix.utf8) + [UInt8(ascii: "1")] + values.map { digits[Int($0)] }
    }

    /// The prefix in lower case, and the bytes. `nil` for anything but Bech32: mixed case, foreign characters, a
    /// checksum that does not fit, bits left over.
    static func decode(_ text: UnsafeRawBufferPointer) -> (prefix: String, data: Secret)? {
        guard text.count <= longestText, var lower = lowercased(text) else { return nil }
        defer { wipe(&lower) }
        guard let separator = lower.lastIndex(of: UInt8(ascii: "1")), separator > 0,
            lower.count - separator - 1 >= checksumCount
        else { return nil }
        var values = Bytes()
        defer { wipe(&values) }
        for character in lower[(separator + 1)...] {
            guard let value = digits.firstIndex(of: character) else { return nil }
            values.append(UInt8(value))
        }
        guard checksum(Bytes(lower[..<separator]), values) == 1 else { return nil }
        guard let data = bytes(of: values.dropLast(checksumCount)) else { return nil }
        return (String(decoding: lower[..<separator], as: UTF8.self), data)
    }

    /// `nil` when there are both cases, or anything but visible ASCII.
    private static func lowercased(_ text: UnsafeRawBufferPointer) -> Bytes? {
        var lower = Bytes()
        lower.reserveCapacity(text.count)
        var (hasLower, hasUpper) = (false, false)
        for character in text {
            guard (33...126).contains(character) else { return nil }
            let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(character)
            hasUpper = hasUpper || isUpper
            hasLower = hasLower || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(character)
            lower.append(isUpper ? character | 0x20 : character)
        }
        return hasLower && hasUpper ? nil : lower
    }

    private static func checksum(_ prefix: Bytes, _ values: Bytes) -> UInt32 {
        let generators: InlineArray<5, UInt32> = [0x3B6A_57B2, 0x2650_8E6D, 0x1EA1_19FA, 0x3D42_33DD, 0x2A14_62B3]
        var state: UInt32 = 1
        func mix(_ value: UInt8) {
            let top = state >> 25
            state = (state & 0x1FF_FFFF) << 5 ^ UInt32(value)
            for index in generators.indices where top >> UInt32(index) & 1 == 1 { state ^= generators[index] }
        }
        for character in prefix { mix(character >> 5) }
        mix(0)
        for character in prefix { mix(character & 31) }
        for value in values { mix(value) }
        return state
    }

    /// Groups of five bits, the last one filled up with zeros.
    private static func regrouped(_ data: UnsafeRawBufferPointer) -> Bytes {
        var values = Bytes()
        values.reserveCapacity(data.count * 8 / 5 + 8)
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for byte in data {
            bits = (bits << 8 | UInt32(byte)) & 0xFFF
            count += 8
            while count >= 5 {
                count -= 5
                values.append(UInt8(truncatingIfNeeded: bits >> count & 31))
            }
        }
        if count > 0 { values.append(UInt8(truncatingIfNeeded: bits << (5 - count) & 31)) }
        return values
    }

    /// `nil` when what is left over is a whole group, or not zero.
    private static func bytes(of values: ArraySlice<UInt8>) -> Secret? {
        var data = Bytes()
        data.reserveCapacity(values.count * 5 / 8 + 1)
        defer { wipe(&data) }
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for value in values {
            bits = (bits << 5 | UInt32(value)) & 0xFFF
            count += 5
            if count >= 8 {
                count -= 8
                data.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        guard count < 5, bits & (1 << count &- 1) == 0 else { return nil }
        return Secret(data)
    }

    private static func wipe(_ bytes: inout Bytes) {
        bytes.withUnsafeMutableBytes { plexi_zeroise($0.baseAddress, UInt($0.count)) }
    }
}
