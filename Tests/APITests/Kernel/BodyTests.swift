import Accounts
import Base
import TestKit
import Testing
import Wire

@testable import API

/// Bodies and queries as they come: what is refused before an operation sees it, and how.
@Suite struct BodyTests {
    private static let login = "/api/v1/auth/login"
    private static let right = #"{"username": "alice", "password": "\#(APIHarness.password)"}"#

    @Test(arguments: [
        ("", 422, "body", "is required"),
        ("{", 400, "body", ""),
        ("[]", 422, "body", "must be an object"),
        ("null", 422, "body", "must be an object"),
        (#"{"username": "a", "username": "b", "password": "x"}"#, 400, "body", ""),
        (#"{"username": "a"}"#, 422, "password", "is required"),
        (#"{"username": 7, "password": "x"}"#, 422, "username", "must be a string"),
        (#"{"username": "", "password": "x"}"#, 422, "username", "must be at least 1 characters long"),
        (#"{"username": "a\u0000", "password": "x"}"#, 422, "username", "must not contain a NUL character"),
        (#"{"username": "a", "password": "x", "remember_me": "yes"}"#, 422, "remember_me", "must be true or false"),
        (#"{"username": "\ud800", "password": "x"}"#, 400, "body", ""),
    ])
    func `a wrong body is refused with the field and the reason`(
        _ body: String, _ status: Int, _ field: String, _ reason: String
    ) async throws {
        try await APIHarness.run { api in
            let answer = try await api.post(Self.login, body)
            #expect(answer.status == status)
            #expect(answer.string("error.details.field") == field)
            if !reason.isEmpty { #expect(answer.string("error.details.reason") == reason) }
        }
    }

    @Test func `members that nobody asked for are ignored`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let body = #"{"username": "alice", "password": "\#(APIHarness.password)", "device": {"os": "x"}}"#
            #expect(try await api.post(Self.login, body).status == 200)
        }
    }

    @Test func `a body may be as large as the limit and no larger`() async throws {
        var setup = APIHarness.Setup()
        setup.options.bodyLimit = 200
        try await APIHarness.run(setup) { api in
            _ = try await api.register()
            let padded = Self.right + String(repeating: " ", count: 200 - Self.right.utf8.count)
            #expect(try await api.post(Self.login, padded).status == 200)
            let answer = try await api.post(Self.login, padded + " ")
            #expect(answer.status == 413)
            #expect(answer["error.details.limit_bytes"] == .integer(200))
        }
    }

    @Test func `a body may be as deep as the limit and no deeper`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            func change(_ depth: Int) async throws -> TestAnswer {
                let nested = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
                return try await api.put("/api/v1/users/me", #"{"preferences": {"x": \#(nested)}}"#, as: alice)
            }
            #expect(try await change(30).status == 200)
            #expect(try await change(31).status == 400)
            #expect(try await change(10_000).status == 400)
        }
    }

    @Test(arguments: [
        ("application/json", 200), ("application/json; charset=utf-8", 200), ("Application/JSON", 200),
        ("application/merge-patch+json", 200), ("text/plain", 415), ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415), ("", 415), ("application/jsonp", 415),
    ])
    func `only JSON is taken for JSON`(_ type: String, _ status: Int) async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let answer = try await api.post(Self.login, Self.right, headers: [("Content-Type", type)])
            #expect(answer.status == status)
        }
    }

    @Test func `a body without a type is taken for JSON`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            var request = TestRequest(.post, Self.login)
            request.body = Bytes(Self.right.utf8)
            #expect(try await api.send(request).status == 200)
        }
    }

    @Test(arguments: [
        ("page=0", "page"), ("page=-1", "page"), ("page=x", "page"), ("page=", "page"), ("page=1&page=2", "page"),
        ("page=99999999999999999999", "page"), ("per_page=101", "per_page"), ("per_page=0", "per_page"),
        ("search=%00", "search"), ("search=%ff", "query"), ("search=%4", "query"), ("page=1.0", "page"),
        ("role=king", "role"), ("include_inactive=yes", "include_inactive"),
    ])
    func `a wrong query parameter is refused by name`(_ query: String, _ field: String) async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            let answer = try await api.get("/v1/admin/users?\(query)", as: root)
            #expect(answer.status == 400)
            #expect(answer.string("error.code") == "VALIDATION_ERROR")
            #expect(answer.string("error.details.field") == field)
        }
    }

    @Test(arguments: [
        "", "page=1", "page=1000000", "per_page=100", "unknown=1&unknown=2", "search=a+b%20c", "role=admin",
        "include_inactive=true", "include_inactive=0", "&&", "search=",
    ])
    func `a right query is taken, and unknown parameters are ignored`(_ query: String) async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            #expect(try await api.get("/v1/admin/users?\(query)", as: root).status == 200)
        }
    }
}
