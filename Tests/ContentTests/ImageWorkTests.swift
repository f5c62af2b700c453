import Base
import CImages
import Testing

@testable import Content

/// The work of a worker, in this process.
@Suite struct ImageWorkTests {
    private func perform(
        _ operation: WorkerOperation, _ input: Bytes, box: ImageBox = ImageBox(width: 64, height: 64),
        pixelsMax: Int = 1_000_000
    ) throws(ImageFailure) -> (WorkerReply, Bytes) {
        try ImageWork.perform(
            WorkerRequest(
                operation: operation, box: box, byteCount: input.count, pixelsMax: pixelsMax, outputMax: 1 << 24), input
        )
    }

    private func decoded(_ bytes: Bytes) throws -> Picture {
        try Decoder.whole(bytes, ImageFacts(bytes, pixelsMax: 1_000_000))
    }

    /// The colours of the four corners.
    private func corners(_ picture: Picture) -> [String] {
        let names: [(String, Bytes)] = [
            ("red", [255, 0, 0]), ("green", [0, 255, 0]), ("blue", [0, 0, 255]), ("white", [255, 255, 255]),
        ]
        let places = [
            (1, 1), (picture.width - 2, 1), (1, picture.height - 2), (picture.width - 2, picture.height - 2),
        ]
        return places.map { place in
            let pixel = Pictures.pixel(picture, place.0, place.1).prefix(3)
            return names.first { Pictures.isNear(pixel, $0.1) }?.0 ?? "\(Array(pixel))"
        }
    }

    @Test func `a JPEG is told by its header`() throws {
        let (reply, payload) = try perform(.inspect, Pictures.jpeg(Pictures.quarters(width: 80, height: 48), exif: 6))
        #expect(payload.isEmpty)
        let info = try #require(reply.info(pixelsMax: 1_000_000))
        #expect(info.format == .jpeg)
        #expect(info.width == 48 && info.height == 80)
        #expect(info.orientation == 6)
        #expect(!info.hasAlpha && !info.isAnimated)
    }

    @Test(arguments: [
        (1, ["red", "green", "blue", "white"]), (2, ["green", "red", "white", "blue"]),
        (3, ["white", "blue", "green", "red"]), (4, ["blue", "white", "red", "green"]),
        (5, ["red", "blue", "green", "white"]), (6, ["blue", "red", "white", "green"]),
        (7, ["white", "green", "blue", "red"]), (8, ["green", "white", "red", "blue"]),
    ])
    func `thumbnails and sanitised images lie as EXIF says`(orientation: Int, expected: [String]) throws {
        let input = try Pictures.jpeg(Pictures.quarters(width: 80, height: 48), exif: orientation)
        let (reply, thumbnail) = try perform(.thumbnail, input, box: ImageBox(width: 40, height: 40))
        #expect(try corners(decoded(thumbnail)) == expected)
        #expect(orientation < 5 ? reply.width == 40 && reply.height == 24 : reply.width == 24 && reply.height == 40)
        let (_, sanitised) = try perform(.sanitize, input)
        #expect(try corners(decoded(sanitised)) == expected)
        #expect(try ImageFacts(sanitised, pixelsMax: 1_000_000).orientation == .upright)
    }

    @Test func `a PNG with transparency gets a PNG with transparency`() throws {
        let input = try Encoder.png(Pictures.quarters(width: 80, height: 80, alpha: 0))
        let (reply, thumbnail) = try perform(.thumbnail, input, box: ImageBox(width: 20, height: 20))
        #expect(reply.format == ImageFormat.png.rawValue)
        let picture = try decoded(thumbnail)
        #expect(Pictures.pixel(picture, 1, 1).last == 0)
        #expect(Pictures.pixel(picture, 18, 18).last == 255)
    }

    @Test func `an opaque PNG gets a JPEG, a small image keeps its size`() throws {
        let input = try Encoder.png(Pictures.quarters(width: 30, height: 20))
        let (reply, thumbnail) = try perform(.thumbnail, input)
        #expect(reply.format == ImageFormat.jpeg.rawValue)
        #expect(reply.width == 30 && reply.height == 20)
        #expect(try corners(decoded(thumbnail)) == ["red", "green", "blue", "white"])
    }

    @Test func `the first picture of a GIF becomes a thumbnail`() throws {
        let indices = (0..<(40 * 30)).map { UInt8($0 % 40 < 20 ? 1 : 2) }
        let input = Pictures.gif(width: 40, height: 30, indices)
        let (reply, thumbnail) = try perform(.thumbnail, input)
        #expect(reply.width == 40 && reply.height == 30)
        let picture = try decoded(thumbnail)
        #expect(Pictures.isNear(Pictures.pixel(picture, 2, 2), [255, 0, 0]))
        #expect(Pictures.isNear(Pictures.pixel(picture, 37, 27), [0, 255, 0]))
    }

    @Test(.enabled(if: plexi_webp_load() == 1, "libwebp is not installed"))
    func `a WebP is read, turned and written`() throws {
        let picture = Pictures.quarters(width: 80, height: 48)
        let plain = try Encoder.webP(picture, isLossless: true)
        let (reply, thumbnail) = try perform(.thumbnail, plain, box: ImageBox(width: 40, height: 40))
        #expect(reply.width == 40 && reply.height == 24)
        #expect(try corners(decoded(thumbnail)) == ["red", "green", "blue", "white"])
        let exif = Pictures.exif(6)
        let extended =
            Bytes("VP8X".utf8) + Pictures.little(10, 4) + [0x08, 0, 0, 0] + Pictures.little(79, 3)
            + Pictures.little(47, 3) + plain.dropFirst(12) + Bytes("EXIF".utf8) + Pictures.little(exif.count, 4) + exif
        let lying = Bytes("RIFF".utf8) + Pictures.little(extended.count + 4, 4) + Bytes("WEBP".utf8) + extended
        let (turned, sanitised) = try perform(.sanitize, lying)
        #expect(turned.width == 48 && turned.height == 80)
        #expect(try corners(decoded(sanitised)) == ["blue", "red", "white", "green"])
    }

    @Test func `averages are taken of light`() throws {
        // A fine chequerboard of black and white looks like byte 188, not 128.
        var board = Pictures.quarters(width: 64, height: 64)
        for y in 0..<64 {
            for x in 0..<64 {
                for part in 0..<3 { board.pixels[4 * (64 * y + x) + part] = (x + y) % 2 == 0 ? 255 : 0 }
            }
        }
        let (_, thumbnail) = try perform(.thumbnail, Encoder.png(board), box: ImageBox(width: 8, height: 8))
        #expect(Pictures.isNear(Pictures.pixel(try decoded(thumbnail), 4, 4), [188, 188, 188]))
    }

    @Test func `scaling by odd factors keeps the sum of light`() throws {
        for (width, height) in [(7, 5), (1, 1), (30, 3), (31, 29)] {
            let source = Pictures.quarters(width: 31, height: 29)
            var scaler = AreaScaler(sourceWidth: 31, sourceHeight: 29, width: width, height: height)
            source.pixels.withUnsafeBufferPointer { pixels in
                for y in 0..<29 { scaler.add(UnsafeBufferPointer(rebasing: pixels[(124 * y)..<(124 * y + 124)])) }
            }
            let small = try #require(scaler.finished())
            #expect(small.width == width && small.height == height)
            let light = { (picture: Picture) in
                stride(from: 0, to: picture.pixels.count, by: 4)
                    .reduce(Float(0)) { $0 + Brightness.light[Int(picture.pixels[$1])] }
                    / Float(picture.pixels.count / 4)
            }
            #expect(abs(light(small) - light(source)) < 0.02)
        }
    }

    @Test func `every byte comes back from light as itself`() {
        for byte in UInt8.min...UInt8.max { #expect(Brightness.byte(Brightness.light[Int(byte)]) == byte) }
    }

    @Test func `a picture that is too large to be turned is cleaned, and keeps the word of how it lies`() throws {
        let place = Pictures.segment(0xE1, Bytes("Exif\0\0".utf8) + Pictures.exif(6) + Bytes("52 N 13 E".utf8))
        let plain = try Pictures.jpeg(Pictures.quarters(width: 80, height: 48))
        var input = Bytes(plain.prefix(2)) + place + plain.dropFirst(2)
        // 12,000 by 9,000, as telephones make them: the header says so, and nobody decodes what is behind it.
        let frame = try #require(input.indices.first { input[$0] == 0xFF && input[$0 + 1] == 0xC0 })
        input.replaceSubrange((frame + 5)..<(frame + 9), with: [0x23, 0x28, 0x2E, 0xE0])
        #expect(throws: ImageFailure.tooManyPixels) { _ = try perform(.sanitize, input, pixelsMax: 50_000_000) }
        let (reply, clean) = try perform(.sanitize, input, pixelsMax: ImageWorkers.strippedPixelsMax)
        #expect(reply.width == 12_000 && reply.height == 9_000)
        #expect(clean.firstRange(of: Bytes("52 N".utf8)) == nil)
        #expect(try ImageFacts(clean, pixelsMax: ImageWorkers.strippedPixelsMax).orientation == .quarter)
        #expect(try Stripper.strip(clean, .jpeg) == Stripper.strip(input, .jpeg))
    }

    @Test func `a pixel bomb is refused by its header`() throws {
        // 65,535 by 65,535, in 60 bytes.
        let png =
            Bytes([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
            + Pictures.chunk("IHDR", Pictures.big(65_535) + Pictures.big(65_535) + [8, 6, 0, 0, 0])
            + Pictures.chunk("IDAT", [0x78, 0x9C, 3, 0, 0, 0, 0, 1]) + Pictures.chunk("IEND", [])
        let gif =
            Bytes("GIF89a".utf8) + [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0] + Pictures.gifImage(width: 1, height: 1, [0])
        for input in [png, gif + [0x3B]] {
            for operation in [WorkerOperation.inspect, .thumbnail, .sanitize] {
                #expect(throws: ImageFailure.tooManyPixels) {
                    _ = try perform(operation, input, pixelsMax: 50_000_000)
                }
            }
        }
    }

    @Test func `truncated images are damaged, wherever they end`() throws {
        let picture = Pictures.quarters(width: 40, height: 40)
        let images = try [
            Pictures.jpeg(picture), Encoder.png(picture),
            Pictures.gif(width: 40, height: 40, Bytes(repeating: 1, count: 1_600)),
        ]
        for image in images {
            for count in stride(from: 16, to: image.count - 1, by: 7) {
                let result = Result { try perform(.thumbnail, Bytes(image.prefix(count))) }
                guard case .failure(let error) = result else {
                    // Only the mark of the end is missing: all pixels are there.
                    #expect(count >= image.count - 16)
                    continue
                }
                #expect(error as? ImageFailure == .damaged)
            }
        }
    }

    @Test func `a JPEG of too many scans is damaged`() throws {
        #expect(try perform(.thumbnail, scans(10)).0.width == 8)
        #expect(throws: ImageFailure.damaged) { _ = try perform(.thumbnail, scans(500)) }
    }

    /// A progressive JPEG of 8 by 8 pixels whose every scan says that its coefficient is zero, over and over.
    private func scans(_ count: Int) -> Bytes {
        // One code, a single bit, for "nothing more".
        let oneCode: Bytes = [1] + Bytes(repeating: 0, count: 15) + [0]
        var image: Bytes = [0xFF, 0xD8]
        image += Pictures.segment(0xDB, [0] + Bytes(repeating: 1, count: 64))
        image += Pictures.segment(0xC2, [8, 0, 8, 0, 8, 1, 1, 0x11, 0])
        image += Pictures.segment(0xC4, [0x00] + oneCode + [0x10] + oneCode)
        for scan in 0..<count {
            let coefficient = UInt8(scan == 0 ? 0 : 1 + scan % 63)
            image += Pictures.segment(0xDA, [1, 1, 0, coefficient, coefficient, 0]) + [0x7F]
        }
        return image + [0xFF, 0xD9]
    }

    @Test func `what is no image is said to be none`() {
        for text in ["", "hello", "GIF", "<svg xmlns='http://www.w3.org/2000/svg'/>", "%PDF-1.7"] {
            #expect(throws: ImageFailure.notAnImage) { _ = try perform(.thumbnail, Bytes(text.utf8)) }
        }
    }
}
