import Accounts
import Base
import Chat
import Crypto
import Net
import TestKit
import Testing
import Wire

@testable import API

/// tus 1.0, as its clients speak it.
@Suite struct ResumableUploadTests {
    static let tus = ("Tus-Resumable", "1.0.0")

    private func create(
        _ api: APIHarness, _ person: APIHarness.Person?, length: Int, _ headers: [(String, String)] = []
    ) async throws -> TestAnswer {
        try await api.send(
            TestRequest(
                .post, "/v1/files/uploads", as: person,
                headers: [Self.tus, ("Upload-Length", "\(length)")] + headers))
    }

    private func patch(
        _ api: APIHarness, _ person: APIHarness.Person, _ path: String, at offset: Int, _ text: String,
        _ headers: [(String, String)] = []
    ) async throws -> TestAnswer {
        try await api.send(
            TestRequest(
                .patch, path, text, as: person,
                headers: [
                    Self.tus, ("Upload-Offset", "\(offset)"), ("Content-Type", "application/offset+octet-stream"),
                ] + headers))
    }

    private func path(_ answer: TestAnswer) throws -> String {
        String(try #require(answer.header("location")).dropFirst("https://chat.example.org".count))
    }

    @Test func `a file comes in pieces, and is there with the last`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let room = try await api.room(alice)
            let metadata = [
                "filename \(Base64.encode(Bytes("Plan ä.pdf".utf8)))",
                "channel_id \(Base64.encode(Bytes("\(room)".utf8)))",
                "is_nice",
            ].joined(separator: ",")
            let created = try await create(api, alice, length: 12, [("Upload-Metadata", metadata)])
            #expect(created.status == 201)
            #expect(created.header("tus-resumable") == "1.0.0")
            #expect(created.header("upload-expires") != nil)
            let path = try path(created)
            #expect(try await patch(api, alice, path, at: 0, "%PDF-").header("upload-offset") == "5")
            let head = try await api.send(TestRequest(.head, path, as: alice, headers: [Self.tus]))
            #expect(head.header("upload-offset") == "5")
            #expect(head.header("upload-length") == "12")
            #expect(head.header("cache-control") == "no-store")
            #expect(try await patch(api, alice, path, at: 4, "x").status == 409)
            #expect(try await patch(api, alice, path, at: 5, "too much!").status == 413)
            let last = try await patch(api, alice, path, at: 5, "1.7 end")
            #expect(last.status == 204)
            let id = try #require(last.header("file-id"))
            let file = try await api.get("/v1/files/\(id)", as: alice)
            #expect(file.string("data.name") == "Plan ä.pdf")
            #expect(file.string("data.channel_id") == "\(room)")
            let content = try await api.get("/v1/files/\(id)/download", as: alice).content()
            #expect(content == Bytes("%PDF-1.7 end".utf8))
            #expect(try await patch(api, alice, path, at: 12, "").status == 410)
            #expect(try await api.keptBlobs() == 1)
        }
    }

    @Test func `bytes may come with the beginning`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let answer = try await api.send(
                TestRequest(
                    .post, "/v1/files/uploads", "all of it", as: alice,
                    headers: [
                        Self.tus, ("Upload-Length", "9"), ("Content-Type", "application/offset+octet-stream"),
                    ]))
            #expect(answer.status == 201)
            #expect(answer.string("data.file_id") != nil)
            #expect(answer.header("file-id") == answer.string("data.file_id"))
        }
    }

    @Test(arguments: ["sha1", "sha256"])
    func `a piece that does not fit its checksum is not kept`(_ algorithm: String) async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let path = try path(try await create(api, alice, length: 5))
            let hash = { (text: String) in
                Base64.encode(algorithm == "sha1" ? SHA1.hash(Bytes(text.utf8)) : SHA256.hash(Bytes(text.utf8)))
            }
            let wrong = ("Upload-Checksum", "\(algorithm) \(hash("other"))")
            #expect(try await patch(api, alice, path, at: 0, "bytes", [wrong]).status == 460)
            for nonsense in ["", "md5 AAAA", "\(algorithm)", "\(algorithm) ????", "\(algorithm) AAAA"] {
                #expect(
                    try await patch(api, alice, path, at: 0, "bytes", [("Upload-Checksum", nonsense)]).status == 400)
            }
            let right = ("Upload-Checksum", "\(algorithm) \(hash("bytes"))")
            #expect(try await patch(api, alice, path, at: 0, "bytes", [right]).status == 204)
            #expect(try await api.keptBlobs() == 1)
        }
    }

    @Test func `what is no tus is refused, with the version that is`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let path = try path(try await create(api, alice, length: 5))
            for version in [nil, "0.2.2", "1.0.1"] {
                let headers = version.map { [("Tus-Resumable", $0)] } ?? []
                for (method, path) in [
                    (HTTPMethod.post, "/v1/files/uploads"), (.head, path), (.patch, path), (.delete, path),
                ] {
                    let answer = try await api.send(TestRequest(method, path, as: alice, headers: headers))
                    #expect(answer.status == 412)
                    #expect(answer.header("tus-version") == "1.0.0")
                }
            }
            for length in ["", "-1", "1.5", "99999999999999999999", "0"] {
                let answer = try await api.send(
                    TestRequest(
                        .post, "/v1/files/uploads", as: alice, headers: [Self.tus, ("Upload-Length", length)]))
                #expect(answer.status == 400, "\(length)")
            }
            for metadata in ["filename ?", "a YQ==,a YQ==", "a b c", ",", "channel_id eA=="] {
                let answer = try await create(api, alice, length: 5, [("Upload-Metadata", metadata)])
                #expect(answer.status == (metadata.hasPrefix("channel") ? 404 : 400), "\(metadata)")
            }
            let wrongType = try await api.send(
                TestRequest(
                    .patch, path, "{}", as: alice,
                    headers: [Self.tus, ("Upload-Offset", "0"), ("Content-Type", "application/json")]))
            #expect(wrongType.status == 415)
            #expect(try await create(api, alice, length: 200 << 20).status == 413)
            #expect(try await api.files.usage(of: alice.id).reserved == 5)
        }
    }

    @Test func `an upload is its user's, and ends when they say so`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let path = try path(try await create(api, alice, length: 5))
            #expect(try await patch(api, alice, path, at: 0, "ab").status == 204)
            #expect(try await api.send(TestRequest(.head, path, as: bob, headers: [Self.tus])).status == 404)
            #expect(try await patch(api, bob, path, at: 2, "c").status == 404)
            #expect(try await api.send(TestRequest(.delete, path, as: bob, headers: [Self.tus])).status == 404)
            #expect(try await api.send(TestRequest(.delete, path, as: alice, headers: [Self.tus])).status == 204)
            #expect(try await api.send(TestRequest(.head, path, as: alice, headers: [Self.tus])).status == 410)
            #expect(try await patch(api, alice, path, at: 2, "c").status == 410)
            #expect(try await api.keptBlobs() == 0)
        }
    }

    @Test func `OPTIONS says what is served`() async throws {
        try await APIHarness.run { api in
            let answer = try await api.send(TestRequest(.options, "/v1/files/uploads"))
            #expect(answer.status == 204)
            #expect(answer.header("tus-version") == "1.0.0")
            #expect(answer.header("tus-max-size") == "\(100 << 20)")
            #expect(
                answer.header("tus-extension") == "creation,creation-with-upload,termination,expiration,checksum")
            #expect(answer.header("tus-checksum-algorithm") == "sha1,sha256")
        }
    }
}
