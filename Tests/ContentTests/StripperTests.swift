import Base
import CImages
import Testing

@testable import Content

@Suite struct StripperTests {
    private let secret = Bytes("52.5200 N 13.4050 E".utf8)

    private func has(_ bytes: Bytes, _ word: Bytes) -> Bool {
        bytes.indices.contains { bytes[$0...].starts(with: word) }
    }

    private func pixels(_ bytes: Bytes) throws -> Bytes {
        try Decoder.whole(bytes, ImageFacts(bytes, pixelsMax: 1_000_000)).pixels
    }

    private func strip(_ bytes: Bytes, _ format: ImageFormat) throws -> Bytes {
        let stripped = try Stripper.strip(bytes, format)
        #expect(!has(stripped, secret))
        #expect(!has(stripped, Bytes("Exif".utf8)))
        #expect(try Stripper.strip(stripped, format) == stripped)
        #expect(try pixels(stripped) == pixels(bytes))
        return stripped
    }

    @Test func `a JPEG keeps its coded pixels and nothing that tells of its maker`() throws {
        let plain = try Pictures.jpeg(Pictures.quarters(width: 40, height: 24))
        let metadata =
            Pictures.segment(0xE1, Bytes("Exif\0\0".utf8) + Pictures.exif(1) + secret)
            + Pictures.segment(0xE1, Bytes("http://ns.adobe.com/xap/1.0/\0".utf8) + secret)
            + Pictures.segment(0xED, Bytes("Photoshop 3.0\0".utf8) + secret) + Pictures.segment(0xFE, secret)
            + Pictures.segment(0xEB, secret) + [0xFF, 0xFF] + Pictures.segment(0xFE, secret).dropFirst()
        let input: Bytes = Bytes(plain[..<2]) + metadata + Bytes(plain[2...]) + secret + Bytes("PK\u{5}\u{6}".utf8)
        #expect(try strip(input, .jpeg) == plain)
    }

    @Test func `a small colour profile stays, a large one goes`() throws {
        let plain = try Pictures.jpeg(Pictures.quarters(width: 16, height: 16))
        for (count, stays) in [(500, true), (20_000, false)] {
            let profile = Bytes("ICC_PROFILE\0".utf8) + [1, 1] + Bytes(repeating: 7, count: count)
            let input: Bytes = Bytes(plain[..<2]) + Pictures.segment(0xE2, profile) + Bytes(plain[2...])
            #expect(try strip(input, .jpeg).count == plain.count + (stays ? count + 18 : 0))
        }
    }

    @Test func `a PNG keeps what its pixels need`() throws {
        let plain = try Encoder.png(Pictures.quarters(width: 40, height: 24, alpha: 9))
        let gamma = Pictures.chunk("gAMA", [0, 0, 0xB1, 0x8F])
        let metadata =
            Pictures.chunk("tEXt", Bytes("Comment\0".utf8) + secret) + Pictures.chunk("eXIf", Pictures.exif(1) + secret)
            + Pictures.chunk("tIME", [7, 0xEA, 1, 1, 1, 1, 1]) + Pictures.chunk("zzZz", secret)
        let (head, rest) = (Bytes(plain[..<33]), Bytes(plain[33...]))
        let input: Bytes = head + gamma + metadata + rest + secret
        let expected: Bytes = head + gamma + rest
        #expect(try strip(input, .png) == expected)
    }

    @Test func `a GIF keeps its pictures and their repetition`() throws {
        let indices = Bytes(repeating: 1, count: 64)
        let loop: Bytes = [0x21, 0xFF, 11] + Bytes("NETSCAPE2.0".utf8) + [3, 1, 0, 0, 0]
        let control: Bytes = [0x21, 0xF9, 4, 1, 10, 0, 3, 0]
        let comment: Bytes = [0x21, 0xFE, UInt8(secret.count)] + secret + [0]
        let program: Bytes = [0x21, 0xFF, 11] + Bytes("XMP DataXMP".utf8) + [UInt8(secret.count)] + secret + [0]
        let text: Bytes = [0x21, 0x01, 12] + Bytes(repeating: 1, count: 12) + [0]
        let frame = control + Pictures.gifImage(width: 8, height: 8, indices)
        let dirty = Pictures.gif(
            width: 8, height: 8, indices, blocks: loop + comment + control, more: program + control + text + frame)
        let clean = Pictures.gif(width: 8, height: 8, indices, blocks: loop + control, more: frame)
        #expect(try strip(dirty + secret, .gif) == clean)
        let blocks = try GIFBlocks(clean)
        #expect(blocks.isAnimated && blocks.hasTransparency)
    }

    @Test(.enabled(if: plexi_webp_load() == 1, "libwebp is not installed"))
    func `a WebP loses its metadata and the flags that tell of it`() throws {
        let plain = try Encoder.webP(Pictures.quarters(width: 40, height: 24), isLossless: false)
        func chunk(_ name: String, _ content: Bytes) -> Bytes {
            Bytes(name.utf8) + Pictures.little(content.count, 4) + content + (content.count % 2 == 1 ? [0] : [])
        }
        func file(_ body: Bytes) -> Bytes {
            Bytes("RIFF".utf8) + Pictures.little(body.count + 4, 4) + Bytes("WEBP".utf8) + body
        }
        func head(_ flags: UInt8) -> Bytes {
            chunk("VP8X", [flags, 0, 0, 0] + Pictures.little(39, 3) + Pictures.little(23, 3))
        }
        let picture = Bytes(plain.dropFirst(12))
        let dirty = file(
            head(0x2C) + chunk("ICCP", Bytes(repeating: 1, count: 9_000)) + picture + chunk("EXIF", secret)
                + chunk("XMP ", secret) + chunk("odd ", secret))
        #expect(try strip(dirty + secret, .webP) == file(head(0) + picture))
        #expect(try strip(plain, .webP) == plain)
    }

    @Test func `what ends too early is damaged`() throws {
        let images: [(Bytes, ImageFormat)] = try [
            (Pictures.jpeg(Pictures.quarters(width: 16, height: 16)), .jpeg),
            (Encoder.png(Pictures.quarters(width: 16, height: 16)), .png),
            (Pictures.gif(width: 8, height: 8, Bytes(repeating: 0, count: 64)), .gif),
        ]
        for (image, format) in images {
            for count in 13..<image.count {
                #expect(throws: ImageFailure.damaged) { try Stripper.strip(Bytes(image.prefix(count)), format) }
            }
        }
    }

    @Test func `EXIF of either byte order is read, and nonsense is upright`() {
        let little = Bytes("II*\0".utf8) + [8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, 8, 0, 0, 0]
        #expect(ExifOrientation.read(little[...]) == .threeQuarters)
        #expect(ExifOrientation.read(Pictures.exif(5)[...]) == .transposed)
        #expect(ExifOrientation.read(Pictures.exif(9)[...]) == .upright)
        for count in 0..<little.count { #expect(ExifOrientation.read(little[..<count]) == .upright || count > 17) }
    }
}
