import Base
import Net
import TestKit
import Testing
import Wire

@testable import API

@Suite struct RequestIDTests {
    @Test(arguments: ["a", "req_123456789", "!~", String(repeating: "x", count: 128)])
    func `a sane id is kept`(_ id: String) { #expect(RequestIDs.accept(id) == id) }

    @Test(arguments: ["", " ", "a b", "a\u{1}", "a\u{7F}", "ä", String(repeating: "x", count: 129)])
    func `another is replaced`(_ id: String) { #expect(RequestIDs.accept(id) == nil) }

    @Test func `no id comes twice`() {
        let ids = RequestIDs()
        let made = Set((0..<10_000).map { _ in ids.make() })
        #expect(made.count == 10_000)
        #expect(made.allSatisfy { UUID($0) != nil })
    }

    @Test func `the id comes back in the header and in the body of a failure, as each dialect has it`() async throws {
        try await APIHarness.run { api in
            let headers = [("X-Request-ID", "req-7")]
            let reference = try await api.get("/api/v1/users/me", headers: headers)
            #expect(reference.header("x-request-id") == "req-7")
            #expect(reference.string("error.request_id") == "req-7")
            #expect(try await api.get("/v1/auth/me", headers: headers).string("meta.request_id") == "req-7")
            #expect(try await api.get("/nothing", headers: headers).string("request_id") == "req-7")
            #expect(try await api.get("/users/me", headers: headers).header("x-request-id") == "req-7")
        }
    }

    @Test func `without one the server makes one; manual's errors then hold none`() async throws {
        try await APIHarness.run { api in
            let reference = try await api.get("/api/v1/users/me")
            let made = try #require(reference.header("x-request-id"))
            #expect(UUID(made) != nil)
            #expect(reference.string("error.request_id") == made)
            #expect(try await api.get("/nothing")["request_id"] == .null)
            let replaced = try await api.get("/v1/auth/me", headers: [("X-Request-ID", "two words")])
            #expect(UUID(try #require(replaced.header("x-request-id"))) != nil)
            #expect(replaced.string("meta.request_id") == replaced.header("x-request-id"))
        }
    }
}
