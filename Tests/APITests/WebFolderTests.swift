// The client for browsers: its files at every path that no dialect has a row for, and nowhere else.

import API
import Base
import Glibc
import Net
import TestKit
import Testing
import Wire

@Suite struct WebFolderTests {
    private let folder: TemporaryFolder
    private let setup: APIHarness.Setup

    init() throws {
        folder = try TemporaryFolder()
        try Self.write("<p>hello</p>", to: folder.path + "/index.html")
        try Self.write("export {}", to: folder.path + "/app.js")
        try Self.write("<p>no</p>", to: folder.path + "/health")
        var setup = APIHarness.Setup()
        setup.options.web = WebPages(files: try StaticFiles(folder: folder.path))
        self.setup = setup
    }

    @Test func `files are served beside the API, never in its place`() async throws {
        try await APIHarness.run(setup) { api async throws in
            let page = await Self.file("/", of: api)
            #expect(page.status == .ok)
            #expect(page.headers.value(of: "Content-Type")?.hasPrefix("text/html") == true)
            #expect(page.headers.value(of: "X-Content-Type-Options") == "nosniff")
            #expect(try await api.get("/health").status == 200)
            #expect(try await api.get("/health")["data.status"] == .string("healthy"))
            // What the documents have and this version has not stays an answer of the API.
            #expect(try await api.get("/plugins").status == 501)
            #expect(try await api.get("/missing.html").status == 404)
            #expect(try await api.post("/", "{}").status == 404)
        }
    }

    @Test func `pages may run files of this server and nothing else, and are asked for again each time`() async throws {
        try await APIHarness.run(setup) { api async throws in
            for path in ["/", "/index.html", "/app.js"] {
                let page = await Self.file(path, of: api)
                let policy = try #require(page.headers.value(of: "Content-Security-Policy"))
                #expect(
                    policy.hasPrefix("default-src 'none'; script-src 'self'; style-src 'self';"), "\(path): \(policy)")
                #expect(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"))
                #expect(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains("*"))
                #expect(page.headers.value(of: "Permissions-Policy")?.contains("camera=(self)") == true)
                #expect(page.headers.value(of: "Cross-Origin-Opener-Policy") == "same-origin")
                #expect(page.headers.value(of: "Cache-Control") == "no-cache")
                #expect(page.headers.value(of: "ETag") != nil)
            }
            // The API keeps its own.
            let answer = try await api.get("/health")
            #expect(answer.header("content-security-policy") == "default-src 'self'")
            #expect(answer.header("permissions-policy") == nil)
        }
    }

    @Test func `a file is not served where the caller has it already`() async throws {
        try await APIHarness.run(setup) { api async throws in
            let tag = try #require(await Self.file("/app.js", of: api).headers.value(of: "ETag"))
            let again = await Self.file("/app.js", of: api, headers: [("if-none-match", tag)])
            #expect(again.status == .notModified)
            #expect(again.headers.value(of: "Content-Security-Policy")?.hasPrefix("default-src 'none'") == true)
        }
    }

    @Test func `where the pages are not installed the first of them says how to install them`() async throws {
        var setup = setup
        setup.options.web = WebPages(files: nil)
        try await APIHarness.run(setup) { api async throws in
            let page = await Self.file("/", of: api)
            #expect(page.status == .notFound)
            #expect(page.headers.value(of: "Content-Type") == "text/html; charset=utf-8")
            guard case .bytes(let bytes) = page.body else {
                Issue.record("the page has no text")
                return
            }
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(text.contains("web.folder") && text.contains("/usr/local/share/plexichat/web"))
            // Anything else is the API's to word, and what it has it answers.
            #expect(try await api.get("/app.js").header("content-type")?.contains("json") == true)
            #expect(try await api.get("/health").status == 200)
        }
    }

    @Test func `an operator who wants no pages gets the API's own answer`() async throws {
        var setup = setup
        setup.options.web = nil
        try await APIHarness.run(setup) { api async throws in
            #expect(try await api.get("/").status == 404)
            #expect(try await api.get("/").header("content-type")?.contains("json") == true)
        }
    }

    /// Not the harness's own call: a file is no answer that a row declares.
    private static func file(
        _ path: String, of api: APIHarness, headers: [(name: String, value: String)] = []
    ) async -> HTTPResponse {
        let head = RequestHead(method: .get, path: path, query: nil, headers: RequestHeaders(headers))
        let connection = ConnectionInfo(remoteAddress: Private("192.0.2.1"), remotePort: 1, isSecure: false)
        return await api.api.respond(
            to: HTTPRequest(head: head, body: RequestBody([]), connection: connection, loop: api.loop))
    }

    private static func write(_ text: String, to path: String) throws {
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        #expect(fclose(file) == 0)
    }
}
