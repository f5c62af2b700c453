import Base
import Net
import TestKit
import Testing
import Wire

@testable import API

@Suite struct RouterTests {
    private static let router = Router(
        [
            "GET /things", "POST /things", "GET /things/{id}", "DELETE /things/{id}", "POST /things/bulk",
            "GET /things/{id}/parts/{part}", "GET /things/new/parts",
        ].map { row in
            let parts = row.split(separator: " ").map(String.init)
            return Route(
                method: HTTPMethod(rawValue: parts[0]) ?? .get, path: parts[1], access: .everyone, status: .ok,
                limit: .standard, query: [], body: .none, answer: nil, summary: row, operation: { _ in .empty })
        })

    private func find(_ method: HTTPMethod, _ path: String) -> String {
        switch Self.router.route(method, path.split(separator: "/").map(String.init)[...]) {
        case .found(let match): "\(match.routes[0].summary) \(match.parameterValues)"
        case .wrongMethod(let allowed): "405 \(allowed.map(\.rawValue).sorted())"
        case .notFound: "404"
        }
    }

    @Test(arguments: [
        ("GET", "/things", "GET /things []"),
        ("GET", "/things/7", #"GET /things/{id} ["7"]"#),
        ("POST", "/things/bulk", "POST /things/bulk []"),
        // The literal has no row for GET: the parameter gets its turn.
        ("GET", "/things/bulk", #"GET /things/{id} ["bulk"]"#),
        ("GET", "/things/7/parts/8", #"GET /things/{id}/parts/{part} ["7", "8"]"#),
        ("GET", "/things/new/parts", "GET /things/new/parts []"),
        // The way through the literal is a dead end, so that the values begin anew.
        ("GET", "/things/new/parts/8", #"GET /things/{id}/parts/{part} ["new", "8"]"#),
        ("HEAD", "/things", "GET /things []"),
        ("PUT", "/things", #"405 ["GET", "HEAD", "POST"]"#),
        ("PUT", "/things/bulk", #"405 ["DELETE", "GET", "HEAD", "POST"]"#),
        ("GET", "/things/7/parts", "404"), ("GET", "/nothing", "404"), ("GET", "/", "404"),
    ])
    func `a path leads to its row`(_ method: String, _ path: String, _ expected: String) throws {
        #expect(find(try #require(HTTPMethod(rawValue: method)), path) == expected)
    }

    @Test func `a path is the same with and without a trailing slash`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            for path in ["/users/me", "/api/v1/users/me", "/v1/auth/me", "/v1/users/\(alice.id)", "/health"] {
                #expect(try await api.get(path, as: alice).status == 200)
                #expect(try await api.get(path + "/", as: alice).status == 200, "\(path)/")
                #expect(try await api.get(path + "//", as: alice).status == 404, "\(path)//")
            }
            #expect(try await api.get("/").status == 404)
        }
    }

    @Test func `a wrong method is 405 and names the right ones, in each dialect`() async throws {
        try await APIHarness.run { api in
            let cases = [
                ("/healthz", "code", "method_not_allowed"), ("/api/v1/auth/login", "error.code", "METHOD_NOT_ALLOWED"),
                ("/v1/auth/login", "error.code", "METHOD_NOT_ALLOWED"),
                ("/auth/login", "error.code", "RESOURCE_NOT_FOUND"),
            ]
            for (path, member, code) in cases {
                let answer = try await api.delete(path)
                #expect(answer.status == 405)
                #expect(answer.string(member) == code)
                #expect(answer.header("allow") == (path == "/healthz" ? "GET, HEAD" : "POST"))
            }
        }
    }

    @Test func `OPTIONS names the methods of a path`() async throws {
        try await APIHarness.run { api in
            let answer = try await api.send(TestRequest(.options, "/api/v1/users/me"))
            #expect(answer.status == 204)
            #expect(answer.header("allow") == "GET, HEAD, PUT, DELETE, OPTIONS")
            #expect(try await api.send(TestRequest(.options, "*")).status == 204)
        }
    }

    @Test func `HEAD is answered like GET`() async throws {
        try await APIHarness.run { api in
            let alice = try await api.register()
            #expect(try await api.send(TestRequest(.head, "/v1/auth/me", as: alice)).status == 200)
            #expect(try await api.send(TestRequest(.head, "/v1/auth/me")).status == 401)
        }
    }

    @Test func `a parameter that is no identifier names nothing`() async throws {
        try await APIHarness.run { api in
            let root = try await api.administrator()
            #expect(try await api.get("/v1/users/7", as: root).status == 404)
            #expect(try await api.get("/v1/users/user_\(root.id)", as: root).string("data.id") == "\(root.id)")
            #expect(try await api.get("/v1/users/%00", as: root).status == 400)
        }
    }
}
