import Accounts
import Base
import Chat
import Net
import TestKit
import Testing
import Wire

@testable import API

/// The key of a request whose body is read as it comes.
@Suite struct UploadIdempotencyTests {
    private static let headers = [("Content-Type", FileRequests.type), ("Idempotency-Key", "k")]

    private func upload(
        _ api: APIHarness, _ form: String, _ person: APIHarness.Person
    ) async throws -> TestAnswer {
        try await api.post("/v1/files", form, as: person, headers: Self.headers)
    }

    @Test(arguments: TestDatabase.available)
    func `the same file under the same key is uploaded once, another one is refused`(
        _ place: TestDatabase
    ) async throws {
        try await APIHarness.run(on: place) { api in
            let alice = try await api.register()
            let form = FileRequests.form(String(repeating: "same", count: 50_000))
            let first = try await upload(api, form, alice)
            let second = try await upload(api, form, alice)
            #expect(first.status == 201 && second.status == 201)
            #expect(first.body == second.body)
            #expect(second.header("idempotent-replayed") == "true")
            var others = [FileRequests.form("other"), String(form.dropLast(40)), form + "\r\nmore", "", form + form]
            // The last byte of the content alone.
            others.append(FileRequests.form(String(repeating: "same", count: 49_999) + "samE"))
            for other in others {
                let answer = try await upload(api, other, alice)
                #expect(answer.status == 422)
                #expect(answer.string("error.code") == "IDEMPOTENCY_MISMATCH")
            }
            #expect(try await upload(api, form, alice).header("idempotent-replayed") == "true")
            #expect(try await api.files.usage(of: alice.id).used == 200_000)
        }
    }

    @Test func `a refusal that did not read its body is compared as far as it did`() async throws {
        var setup = APIHarness.Setup()
        setup.files.maxSize = 1_000
        try await APIHarness.run(setup) { api in
            let alice = try await api.register()
            // Larger than what a refusal has to look at.
            let form = FileRequests.form(String(repeating: "x", count: 300_000))
            let first = try await upload(api, form, alice)
            #expect(first.status == 413)
            let second = try await upload(api, form, alice)
            #expect(second.status == 413 && second.header("idempotent-replayed") == "true")
            #expect(try await upload(api, "y" + form, alice).status == 422)
        }
    }

    @Test func `what tus says beside its body counts too`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            func create(_ length: Int, _ name: String) async throws -> TestAnswer {
                try await api.send(
                    TestRequest(
                        .post, "/v1/files/uploads", as: alice,
                        headers: [
                            ResumableUploadTests.tus, ("Upload-Length", "\(length)"), ("Idempotency-Key", "k"),
                            ("Upload-Metadata", "filename \(Base64.encode(Bytes(name.utf8)))"),
                        ]))
            }
            let first = try await create(10, "a")
            let second = try await create(10, "a")
            #expect(first.status == 201 && second.header("location") == first.header("location"))
            #expect(second.header("idempotent-replayed") == "true")
            #expect(try await create(11, "a").status == 422)
            #expect(try await create(10, "b").status == 422)
        }
    }

    @Test func `a fingerprint is of its bytes, however they come`() async throws {
        let head = try #require(try Self.head("POST /x HTTP/1.1\r\nHost: a\r\n\r\n"))
        let content = Bytes((0..<1_000).map { UInt8(truncatingIfNeeded: $0) })
        func fingerprint(_ pieces: [ArraySlice<UInt8>], isWhole: Bool) -> Bytes {
            let body = StreamedBody(head)
            for piece in pieces { body.take(Bytes(piece)) }
            if isWhole { body.take(nil) }
            return body.fingerprint()
        }
        let whole = fingerprint([content[...]], isWhole: true)
        #expect(whole == fingerprint([content[..<1], content[1..<500], content[500...]], isWhole: true))
        #expect(whole != fingerprint([content[...]], isWhole: false))
        func fits(_ fingerprint: Bytes, _ bytes: Bytes) async throws -> Bool {
            try await StreamedBody(head).is(fingerprint, RequestBody(bytes))
        }
        #expect(try await fits(whole, content))
        #expect(try await !fits(whole, content + [0]))
        #expect(try await !fits(whole, content.dropLast()))
        let part = fingerprint([content[..<700]], isWhole: false)
        #expect(try await fits(part, content))
        #expect(try await fits(part, Bytes(content[..<700])))
        #expect(try await !fits(part, Bytes(content[..<699])))
        #expect(try await !fits(part, [1] + content))
        #expect(try await !fits([], content))
    }

    private static func head(_ text: String) throws -> RequestHead? {
        var parser = RequestHeadParser(limits: HTTPLimits())
        return try parser.consume(Bytes(text.utf8).span).head?.head
    }
}
