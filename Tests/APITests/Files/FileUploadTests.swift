import Accounts
import Base
import Chat
import Net
import Store
import TestKit
import Testing
import Wire

@testable import API

/// Forms that bring files, and forms that do not.
@Suite struct FileUploadTests {
    static let limits: APIHarness.Setup = {
        var setup = APIHarness.Setup()
        setup.files.maxSize = 1_000
        setup.files.quota = BlobQuota(user: 2_500, organization: nil)
        return setup
    }()

    @Test(arguments: [true, false])
    func `fields may stand before the file or behind it`(_ isBehind: Bool) async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let room = try await api.room(alice, bob)
            let fields = [("channel_id", "channel_\(room)"), ("description", "About it"), ("encrypted", "false")]
            let form = FileRequests.form(
                "%PDF-1.7", before: isBehind ? [] : fields, behind: isBehind ? fields : [])
            let answer = try await api.upload(form, as: alice)
            #expect(answer.status == 201)
            #expect(answer.string("data.channel_id") == "\(room)")
            #expect(answer.string("data.description") == "About it")
            #expect(answer.string("data.type") == "application/pdf")
            let id = try #require(answer.string("data.id"))
            #expect(try await api.get("/v1/files/file_\(id)", as: bob).string("data.name") == "note.txt")
            #expect(try await api.get("/api/v1/files/\(id)", as: bob).string("uploaded_by") == "\(alice.id)")
        }
    }

    @Test func `a sealed file is neither looked at nor scanned`() async throws {
        try await APIHarness.run { api in
            api.inspector.scan(true)
            let alice = try await api.register()
            let form = FileRequests.form("%PDF-EICAR", behind: [("encrypted", "true")])
            let answer = try await api.upload(form, as: alice)
            #expect(answer.string("data.virus_scan_status") == "skipped")
            #expect(answer.string("data.type") == "application/octet-stream")
            let infected = try await api.upload(FileRequests.form("%PDF-EICAR"), as: alice)
            #expect(infected.status == 422)
            #expect(infected.string("error.code") == "VIRUS_DETECTED")
            #expect(try await api.keptBlobs() == 1)
        }
    }

    struct Broken: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let form: String
        var type = FileRequests.type
        let status: Int
    }

    static let file = "--form\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nabc\r\n"
    static let broken = [
        Broken(testDescription: "no form", form: "abc", type: "text/plain", status: 415),
        Broken(testDescription: "no boundary", form: file, type: "multipart/form-data", status: 415),
        Broken(testDescription: "another boundary", form: file + "--form--", type: multipart("other"), status: 400),
        Broken(testDescription: "an impossible boundary", form: file, type: multipart("\"\u{1}\""), status: 415),
        Broken(testDescription: "nothing", form: "", status: 400),
        Broken(testDescription: "no closing boundary", form: file, status: 400),
        Broken(testDescription: "half a boundary", form: file + "--for", status: 400),
        Broken(testDescription: "half a file", form: String(file.dropLast(4)), status: 400),
        Broken(testDescription: "half a head", form: String(file.prefix(60)), status: 400),
        Broken(testDescription: "no file", form: "--form--", status: 400),
        Broken(
            testDescription: "a field for a file", form: file.replacing("; filename=\"a\"", with: "") + "--form--",
            status: 400),
        Broken(testDescription: "two files", form: file + file + "--form--", status: 400),
        Broken(testDescription: "an empty file", form: FileRequests.form(""), status: 400),
        Broken(
            testDescription: "a field twice",
            form: FileRequests.form("a", before: [("description", "x")], behind: [("description", "y")]), status: 400),
        Broken(
            testDescription: "a large field",
            form: FileRequests.form("a", behind: [("x", String(repeating: "y", count: 9_000))]), status: 400),
        Broken(
            testDescription: "many fields", form: FileRequests.form("a", behind: (0..<20).map { ("x\($0)", "y") }),
            status: 400),
        Broken(
            testDescription: "a field with a NUL", form: FileRequests.form("a", behind: [("description", "\0")]),
            status: 400),
        Broken(
            testDescription: "a wrong flag", form: FileRequests.form("a", behind: [("encrypted", "perhaps")]),
            status: 400),
        Broken(
            testDescription: "a channel that is none", form: FileRequests.form("a", behind: [("channel_id", "x")]),
            status: 404),
        Broken(
            testDescription: "a channel of others",
            form: FileRequests.form("a", behind: [("channel_id", "\(UUID.random())")]), status: 404),
        Broken(
            testDescription: "a large file", form: FileRequests.form(String(repeating: "x", count: 1_001)),
            status: 413),
    ]

    private static func multipart(_ boundary: String) -> String { "multipart/form-data; boundary=\(boundary)" }

    @Test(arguments: broken)
    func `a form that is no good is refused, and leaves nothing`(_ broken: Broken) async throws {
        try await APIHarness.run(Self.limits) { api in
            let alice = try await api.register()
            for path in ["/v1/files", "/api/v1/files/upload", "/upload/file"] {
                let answer = try await api.upload(broken.form, to: path, as: alice, type: broken.type)
                let isWorded = answer.status == broken.status || answer.status == 422 && broken.status == 400
                #expect(isWorded || path == "/upload/file" && answer.status == 422, "\(answer.status) \(answer.text)")
            }
            #expect(try await api.keptBlobs() == 0)
            let usage = try await api.files.usage(of: alice.id)
            #expect(usage.used == 0 && usage.reserved == 0)
        }
    }

    @Test(arguments: [
        ("../../etc/passwd", "passwd"), ("C:\\\\temp\\\\a.txt", "a.txt"), ("a%0D%0Ab%22.txt", "ab\".txt"),
        ("...", "file"),
        ("\u{202E}fdp.exe", "fdp.exe"),
    ])
    func `a name is made safe`(_ sent: String, _ kept: String) async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let answer = try await api.upload(FileRequests.form("x", name: sent), as: alice)
            #expect(answer.string("data.name") == kept)
            let download = try await api.get(
                "/v1/files/\(answer.string("data.id") ?? "")/download", as: alice)
            let disposition = try #require(download.header("content-disposition"))
            #expect(disposition.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != 0x2F })
            #expect(ContentDisposition(disposition)?.filename == kept)
        }
    }

    @Test func `a quota says what is used of it, in each dialect`() async throws {
        try await APIHarness.run(Self.limits) { api in
            let alice = try await api.register()
            let room = try await api.room(alice)
            for _ in 0..<2 {
                let form = FileRequests.form(String(repeating: "x", count: 1_000))
                #expect(try await api.upload(form, as: alice).status == 201)
            }
            let form = FileRequests.form(
                String(repeating: "y", count: 501), behind: [("channel_id", "\(room)"), ("chatroom_id", "\(room)")])
            for path in ["/v1/files", "/api/v1/files/upload", "/upload/file"] {
                let answer = try await api.upload(form, to: path, as: alice)
                #expect(answer.status == 403)
                #expect(answer.string("error.code") == "QUOTA_EXCEEDED")
                #expect(answer["error.details.used_bytes"]?.integerValue == 2_000)
                #expect(answer["error.details.limit_bytes"]?.integerValue == 2_500)
            }
            let fits = FileRequests.form(String(repeating: "y", count: 500), behind: [("channel_id", "\(room)")])
            #expect(try await api.upload(fits, as: alice).status == 201)
        }
    }

    @Test func `a full disk is 503, and nothing is half stored`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            api.ledger.store.fail(.unavailable("the disk is full"))
            let answer = try await api.upload(FileRequests.form("abc"), as: alice)
            #expect(answer.status == 503)
            #expect(answer.header("retry-after") != nil)
            #expect(!answer.text.contains("disk"))
            api.ledger.store.fail(nil)
            #expect(try await api.keptBlobs() == 0)
        }
    }

    @Test func `rooms' row has a limit of its own, and wants a chatroom`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let large = FileRequests.form(String(repeating: "x", count: 10 << 20 + 1))
            let answer = try await api.upload(large, to: "/upload/file", as: alice)
            #expect(answer.status == 413)
            #expect(answer.string("error.code") == "FILE_TOO_LARGE")
            let homeless = try await api.upload(FileRequests.form("x"), to: "/upload/file", as: alice)
            #expect(homeless.string("error.details.field") == "chatroom_id")
            #expect(try await api.keptBlobs() == 0)
        }
    }

    @Test func `a type that is not taken is 415`() async throws {
        var setup = APIHarness.Setup()
        setup.files.allowedTypes = ["image/*", "text/plain"]
        try await APIHarness.run(setup) { api in
            let alice = try await api.register()
            #expect(try await api.upload(FileRequests.form("plain"), as: alice).status == 201)
            let page = FileRequests.form("<html><script>", name: "a.png", type: "image/png")
            let answer = try await api.upload(page, as: alice)
            #expect(answer.status == 415)
            #expect(answer.string("error.code") == "FILE_TYPE_NOT_ALLOWED")
            #expect(try await api.keptBlobs() == 1)
        }
    }

    @Test func `an attachment names a file, and is held by its message`() async throws {
        try await APIHarness.run { api in
            let (alice, bob) = (try await api.register("alice"), try await api.register("bob"))
            let room = try await api.room(alice, bob)
            let file = try await api.upload(FileRequests.form("attached"), as: alice)
            let storage = try #require(file.string("data.storage_id"))
            let message = """
                {"conversation_id": "\(room)", "ciphertext": "c2VhbGVk", "recipient_keys": [],
                 "attachments": [{"file_name": "a", "file_size": 8, "content_type": "text/plain",
                 "storage_id": "\(storage)"}]}
                """
            let sent = try await api.post("/api/v1/messages/", message, as: alice)
            #expect(sent.status == 201)
            let path = "/v1/files/\(file.string("data.id") ?? "")"
            #expect(try await api.get(path, as: bob).status == 200)
            let id = try #require(sent.string("id"))
            #expect(try await api.delete("/v1/messages/\(id)", as: alice).status == 204)
            for person in [alice, bob] { #expect(try await api.get(path, as: person).status == 404) }
            #expect(try await api.post("/api/v1/messages/", message, as: bob).status == 404)
            #expect(try await api.keptBlobs() == 0)
        }
    }
}
