// A page of Ogg (RFC 3533 §6).
//
//     "OggS" | version 0 | flags | granule position 8 | serial 4 | sequence 4 | CRC 4 | count | lengths | data
//
// All little-endian. Packets that end in the page are in it whole: what we write is small.

import Base

struct OggPage {
    static let segmentsMax = 255
    private static let checksumOffset = 22

    struct Flags: OptionSet {
        let rawValue: UInt8
        static let begins = Flags(rawValue: 2)
        static let ends = Flags(rawValue: 4)
    }

    private(set) var data: Bytes = []
    private var lengths: Bytes = []

    var isEmpty: Bool { lengths.isEmpty }

    func fits(_ packet: Bytes) -> Bool { lengths.count + packet.count / 255 + 1 <= Self.segmentsMax }

    mutating func add(_ packet: Bytes) {
        lengths += Bytes(repeating: 255, count: packet.count / 255)
        lengths.append(UInt8(packet.count % 255))
        data += packet
    }

    func bytes(_ flags: Flags, granule: Int64, serial: UInt32, sequence: UInt32) -> Bytes {
        var page = Bytes("OggS".utf8)
        page += [0, flags.rawValue]
        for shift in 0..<8 { page.append(UInt8(truncatingIfNeeded: granule >> Int64(8 * shift))) }
        for value in [serial, sequence, 0] {
            for shift in 0..<4 { page.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * shift))) }
        }
        page.append(UInt8(lengths.count))
        page += lengths
        page += data
        let checksum = Self.checksum(page)
        for shift in 0..<4 {
            page[Self.checksumOffset + shift] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * shift))
        }
        return page
    }

    /// Polynomial 0x04C11DB7, not reflected, from 0, not inverted; over the page with zeros in its place.
    static func checksum(_ bytes: Bytes) -> UInt32 {
        var value: UInt32 = 0
        for byte in bytes { value = value << 8 ^ table[Int(UInt8(truncatingIfNeeded: value >> 24) ^ byte)] }
        return value
    }

    private static let table: [UInt32] = (0..<256).map { index in
        var value = UInt32(index) << 24
        for _ in 0..<8 { value = value & 0x8000_0000 != 0 ? value << 1 ^ 0x04C1_1DB7 : value << 1 }
        return value
    }
}
