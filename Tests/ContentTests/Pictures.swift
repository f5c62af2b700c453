// Pictures for tests, made by the encoders and put together by hand where no encoder does such a thing.

import Base
import CImages

@testable import Content

enum Pictures {
    /// Red, green, blue and white quarters: every turn of it looks different.
    static func quarters(width: Int, height: Int, alpha: UInt8 = 255) -> Picture {
        var pixels: Bytes = []
        for y in 0..<height {
            for x in 0..<width {
                let isRight = 2 * x >= width
                let isLow = 2 * y >= height
                let colour: Bytes =
                    switch (isRight, isLow) {
                    case (false, false): [255, 0, 0]
                    case (true, false): [0, 255, 0]
                    case (false, true): [0, 0, 255]
                    case (true, true): [255, 255, 255]
                    }
                pixels += colour + [isRight ? 255 : alpha]
            }
        }
        return Picture(width: width, height: height, pixels: pixels)
    }

    static func jpeg(_ picture: Picture, exif orientation: Int? = nil, before: Bytes = []) throws -> Bytes {
        let plain = try Encoder.jpeg(picture, quality: 90, profile: nil)
        let metadata = orientation.map { segment(0xE1, Bytes("Exif\0\0".utf8) + exif($0)) } ?? []
        return Bytes(plain.prefix(2)) + metadata + before + plain.dropFirst(2)
    }

    static func segment(_ marker: UInt8, _ content: Bytes) -> Bytes {
        [0xFF, marker, UInt8((content.count + 2) >> 8), UInt8((content.count + 2) & 0xFF)] + content
    }

    /// A TIFF directory of one entry, big-endian.
    static func exif(_ orientation: Int) -> Bytes {
        Bytes("MM\0*".utf8) + [0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, UInt8(orientation), 0, 0, 0, 0, 0, 0]
    }

    static func chunk(_ name: String, _ content: Bytes) -> Bytes {
        let named = Bytes(name.utf8) + content
        return big(content.count) + named + big(Int(crc(named)))
    }

    static func big(_ value: Int) -> Bytes {
        [UInt8(value >> 24 & 0xFF), UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
    }

    static func little(_ value: Int, _ count: Int = 2) -> Bytes {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }

    private static func crc(_ bytes: Bytes) -> UInt32 {
        var sum: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 != 0 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
        }
        return ~sum
    }

    /// A GIF whose codes all have nine bits, cleared before they would grow.
    static func gif(width: Int, height: Int, _ indices: Bytes, blocks: Bytes = [], more: Bytes = []) -> Bytes {
        let colours: Bytes = [0, 0, 0, 255, 0, 0, 0, 255, 0, 255, 255, 255]
        return Bytes("GIF89a".utf8) + little(width) + little(height) + [0x81, 0, 0] + colours + blocks
            + gifImage(width: width, height: height, indices) + more + [0x3B]
    }

    static func gifImage(width: Int, height: Int, _ indices: Bytes) -> Bytes {
        var codes = [256]
        for (place, index) in indices.enumerated() {
            if place > 0, place % 200 == 0 { codes.append(256) }
            codes.append(Int(index))
        }
        codes.append(257)
        var packed: Bytes = []
        var (held, count) = (0, 0)
        for code in codes {
            held |= code << count
            count += 9
            while count >= 8 {
                packed.append(UInt8(held & 0xFF))
                held >>= 8
                count -= 8
            }
        }
        packed.append(UInt8(held & 0xFF))
        var pieces: Bytes = []
        for start in stride(from: 0, to: packed.count, by: 255) {
            let piece = packed[start..<min(start + 255, packed.count)]
            pieces += [UInt8(piece.count)] + piece
        }
        return [0x2C, 0, 0, 0, 0] + little(width) + little(height) + [0, 8] + pieces + [0]
    }

    /// A colour within what JPEG changes.
    static func isNear(_ pixel: ArraySlice<UInt8>, _ colour: Bytes) -> Bool {
        zip(pixel, colour).allSatisfy { abs(Int($0) - Int($1)) <= 24 }
    }

    static func pixel(_ picture: Picture, _ x: Int, _ y: Int) -> ArraySlice<UInt8> {
        let offset = 4 * (y * picture.width + x)
        return picture.pixels[offset..<(offset + 4)]
    }
}
