// EBML (RFC 8794) written into bytes, as far as Matroska needs it.

import Base
import Wire

enum EBML {
    /// A size that is not known yet, in eight bytes (§6.2): readers go on to the end of the file.
    static let unknownSize: UInt64 = 0x01FF_FFFF_FFFF_FFFF

    static func id(_ id: UInt32) -> Bytes {
        var bytes: Bytes = []
        let width = (32 - id.leadingZeroBitCount + 7) / 8
        for index in (0..<width).reversed() { bytes.append(UInt8(truncatingIfNeeded: id >> UInt32(8 * index))) }
        return bytes
    }

    /// In as few bytes as it takes; all ones mean an unknown size and are left out.
    static func size(_ count: Int) -> Bytes {
        var width = 1
        while width < 8, count >= 1 << (7 * width) - 1 { width += 1 }
        return size(count, width: width)
    }

    static func size(_ count: Int, width: Int) -> Bytes {
        let value = UInt64(count) | 1 << UInt64(7 * width)
        return (0..<width).reversed().map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
    }

    static func element(_ id: UInt32, _ body: Bytes) -> Bytes { self.id(id) + size(body.count) + body }

    static func unsigned(_ id: UInt32, _ value: UInt64) -> Bytes {
        let width = max(1, (64 - value.leadingZeroBitCount + 7) / 8)
        return element(id, (0..<width).reversed().map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) })
    }

    /// Eight bytes, whatever the value: for what is written over later.
    static func wideUnsigned(_ id: UInt32, _ value: UInt64) -> Bytes {
        var body: Bytes = []
        body.append(bigEndian: value)
        return element(id, body)
    }

    static func signed(_ id: UInt32, _ value: Int64) -> Bytes {
        var body: Bytes = []
        body.append(bigEndian: UInt64(bitPattern: value))
        return element(id, body)
    }

    static func float(_ id: UInt32, _ value: Double) -> Bytes {
        var body: Bytes = []
        body.append(bigEndian: value.bitPattern)
        return element(id, body)
    }

    static func text(_ id: UInt32, _ value: String) -> Bytes { element(id, Bytes(value.utf8)) }

    /// `count` bytes that readers pass over; at least two.
    static func void(_ count: Int) -> Bytes {
        // A size of one byte says up to 126; one of eight fits everything above.
        let width = count - 2 < 127 ? 1 : 8
        return [0xEC] + size(count - 1 - width, width: width) + Bytes(repeating: 0, count: count - 1 - width)
    }
}
