// `web.folder`: files at every path that no dialect has a row for, and nowhere else.

import API
import Base
import Glibc
import Net
import TestKit
import Testing
import Wire

@Suite struct WebFolderTests {
    @Test func `files are served beside the API, never in its place`() async throws {
        let folder = try TemporaryFolder()
        try write("<p>hello</p>", to: folder.path + "/index.html")
        try write("<p>no</p>", to: folder.path + "/health")
        var setup = APIHarness.Setup()
        setup.options.web = try StaticFiles(folder: folder.path)
        try await APIHarness.run(setup) { api async throws in
            // Not the harness's own call: a file is no answer that a row declares.
            let head = RequestHead(method: .get, path: "/", query: nil, headers: RequestHeaders())
            let connection = ConnectionInfo(remoteAddress: Private("192.0.2.1"), remotePort: 1, isSecure: false)
            let page = await api.api.respond(
                to: HTTPRequest(head: head, body: RequestBody([]), connection: connection, loop: api.loop))
            #expect(page.status == .ok)
            #expect(page.headers.value(of: "Content-Type")?.hasPrefix("text/html") == true)
            #expect(page.headers.value(of: "X-Content-Type-Options") == "nosniff")
            #expect(try await api.get("/health").status == 200)
            #expect(try await api.get("/health")["data.status"] == .string("healthy"))
            // What the documents have and this version has not stays an answer of the API.
            #expect(try await api.get("/users/me/avatar").status == 501)
            #expect(try await api.get("/missing.html").status == 404)
            #expect(try await api.post("/", "{}").status == 404)
        }
    }

    private func write(_ text: String, to path: String) throws {
        let file = try #require(fopen(path, "w"))
        fputs(text, file)
        #expect(fclose(file) == 0)
    }
}
