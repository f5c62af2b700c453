// UTF-8 (RFC 3629): a check that can be fed piece by piece and says no at the first byte that cannot be right.

package import Base

/// Checks text that comes in pieces, as the frames of a WebSocket message do. A character may be cut anywhere.
///
/// Overlong forms, surrogates and values above U+10FFFF are refused (RFC 3629 §4). After the first byte of a
/// character only the *second* has a narrower range than 80…BF; these two bounds are the whole state, with the number
/// of bytes that are still to come.
package struct UTF8Validator: Sendable {
    private var missing: UInt8 = 0
    private var lowest: UInt8 = 0x80
    private var highest: UInt8 = 0xBF

    package init() {}

    /// True where the text may end: not within a character.
    package var isComplete: Bool { missing == 0 }

    /// False as soon as no continuation could make the text valid; the validator is then spent.
    package mutating func accept(_ bytes: Span<UInt8>) -> Bool {
        var position = 0
        while position < bytes.count {
            if missing == 0 {
                position = bytes.endOfASCII(from: position)
                guard position < bytes.count else { return true }
                guard begin(with: bytes[position]) else { return false }
            } else {
                guard proceed(with: bytes[position]) else { return false }
            }
            position &+= 1
        }
        return true
    }

    /// Whether `bytes` are whole, valid text.
    package static func isValid(_ bytes: Bytes) -> Bool {
        var validator = UTF8Validator()
        return validator.accept(bytes.span) && validator.isComplete
    }

    private mutating func begin(with byte: UInt8) -> Bool {
        lowest = 0x80
        highest = 0xBF
        switch byte {
        case 0xC2...0xDF:
            missing = 1
        case 0xE0...0xEF:
            missing = 2
            if byte == 0xE0 { lowest = 0xA0 }
            if byte == 0xED { highest = 0x9F }
        case 0xF0...0xF4:
            missing = 3
            if byte == 0xF0 { lowest = 0x90 }
            if byte == 0xF4 { highest = 0x8F }
        default:
            return false
        }
        return true
    }

    private mutating func proceed(with byte: UInt8) -> Bool {
        guard byte >= lowest, byte <= highest else { return false }
        lowest = 0x80
        highest = 0xBF
        missing &-= 1
        return true
    }
}

extension Span<UInt8> {
    /// Eight bytes as a little-endian word: the first byte is the lowest. The caller has checked that they are there;
    /// the span checks again.
    func word(at offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The first position at or after `start` that holds a byte above 7F, or the end.
    fileprivate func endOfASCII(from start: Int) -> Int {
        var position = start
        while count &- position >= 8 {
            let high = word(at: position) & 0x8080_8080_8080_8080
            guard high == 0 else { return position &+ high.trailingZeroBitCount / 8 }
            position &+= 8
        }
        while position < count, self[position] < 0x80 { position &+= 1 }
        return position
    }
}
