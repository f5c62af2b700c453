import Base
import Net
import TestKit
import Testing
import Wire

@testable import API

@Suite struct StandardHeaderTests {
    // MARK: Security

    @Test(arguments: ["/health", "/v1/auth/me", "/nothing", "/metrics", "/docs"])
    func `every answer has design's security headers`(_ path: String) async throws {
        try await APIHarness.run { api in
            for isSecure in [false, true] {
                var request = TestRequest(.get, path)
                request.isSecure = isSecure
                let answer = try await api.send(request)
                #expect(answer.headers("x-content-type-options") == ["nosniff"])
                #expect(answer.headers("x-frame-options") == ["DENY"])
                #expect(answer.headers("x-xss-protection") == ["1; mode=block"])
                let policy = try #require(answer.header("content-security-policy"))
                #expect(policy.hasPrefix("default-src 'self'"))
                #expect((policy == "default-src 'self'") == (path != "/docs"))
                // RFC 6797 §7.2: never over plain HTTP.
                let expected = isSecure ? ["max-age=31536000; includeSubDomains"] : []
                #expect(answer.headers("strict-transport-security") == expected)
            }
        }
    }

    // MARK: CORS

    private static let site = "https://app.example"

    private static func cors(_ origins: [String], credentials: Bool = false) -> APIHarness.Setup {
        var setup = APIHarness.Setup()
        setup.options.cors = CORSPolicy(origins: origins, allowsCredentials: credentials)
        return setup
    }

    private static func preflight(_ origin: String) -> TestRequest {
        TestRequest(
            .options, "/api/v1/users/me",
            headers: [
                ("Origin", origin), ("Access-Control-Request-Method", "PUT"),
                ("Access-Control-Request-Headers", "authorization,content-type"),
            ])
    }

    private static func corsHeaders(_ answer: TestAnswer) -> [String] {
        answer.headers.map(\.name).filter { $0.hasPrefix("access-control-") }.sorted()
    }

    @Test func `without configured origins no other site is let in`() async throws {
        try await APIHarness.run { api in
            let preflight = try await api.send(Self.preflight(Self.site))
            #expect(preflight.status == 204)
            #expect(Self.corsHeaders(preflight).isEmpty)
            #expect(Self.corsHeaders(try await api.get("/health", headers: [("Origin", Self.site)])).isEmpty)
        }
    }

    @Test func `a configured origin is let in by name`() async throws {
        try await APIHarness.run(Self.cors([Self.site, "https://b.example"], credentials: true)) { api in
            let preflight = try await api.send(Self.preflight(Self.site))
            #expect(preflight.status == 204)
            #expect(preflight.headers("access-control-allow-origin") == [Self.site])
            #expect(preflight.header("access-control-allow-credentials") == "true")
            #expect(preflight.header("access-control-allow-methods")?.contains("PUT") == true)
            let allowed = preflight.header("access-control-allow-headers")?.lowercased() ?? ""
            for name in [
                "authorization", "content-type", "x-api-key", "x-csrf-token", "idempotency-key", "x-request-id",
            ] {
                #expect(allowed.contains(name))
            }
            #expect(preflight.header("access-control-max-age") == "600")
            #expect(preflight.header("vary") == "Origin")

            let answer = try await api.get("/health", headers: [("Origin", "https://b.example")])
            #expect(answer.headers("access-control-allow-origin") == ["https://b.example"])
            let exposed = answer.header("access-control-expose-headers") ?? ""
            for name in ["X-Request-ID", "X-RateLimit-Remaining", "Retry-After", "Idempotent-Replayed"] {
                #expect(exposed.contains(name))
            }
        }
    }

    @Test(arguments: ["https://evil.example", "http://app.example", "https://app.example.evil", "null", "", "*"])
    func `another origin learns nothing`(_ origin: String) async throws {
        try await APIHarness.run(Self.cors([Self.site], credentials: true)) { api in
            #expect(Self.corsHeaders(try await api.send(Self.preflight(origin))).isEmpty)
            let answer = try await api.get("/health", headers: [("Origin", origin)])
            #expect(Self.corsHeaders(answer).isEmpty)
            // The answer depends on the origin even where it is refused: caches must know.
            #expect(answer.header("vary") == "Origin")
        }
    }

    @Test func `any origin is let in without its cookies only`() async throws {
        try await APIHarness.run(Self.cors(["*"], credentials: true)) { api in
            for origin in [Self.site, "*"] {
                let answer = try await api.get("/health", headers: [("Origin", origin)])
                #expect(answer.headers("access-control-allow-origin") == ["*"])
                #expect(answer.header("access-control-allow-credentials") == nil)
            }
        }
    }

    @Test func `failures can be read across origins too`() async throws {
        try await APIHarness.run(Self.cors([Self.site])) { api in
            let answer = try await api.get("/v1/auth/me", headers: [("Origin", Self.site)])
            #expect(answer.status == 401)
            #expect(answer.header("access-control-allow-origin") == Self.site)
        }
    }
}
