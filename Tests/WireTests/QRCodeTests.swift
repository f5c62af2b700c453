import Base
import Glibc
import Testing

@testable import Wire

struct QRCodeTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let text: String
        let version: Int
        let mask: Int
        let rows: [String]
        var testDescription: String { "version \(version), mask \(mask), \(text.count) bytes" }
    }

    /// Made by another maker of codes; see Tests/Vectors/qr/SOURCE.txt.
    static let vectors: [Vector] = {
        let list = try? JSONValue(parsing: VectorFolder("qr").bytes(of: "codes.json")).arrayValue
        return (list ?? []).map {
            Vector(
                text: $0["text"]?.stringValue ?? "", version: Int($0["version"]?.integerValue ?? 0),
                mask: Int($0["mask"]?.integerValue ?? 0),
                rows: ($0["rows"]?.arrayValue ?? []).compactMap(\.stringValue))
        }
    }()

    private func dots(_ code: QRCode) -> [String] {
        (0..<code.size).map { row in (0..<code.size).map { code[row, $0] ? "1" : "0" }.joined() }
    }

    private func dots(_ vector: Vector) -> [String] {
        vector.rows.map { row in
            let bits = row.flatMap { digit -> String in
                let bits = String(Int(String(digit), radix: 16) ?? 0, radix: 2)
                return String(repeating: "0", count: 4 - bits.count) + bits
            }
            let size = vector.version * 4 + 17
            return String((Array(repeating: "0", count: size) + bits).suffix(size))
        }
    }

    @Test func `the vectors are there`() { #expect(Self.vectors.count == 38) }

    @Test(arguments: vectors) func `another maker draws the same modules`(_ vector: Vector) throws {
        let code = try #require(QRCode(Bytes(vector.text.utf8), mask: vector.mask))
        #expect(dots(code) == dots(vector))
    }

    @Test func `what is too long has no code`() {
        #expect(QRCode(Bytes(repeating: 0x61, count: QRCode.longest)) != nil)
        #expect(QRCode(Bytes(repeating: 0x61, count: QRCode.longest + 1)) == nil)
        #expect(QRCode("") != nil)
    }

    @Test func `the drawing has a border and every dark module`() throws {
        let code = try #require(QRCode("hello"))
        #expect(code.svg.hasPrefix("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 29 29\""))
        #expect(code.svg.contains("M4 4h7v1H4z"))
        #expect(!code[-1, 0])
        #expect(!code[0, code.size])
    }

    @Test(.enabled(if: access("/usr/bin/zbarimg", X_OK) == 0), arguments: [1, 14, 85, 160, 412])
    func `a reader reads the text back`(_ count: Int) throws {
        let text = String(String(repeating: "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP&", count: 11).prefix(count))
        let code = try #require(QRCode(text))
        let path = "/tmp/plexi-qr-\(getpid())-\(count).pgm"
        try write(code, to: path)
        defer { unlink(path) }
        let pipe = try #require(popen("zbarimg --quiet --raw \(path) 2>/dev/null", "r"))
        defer { pclose(pipe) }
        var output = [UInt8](repeating: 0, count: 1_024)
        let read = fread(&output, 1, output.count, pipe)
        #expect(String(decoding: output[..<read], as: UTF8.self) == text + "\n")
    }

    /// A grey picture of four pixels per module.
    private func write(_ code: QRCode, to path: String) throws {
        let scale = 4
        let side = (code.size + 2 * QRCode.border) * scale
        var image = Bytes("P5 \(side) \(side) 255\n".utf8)
        for y in 0..<side {
            for x in 0..<side {
                image.append(code[y / scale - QRCode.border, x / scale - QRCode.border] ? 0 : 255)
            }
        }
        let file = try #require(fopen(path, "wb"))
        fwrite(image, 1, image.count, file)
        fclose(file)
    }
}
