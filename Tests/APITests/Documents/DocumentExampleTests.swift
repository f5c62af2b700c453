import Accounts
import Base
import TestKit
import Testing
import Wire

@testable import API

/// The documents' own examples, sent as they stand there, and what comes back held against theirs, field by field.
@Suite struct DocumentExampleTests {
    @Test(arguments: DocumentExample.all)
    func `an example of a document is answered as the document says`(_ example: DocumentExample) async throws {
        let assets = try DocumentationAssets()
        var setup = APIHarness.Setup()
        setup.documentation = assets.pages
        try await APIHarness.run(setup) { api in
            let answer = try await ExampleWorld(api, for: example).send(example)
            #expect(answer.status == example.status, "\(answer.text)")
            guard !example.answer.isEmpty else { return }
            try Self.compare(example, answer)
        }
    }

    private static func compare(_ example: DocumentExample, _ answer: TestAnswer) throws {
        let document = try JSONValue(parsing: Bytes(example.answer.utf8))
        let found = DocumentComparison(document, try #require(answer.json)).differences
        for (path, difference) in found where example.deviations[path] == nil {
            Issue.record("\(path) \(difference)")
        }
        for (path, reason) in example.deviations {
            #expect(found[path] != nil, "\(path) is as in the document by now; the list says: \(reason)")
        }
        for path in example.equal {
            let expected = path.split(separator: ".").reduce(document as JSONValue?) { $0?[String($1)] }
            #expect(answer[path] == expected, "\(path)")
        }
    }

    /// But the sockets': what goes over them is no answer to a request, and `SignalingCodecTests` has the documents'
    /// messages.
    @Test func `every row of a document that is served has an example here`() {
        for row in EndpointTableTests.rows
        where row.method != "WS" && PathClaims.missingFeature(at: row.segments[...]) == nil {
            let has = DocumentExample.all.contains { example in
                let segments = example.path.prefix { $0 != "?" }.split(separator: "/")
                return example.method.rawValue == row.method && segments.count == row.segments.count
                    && zip(row.segments, segments).allSatisfy { $0.hasPrefix("{") ? $1.hasPrefix("$") : $0 == $1 }
            }
            #expect(has, "\(row.testDescription)")
        }
    }

    // MARK: What the examples show besides

    @Test func `an API key begins with plx_ and is used as reference shows it`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            let made = try await api.post(
                "/api/v1/auth/api-keys", #"{"name": "My API Key", "permissions": ["read", "write"]}"#, as: alice)
            let key = try #require(made.string("key"))
            #expect(key.hasPrefix("plx_"))
            let me = try await api.get("/api/v1/users/me", headers: [("X-API-Key", key)])
            #expect(me.string("username") == "alice")
        }
    }

    @Test func `a session cookie is used as reference shows it`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let login = try await api.post(
                "/api/v1/auth/login", #"{"username": "alice", "password": "\#(APIHarness.password)"}"#)
            let jar = login.headers("set-cookie").map { $0.prefix { $0 != ";" } }.joined(separator: "; ")
            #expect(try await api.get("/api/v1/users/me", headers: [("Cookie", jar)]).string("username") == "alice")
        }
    }

    @Test func `the first administrator has no address until one is set`() async throws {
        // reference.md shows one; the server cannot know it, and invents none.
        try await APIHarness.run { api in
            let password = try #require(try await api.accounts.ensureAdministrator(password: nil))
            let login = try await api.post(
                "/api/v1/auth/login", #"{"username": "admin", "password": "\#(password.exposedText)"}"#)
            let headers = [("Authorization", "Bearer \(login.string("access_token") ?? "")")]
            let me = try await api.get("/api/v1/users/me", headers: headers)
            #expect(me["email"] == .null)
            #expect(me["roles"]?.arrayValue?.contains(.string("admin")) == true)
            #expect(try await api.accounts.ensureAdministrator(password: nil) == nil)
        }
    }

    @Test func `remember me makes the session longer`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            for (flag, days, status) in [("false", 6, 200), ("false", 8, 401), ("true", 8, 200), ("true", 31, 401)] {
                let login = try await api.post(
                    "/api/v1/auth/login",
                    #"{"username": "alice", "password": "\#(APIHarness.password)", "remember_me": \#(flag)}"#)
                api.advance(by: .days(days))
                let body = #"{"refresh_token": "\#(login.string("refresh_token") ?? "")"}"#
                #expect(try await api.post("/api/v1/auth/refresh", body).status == status)
            }
        }
    }

    @Test func `rooms' refresh token is good for its seven days, since its answers hold no new one`() async throws {
        try await APIHarness.run { api in
            _ = try await api.register()
            let login = try await api.post(
                "/auth/login", #"{"username": "alice", "password": "\#(APIHarness.password)"}"#)
            let body = #"{"refresh_token": "\#(login.string("data.refresh_token") ?? "")"}"#
            for _ in 0..<3 {
                #expect(try await api.post("/auth/refresh", body).status == 200)
                api.advance(by: .days(2))
            }
            api.advance(by: .days(1))
            #expect(try await api.post("/auth/refresh", body).status == 401)
        }
    }

    // MARK: Failures

    private static let failures: [(name: String, request: TestRequest, status: Int, answer: String, equal: [String])] =
        [
            (
                "reference", TestRequest(.put, "/api/v1/users/me", #"{"email": "nonsense"}"#), 422,
                """
                {"error": {"code": "VALIDATION_ERROR", "message": "Invalid input data",
                 "details": {"field": "email", "reason": "Invalid email format"},
                 "request_id": "req_123456789", "timestamp": "2025-01-15T10:30:00Z"}}
                """, ["error.code", "error.details.field"]
            ),
            (
                "design", TestRequest(.put, "/v1/auth/me", #"{"email": "nonsense"}"#), 400,
                """
                {"success": false, "error": {"code": "VALIDATION_ERROR", "message": "Invalid input provided",
                 "details": {"field": "email", "reason": "Invalid email format"}},
                 "meta": {"timestamp": "2024-01-01T12:00:00Z", "request_id": "req_123456789"}}
                """, ["success", "error.code", "error.details.field"]
            ),
            (
                "rooms", TestRequest(.put, "/users/me", #"{"display_name": ""}"#), 422,
                """
                {"success": false, "error": {"code": "VALIDATION_LENGTH_EXCEEDED", "message": "Human readable error message",
                 "details": {"field": "display_name", "reason": "string"}}}
                """, ["success", "error.code", "error.details.field"]
            ),
            (
                "manual", TestRequest(.get, "/nothing", headers: [("X-Request-ID", "uuid")]), 404,
                #"{"code": "not_found", "detail": "User storage quota exceeded", "request_id": "string", "info": {}}"#,
                ["code"]
            ),
            (
                "calls", TestRequest(.get, "/api/v1/calls/\(UUID.random())"), 404,
                #"{"detail": "Error description", "error_code": "NOT_FOUND", "extra_info": {}}"#, ["error_code"]
            ),
        ]

    @Test(arguments: 0..<5)
    func `a failure has the document's shape`(_ number: Int) async throws {
        let row = Self.failures[number]
        try await APIHarness.run { api in
            let alice = try await api.register()
            var request = row.request
            request.headers.append(("Authorization", "Bearer \(alice.token)"))
            let answer = try await api.send(request)
            let example = DocumentExample(
                document: row.name, method: request.method, path: request.path, answer: row.answer, equal: row.equal)
            #expect(answer.status == row.status)
            try Self.compare(example, answer)
        }
    }

    @Test func `reference's table of error codes is what comes`() async throws {
        var setup = APIHarness.Setup()
        setup.limits.scale = 1
        try await APIHarness.run(setup) { api in
            let (alice, root) = (try await api.register(), try await api.administrator())
            func expect(_ status: Int, _ code: String, _ answer: TestAnswer) {
                #expect(answer.status == status)
                #expect(answer.string("error.code") == code)
            }
            expect(401, "AUTHENTICATION_REQUIRED", try await api.get("/api/v1/users/me"))
            let wrong = #"{"username": "alice", "password": "wrong password"}"#
            expect(401, "INVALID_CREDENTIALS", try await api.post("/api/v1/auth/login", wrong))
            expect(403, "INSUFFICIENT_PERMISSIONS", try await api.get("/api/v1/users", as: alice))
            expect(404, "RESOURCE_NOT_FOUND", try await api.get("/api/v1/users/7", as: alice))
            expect(422, "VALIDATION_ERROR", try await api.post("/api/v1/users", "{}", as: root))
            for _ in 0..<10 { _ = try await api.post("/api/v1/auth/login", "{}") }
            expect(429, "RATE_LIMIT_EXCEEDED", try await api.post("/api/v1/auth/login", "{}"))
            api.advance(by: .hours(1))
            expect(401, "TOKEN_EXPIRED", try await api.get("/api/v1/users/me", as: alice))
        }
    }

    @Test func `rooms' error codes are what comes`() async throws {
        try await APIHarness.run { api in
            let (alice, root) = (try await api.register(), try await api.administrator())
            func expect(_ status: Int, _ code: String, _ answer: TestAnswer) {
                #expect(answer.status == status)
                #expect(answer.string("error.code") == code)
            }
            func login(_ name: String, _ password: String) async throws -> TestAnswer {
                try await api.post("/auth/login", #"{"username": "\#(name)", "password": "\#(password)"}"#)
            }
            func register(_ name: String, _ email: String) async throws -> TestAnswer {
                try await api.post(
                    "/auth/register",
                    #"{"username": "\#(name)", "email": "\#(email)", "password": "12345678", "display_name": "x"}"#)
            }
            expect(401, "AUTH_INVALID_CREDENTIALS", try await login("alice", "wrong password"))
            expect(401, "AUTH_INVALID_CREDENTIALS", try await login("nobody", "wrong password"))
            expect(401, "AUTH_TOKEN_INVALID", try await api.get("/users/me"))
            expect(401, "AUTH_REFRESH_TOKEN_INVALID", try await api.post("/auth/refresh", #"{"refresh_token": "x"}"#))
            expect(409, "RESOURCE_ALREADY_EXISTS", try await register("ALICE", "other@example.org"))
            expect(409, "RESOURCE_ALREADY_EXISTS", try await register("other", "Alice@example.org"))
            expect(422, "VALIDATION_INVALID_FORMAT", try await register("al ice", "a@example.org"))
            expect(422, "VALIDATION_INVALID_FORMAT", try await register("other", "nonsense"))
            expect(422, "VALIDATION_REQUIRED_FIELD", try await api.post("/auth/register", "{}"))
            expect(404, "RESOURCE_NOT_FOUND", try await api.get("/users/7", as: alice))
            _ = try await api.put("/v1/admin/users/\(alice.id)/status", #"{"status": "inactive"}"#, as: root)
            expect(403, "AUTH_USER_INACTIVE", try await login("alice", APIHarness.password))
        }
    }
}
