import Base
import Crypto
import Glibc
import Net
import TestKit
import Testing
import Wire

/// A folder for the time of one test.
private final class Folder {
    let path: String
    private var made: [String] = []

    init() {
        path = "/tmp/plexi-static-\(getpid())-\(Hex.encode(SecureRandom.bytes(6)))"
        mkdir(path, 0o700)
    }

    func write(_ name: String, _ contents: Bytes) {
        let descriptor = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        _ = contents.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
        if !made.contains(name) { made.append(name) }
    }

    /// Exactly what this class made, by name, each removed as itself: nothing is listed, no link is followed, and a
    /// folder goes only when it is empty.
    deinit {
        for name in made.reversed() {
            let full = "\(path)/\(name)"
            if unlink(full) != 0 { rmdir(full) }
        }
        rmdir(path)
    }

    func makeFolder(_ name: String) {
        mkdir("\(path)/\(name)", 0o700)
        made.append(name)
    }

    func link(_ name: String, to target: String) {
        symlink(target, "\(path)/\(name)")
        made.append(name)
    }

    func makePipe(_ name: String) {
        mkfifo("\(path)/\(name)", 0o600)
        made.append(name)
    }
}

@Suite struct StaticFilesTests {
    private let folder = Folder()
    /// What the links lead to: a folder of this test's own.
    private let outside = Folder()
    private let files: StaticFiles

    init() throws {
        folder.write("index.html", Bytes("<p>index</p>".utf8))
        folder.write("data.bin", Bytes(0..<200))
        folder.write("app.js", Bytes("let x = 1".utf8))
        folder.write("app.js.gz", Bytes([0x1F, 0x8B]))
        folder.write(".secret", Bytes("secret".utf8))
        folder.makeFolder("sub")
        folder.write("sub/page.html", Bytes("<p>page</p>".utf8))
        outside.write("private.txt", Bytes("private".utf8))
        folder.link("link", to: "\(outside.path)/private.txt")
        folder.link("folderlink", to: outside.path)
        folder.makePipe("pipe")
        files = try StaticFiles(folder: folder.path)
    }

    private func get(
        _ path: String, _ headers: [(name: String, value: String)] = [], method: HTTPMethod = .get
    ) throws -> HTTPResponse? {
        let head = RequestHead(method: method, path: path, query: nil, headers: RequestHeaders(headers))
        return files.answer(head, at: try URLPath.segments(path)[...])
    }

    private func contents(_ response: HTTPResponse?) async throws -> Bytes? {
        switch response?.body {
        case .file(let region): return try region.file.read(at: region.offset, count: Int(region.length))
        case .stream(let length, let next):
            var bytes = Bytes()
            while let piece = try await next() { bytes += piece }
            #expect(length == Int64(bytes.count))
            return bytes
        case .bytes(let bytes): return bytes
        default: return nil
        }
    }

    @Test func `serves files, and a folder's index`() async throws {
        let index = try get("/")
        #expect(try await contents(index) == Bytes("<p>index</p>".utf8))
        #expect(index?.headers.value(of: "Content-Type") == "text/html; charset=utf-8")
        #expect(try await contents(try get("/sub/page.html")) == Bytes("<p>page</p>".utf8))
        #expect(try get("/data.bin")?.headers.value(of: "Content-Type") == "application/octet-stream")
        #expect(try get("/", method: .post) == nil)
    }

    @Test(arguments: [
        "/.secret", "/link", "/folderlink/private.txt", "/pipe", "/missing", "/sub", "/index.html/x", "//index.html",
        "/sub/%2e%2e/index.html", "/sub/%2E./data.bin", "/%2Fetc/passwd", "/sub%00/page.html", "/..%2f..%2fetc/passwd",
    ])
    func `has no file there`(path: String) throws {
        do throws(HTTPParseError) {
            let segments = try URLPath.segments(path)
            let head = RequestHead(method: .get, path: path, query: nil, headers: RequestHeaders())
            #expect(files.answer(head, at: segments[...]) == nil)
        } catch {
            #expect(error.status == .badRequest)
        }
        // Even when nobody has checked the segments before.
        let raw = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let head = RequestHead(method: .get, path: path, query: nil, headers: RequestHeaders())
        #expect(files.answer(head, at: raw[...]) == nil)
        #expect(files.answer(head, at: ["..", "..", "etc", "passwd"]) == nil)
    }

    @Test func `knows what the client has`() throws {
        let first = try #require(try get("/data.bin"))
        let tag = try #require(first.headers.value(of: "ETag"))
        let date = try #require(first.headers.value(of: "Last-Modified"))
        #expect(try get("/data.bin", [("If-None-Match", tag)])?.status == .notModified)
        #expect(try get("/data.bin", [("If-Modified-Since", date)])?.status == .notModified)
        #expect(try get("/data.bin", [("If-None-Match", "\"other\"")])?.status == .ok)
        #expect(try get("/data.bin", [("If-Match", "\"other\"")])?.status == .preconditionFailed)
    }

    @Test func `sends parts`() async throws {
        let one = try get("/data.bin", [("Range", "bytes=10-19")])
        #expect(one?.status == .partialContent)
        #expect(one?.headers.value(of: "Content-Range") == "bytes 10-19/200")
        #expect(try await contents(one) == Bytes(10...19))

        let many = try get("/data.bin", [("Range", "bytes=0-1,150-151")])
        #expect(many?.headers.value(of: "Content-Type")?.hasPrefix("multipart/byteranges; boundary=") == true)
        let body = try #require(try await contents(many))
        let text = String(decoding: body, as: UTF8.self)
        #expect(text.contains("Content-Range: bytes 150-151/200"))

        let none = try get("/data.bin", [("Range", "bytes=500-")])
        #expect(none?.status == .rangeNotSatisfiable)
        #expect(none?.headers.value(of: "Content-Range") == "bytes */200")
        let stale = try get("/data.bin", [("Range", "bytes=0-1"), ("If-Range", "\"old\"")])
        #expect(stale?.status == .ok)
    }

    @Test func `prefers a compressed form that is not older`() async throws {
        let gzip = [(name: "Accept-Encoding", value: "gzip")]
        let compressed = try get("/app.js", gzip)
        #expect(compressed?.headers.value(of: "Content-Encoding") == "gzip")
        #expect(compressed?.headers.value(of: "Vary") == "Accept-Encoding")
        #expect(try await contents(compressed) == [0x1F, 0x8B])
        let plain = try get("/app.js")
        #expect(plain?.headers.value(of: "Content-Encoding") == nil)
        #expect(plain?.headers.value(of: "Vary") == "Accept-Encoding")
        #expect(plain?.headers.value(of: "ETag") != compressed?.headers.value(of: "ETag"))

        usleep(20_000)
        folder.write("app.js", Bytes("let x = 2".utf8))
        #expect(try get("/app.js", gzip)?.headers.value(of: "Content-Encoding") == nil)
    }
}
