import Accounts
import Base
import Chat
import Net
import TestKit
import Testing
import Wire

@testable import API

/// Content on its way out: parts, conditions, links, and what a browser is told of it.
@Suite struct FileDownloadTests {
    static let text = (0..<1_000).map { "\($0 % 10)" }.joined()

    /// Alice's file, in no conversation.
    private func with(
        _ content: String = text, name: String = "note.txt", type: String = "text/plain",
        _ body: (APIHarness, APIHarness.Person, String) async throws -> Void
    ) async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let answer = try await api.upload(FileRequests.form(content, name: name, type: type), as: alice)
            try await body(api, alice, "/v1/files/\(try #require(answer.string("data.id")))")
        }
    }

    @Test(arguments: [
        ("bytes=0-9", 0..<10), ("bytes=990-", 990..<1_000), ("bytes=-5", 995..<1_000), ("bytes=5-99999", 5..<1_000),
        ("bytes=0-4,3-9", 0..<10),
    ])
    func `a part is 206 with its place`(_ range: String, _ expected: Range<Int>) async throws {
        try await with { api, alice, path in
            let answer = try await api.get("\(path)/download", as: alice, headers: [("Range", range)])
            #expect(answer.status == 206)
            let last = expected.upperBound - 1
            #expect(answer.header("content-range") == "bytes \(expected.lowerBound)-\(last)/1000")
            #expect(try await answer.content() == Array(Bytes(Self.text.utf8)[expected]))
        }
    }

    @Test func `several parts come in frames`() async throws {
        try await with { api, alice, path in
            let answer = try await api.get(
                "\(path)/download", as: alice, headers: [("Range", "bytes=0-1,500-502,-1")])
            #expect(answer.status == 206)
            #expect(answer.header("content-type")?.hasPrefix("multipart/byteranges; boundary=") == true)
            #expect(answer.header("content-range") == nil)
            let body = String(decoding: try await answer.content(), as: UTF8.self)
            for range in ["bytes 0-1/1000", "bytes 500-502/1000", "bytes 999-999/1000"] {
                #expect(body.contains("Content-Range: \(range)\r\n"))
            }
            #expect(body.contains("\r\n\r\n012\r\n--"))
        }
    }

    @Test(arguments: [
        "bytes=1000-", "bytes=5000-6000", "bytes=-0",
    ])
    func `a part that is not there is 416, and says how much there is`(_ range: String) async throws {
        try await with { api, alice, path in
            let answer = try await api.get("\(path)/download", as: alice, headers: [("Range", range)])
            #expect(answer.status == 416)
            #expect(answer.header("content-range") == "bytes */1000")
        }
    }

    @Test(arguments: [
        "bytes=5-2", "bytes=a-b", "lines=0-1", "bytes=", "bytes=99999999999999999999-",
        "bytes=" + (0..<50).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ","),
    ])
    func `a range that means nothing gets all, or says that there is no such part`(_ range: String) async throws {
        try await with { api, alice, path in
            let answer = try await api.get("\(path)/download", as: alice, headers: [("Range", range)])
            #expect(answer.status == (range.contains("9999") ? 416 : 200))
        }
    }

    @Test func `conditions are honoured`() async throws {
        try await with { api, alice, path in
            let whole = try await api.get("\(path)/download", as: alice)
            #expect(whole.status == 200)
            #expect(String(decoding: try await whole.content(), as: UTF8.self) == Self.text)
            let tag = try #require(whole.header("etag"))
            let date = try #require(whole.header("last-modified"))
            func status(_ headers: [(String, String)]) async throws -> Int {
                try await api.get("\(path)/download", as: alice, headers: headers).status
            }
            #expect(try await status([("If-None-Match", tag)]) == 304)
            #expect(try await status([("If-None-Match", "\"other\"")]) == 200)
            #expect(try await status([("If-Modified-Since", date)]) == 304)
            #expect(try await status([("If-Match", "\"other\"")]) == 412)
            #expect(try await status([("If-Match", tag)]) == 200)
            #expect(try await status([("If-Range", tag), ("Range", "bytes=0-0")]) == 206)
            #expect(try await status([("If-Range", "\"other\""), ("Range", "bytes=0-0")]) == 200)
            #expect(try await status([("If-Range", "\"other\""), ("Range", "bytes=5000-")]) == 200)
        }
    }

    @Test(arguments: [
        ("%PDF-1.7", "a.pdf", "application/pdf", false),
        ("<html><script>alert(1)</script>", "a.html", "text/html", false),
        ("plain", "a.txt", "text/plain; charset=utf-8", true),
        ("\u{1}\u{2}", "a.svg", "application/octet-stream", false),
    ])
    func `a browser shows what is harmless and saves all else`(
        _ content: String, _ name: String, _ type: String, _ isInline: Bool
    ) async throws {
        try await with(content, name: name, type: name == "a.txt" ? "text/plain" : "image/png") { api, alice, path in
            let answer = try await api.get("\(path)/download", as: alice)
            #expect(answer.header("content-type") == type)
            #expect(answer.header("content-disposition")?.hasPrefix(isInline ? "inline;" : "attachment;") == true)
            #expect(answer.header("x-content-type-options") == "nosniff")
            #expect(answer.header("content-security-policy") == "sandbox; default-src 'none'")
        }
    }

    @Test func `a name in another script comes in both forms`() async throws {
        try await with(name: "Bericht für 漢.txt") { api, alice, path in
            let answer = try await api.get("\(path)/download", as: alice)
            #expect(
                answer.header("content-disposition")
                    == "inline; filename=\"Bericht f_r _.txt\"; "
                    + "filename*=UTF-8''Bericht%20f%C3%BCr%20%E6%BC%A2.txt")
        }
    }

    @Test func `foreign, deleted and unknown files are all not found`() async throws {
        try await with { api, alice, path in
            let bob = try await api.register("bob")
            for path in [path, "/v1/files/\(UUID.random())", "/v1/files/x", "/v1/files/user_\(UUID.random())"] {
                for ending in ["", "/download", "/thumbnail", "/shares"] {
                    #expect(try await api.get(path + ending, as: bob).status == 404)
                }
                #expect(try await api.delete(path, as: bob).status == 404)
                #expect(try await api.post("\(path)/share", as: bob).status == 404)
            }
            #expect(try await api.get("\(path)/thumbnail", as: alice).status == 404)
            #expect(try await api.delete(path, as: alice).status == 204)
            for _ in 0..<2 { #expect(try await api.get("\(path)/download", as: alice).status == 404) }
            #expect(try await api.get(path).status == 401)
        }
    }

    @Test func `a link reads without a token, so often, until it is revoked`() async throws {
        try await with { api, alice, path in
            let made = try await api.post("\(path)/share", #"{"max_downloads": 2}"#, as: alice)
            let url = try #require(made.string("data.url"))
            let link = String(url.dropFirst("https://chat.example.org".count))
            #expect(try await api.get(path, as: alice)["data.is_public"]?.boolValue == true)
            // Players go on in the middle; whoever only asks takes nothing.
            for _ in 0..<5 {
                #expect(try await api.get(link, headers: [("Range", "bytes=5-9")]).status == 206)
                #expect(try await api.send(TestRequest(.head, link)).status == 200)
            }
            for expected in [200, 206, 404] {
                let headers = expected == 206 ? [("Range", "bytes=0-1")] : []
                #expect(try await api.get(link, headers: headers).status == expected)
            }
            let second = try await api.post("\(path)/share", as: alice)
            let id = try #require(second.string("data.id"))
            let shares = try await api.get("\(path)/shares", as: alice)
            #expect(shares["data"]?.arrayValue?.count == 1)
            #expect(!shares.text.contains(second.string("data.token") ?? "?"))
            #expect(try await api.delete("\(path)/shares/\(id)", as: alice).status == 204)
            #expect(try await api.delete("\(path)/shares/\(id)", as: alice).status == 404)
            let token = second.string("data.token") ?? ""
            for token in [token, "x", String(repeating: "A", count: 43)] {
                #expect(try await api.get("/v1/files/shared/\(token)").status == 404)
            }
        }
    }

    @Test func `what waits for its scan is its uploader's alone`() async throws {
        var setup = APIHarness.Setup()
        setup.files.whenScannerIsAway = .hold
        try await APIHarness.run(setup) { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let room = try await api.room(alice, bob)
            api.inspector.scan(true, isAway: true)
            let form = FileRequests.form("EICAR", behind: [("channel_id", "\(room)")])
            let answer = try await api.upload(form, as: alice)
            #expect(answer.string("data.virus_scan_status") == "pending")
            let path = "/v1/files/\(answer.string("data.id") ?? "")"
            #expect(try await api.get("\(path)/download", as: bob).status == 409)
            #expect(try await api.get("\(path)/download", as: alice).status == 200)
            api.inspector.scan(true)
            try await api.files.sweep()
            for person in [alice, bob] {
                let refused = try await api.get("\(path)/download", as: person)
                #expect(refused.string("error.code") == "VIRUS_DETECTED")
                #expect(try await api.get(path, as: person).string("data.virus_scan_status") == "infected")
            }
        }
    }
}
