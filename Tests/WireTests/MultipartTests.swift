import Base
import Testing

@testable import Wire

/// A part with its data put together again.
struct ReadPart: Equatable {
    var part: MultipartPart
    var data = Bytes()
    var isEnded = false
}

func readForm(
    _ bytes: Bytes, boundary: String, pieces size: Int, limits: MultipartLimits = MultipartLimits()
) -> Result<(parts: [ReadPart], isFinished: Bool), HTTPParseError> {
    guard var parser = MultipartParser(boundary: boundary, limits: limits) else { return .failure(.bad("boundary")) }
    var parts: [ReadPart] = []
    do throws(HTTPParseError) {
        for start in stride(from: 0, to: bytes.count, by: size) {
            let piece = Bytes(bytes[start..<min(bytes.count, start + size)])
            var position = 0
            loop: while true {
                switch try parser.next(piece.span, at: &position) {
                case .partBegan(let part): parts.append(ReadPart(part: part))
                case .data(let range): parts[parts.count - 1].data += piece[range]
                case .heldBack(let held): parts[parts.count - 1].data += held
                case .partEnded: parts[parts.count - 1].isEnded = true
                case .incomplete, .finished: break loop
                }
            }
        }
        return .success((parts, parser.isFinished))
    } catch {
        return .failure(error)
    }
}

@Suite struct MultipartTests {
    /// The same in any pieces, or the test fails.
    private func read(
        _ text: String, boundary: String = "B", limits: MultipartLimits = MultipartLimits(),
        sourceLocation: SourceLocation = #_sourceLocation
    ) -> Result<(parts: [ReadPart], isFinished: Bool), HTTPParseError> {
        let bytes = Bytes(text.utf8)
        let whole = readForm(bytes, boundary: boundary, pieces: max(bytes.count, 1), limits: limits)
        for size in 1..<9 {
            let other = readForm(bytes, boundary: boundary, pieces: size, limits: limits)
            #expect("\(other)" == "\(whole)", sourceLocation: sourceLocation)
        }
        return whole
    }

    @Test func `fields and files are told apart`() throws {
        let body = """
            --B\r
            Content-Disposition: form-data; name="title"\r
            \r
            Hello\r
            --B\r
            content-type: image/png\r
            X-Other: x\r
            Content-Disposition: form-data; name="file"; filename="../a\\b/c.png"\r
            \r
            \r
            --\r
            --C\r\r
            --B\r
            Content-Disposition: form-data; name="empty"\r
            \r
            \r
            --B--\r
            epilogue
            """
        let (parts, isFinished) = try read(body).get()
        #expect(isFinished)
        #expect(parts.map(\.part.name) == ["title", "file", "empty"])
        #expect(parts.map(\.part.filename) == [nil, "c.png", nil])
        #expect(parts.map(\.part.isFile) == [false, true, false])
        #expect(parts[1].part.contentType?.essence == "image/png")
        #expect(parts.map { String(decoding: $0.data, as: UTF8.self) } == ["Hello", "\r\n--\r\n--C\r", ""])
        #expect(parts.map(\.isEnded) == [true, true, true])
    }

    @Test func `a preamble is overlooked and bounded`() throws {
        let form = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--B--"
        #expect(try read("hello\r\n--A\r\n" + form).get().parts.count == 1)
        #expect(try read("--A\r\n").get().parts.isEmpty)
        let flood = String(repeating: "x", count: 2_000)
        #expect(throws: HTTPParseError.self) { try read(flood).get() }
    }

    @Test func `a form without parts is finished`() throws {
        let (parts, isFinished) = try read("--B--").get()
        #expect(parts.isEmpty && isFinished)
    }

    @Test func `a form that breaks off is not finished`() throws {
        let (parts, isFinished) = try read("--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--").get()
        #expect(!isFinished)
        #expect(parts.count == 1 && !parts[0].isEnded)
    }

    @Test(arguments: [
        "--Bx", "--B \r\n", "--B\n", "--B\r\r", "--B-x", "--B\r\n\r\n", "--B\r\nX: y\r\n\r\n",
        "--B\r\nContent-Disposition: form-data\r\n\r\n",
        "--B\r\nContent-Disposition: attachment; name=a\r\n\r\n",
        "--B\r\nContent-Disposition: form-data; name=a\nX: y\r\n\r\n",
        "--B\r\nContent-Disposition: form-data; name=a\rX: y\r\n\r\n",
        "--B\r\nContent-Disposition : form-data; name=a\r\n\r\n",
        "--B\r\nContent-Disposition: form-data;\r\n name=a\r\n\r\n",
        "--B\r\nContent-Disposition: form-data; name=\"a\u{0}\"\r\n\r\n",
        "--B\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n",
        "--B\r\nfoo\r\n\r\n",
        "--B\r\n: x\r\n\r\n",
    ]) func `a malformed form is refused`(body: String) {
        #expect(throws: HTTPParseError.self) { try read(body).get() }
    }

    @Test func `parts and their headers are bounded`() throws {
        var limits = MultipartLimits()
        limits.partCount = 2
        let part = "--B\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n"
        #expect(try read(part + part + "--B--", limits: limits).get().parts.count == 2)
        #expect(throws: HTTPParseError.self) { try read(part + part + part + "--B--", limits: limits).get() }
        limits.headerBytes = 42
        #expect(try read(part + "--B--", limits: limits).get().parts.count == 1)
        limits.headerBytes = 41
        let error = #expect(throws: HTTPParseError.self) { try read(part + "--B--", limits: limits).get() }
        #expect(error?.status == .headerFieldsTooLarge)
    }

    @Test func `only boundaries of RFC 2046 are taken`() {
        #expect(MultipartParser(boundary: String(repeating: "b", count: 70)) != nil)
        for boundary in ["", String(repeating: "b", count: 71), "a ", "a\u{e9}", "a\r", "a\"", "a;"] {
            #expect(MultipartParser(boundary: boundary) == nil)
        }
        #expect(MediaType("multipart/form-data; boundary=\"a b\"").flatMap { MultipartParser($0) } != nil)
        #expect(MediaType("multipart/form-data").flatMap { MultipartParser($0) } == nil)
        #expect(MediaType("multipart/mixed; boundary=a").flatMap { MultipartParser($0) } == nil)
    }

    @Test(arguments: [
        ("a.txt", "a.txt"), ("/etc/passwd", "passwd"), ("..\\..\\x.exe", "x.exe"), ("a\u{0}\nb", "ab"), ("..", nil),
        ("", nil),
        (".hidden", ".hidden"), (" a. . ", "a"), ("x/", nil), ("photo\u{202E}gnp.exe", "photognp.exe"),
        ("\u{e9}\u{1F600}", "\u{e9}\u{1F600}"),
    ]) func `a file name is made safe`(name: String, safe: String?) {
        #expect(FileName.sanitised(name) == safe)
    }

    @Test func `a long file name keeps its extension and its scalars`() throws {
        let long = try #require(FileName.sanitised(String(repeating: "\u{20AC}", count: 200) + ".jpeg"))
        #expect(long.utf8.count <= 255)
        #expect(long.hasSuffix("\u{20AC}.jpeg"))
    }
}
