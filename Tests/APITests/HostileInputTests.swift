import Accounts
import Base
import Net
import TestKit
import Testing
import Wire

@testable import API

/// Every row with everything that it did not ask for: the answer is a 4xx of its dialect or a success, never a failure
/// of the server, and always what the row declares.
@Suite struct HostileInputTests {
    /// What a member may hold instead of what it should.
    static let values = [
        "null", "true", "0", "-1", "1.5", "1e308", "99999999999999999999", #""""#, #""\u0000""#, #"" ""#,
        #""\ud83d\ude00""#,
        #""'; DROP TABLE users; --""#, #""../../etc/passwd""#, #""<script>alert(1)</script>""#, #""\u202e\u2028""#,
        "\"\(String(repeating: "x", count: 70_000))\"", "[]", "{}", "[[]]", #"[null, "admin", 7]"#, #"{"": null}"#,
        #"{"admin": {"$ne": ""}}"#,
    ]

    struct Row: Sendable, CustomTestStringConvertible {
        let route: Route
        var testDescription: String { "\(route.method.rawValue) \(route.path)" }
    }

    static let rows = DialectTables.all.flatMap(\.routes).map(Row.init)
    static let withBody = rows.filter { !properties($0.route).isEmpty }
    static let withQuery = rows.filter { !$0.route.query.isEmpty }
    static let withParameter = rows.filter { $0.route.path.contains("{") }

    static func properties(_ route: Route) -> [Property] {
        switch route.body {
        case .json(.object(let properties)), .optionalJSON(.object(let properties)): properties
        default: []
        }
    }

    /// A value that the schema takes, so that the other members can be reached.
    static func plain(_ schema: Schema) -> String {
        switch schema {
        case .nullable(let inner), .named(_, let inner): plain(inner)
        case .boolean: "true"
        case .integer(let range): "\(range.lowerBound)"
        case .number: "1"
        case .array: "[]"
        case .object, .map, .any, .binary: "{}"
        case .string(let rule):
            #""\#(rule.choices.first ?? String(repeating: "a", count: max(8, rule.lengths.lowerBound)))""#
        }
    }

    @discardableResult
    private func send(_ api: APIHarness, _ request: TestRequest) async throws -> TestAnswer {
        let answer = try await api.send(request)
        #expect(answer.status < 500, "\(request.path) \(String(decoding: request.body.prefix(200), as: UTF8.self))")
        return answer
    }

    @Test(arguments: withBody)
    func `a body of anything`(_ row: Row) async throws {
        let route = row.route
        try await APIHarness.run { api in
            let (root, other) = (try await api.administrator(), try await api.register())
            let path = Self.filled(route.path, "\(other.id)")
            let properties = Self.properties(route)
            var caller = root
            for hostile in properties {
                for value in Self.values {
                    let members = properties.map { property in
                        "\"\(property.name)\": \(property.name == hostile.name ? value : Self.plain(property.schema))"
                    }
                    let body = "{\(members.joined(separator: ", "))}"
                    let answer = try await send(api, TestRequest(route.method, path, body, as: caller))
                    // Some rows end the caller's sessions when they succeed.
                    if answer.status < 300 { caller = try await api.login(root.name) }
                }
            }
            for body in Self.values { try await send(api, TestRequest(route.method, path, body, as: caller)) }
        }
    }

    @Test(arguments: withQuery)
    func `a query of anything`(_ row: Row) async throws {
        let values = [
            "", "0", "-1", "1e9", "9223372036854775807", "9223372036854775808", "%00", "%ff", "%", "null", "true", "[]",
            "'", "%25", "_", "%5C", "a%20b", String(repeating: "x", count: 70_000), "%F0%9F%98%80",
        ]
        try await APIHarness.run { api in
            let root = try await api.administrator()
            for parameter in row.route.query {
                for value in values {
                    try await send(
                        api, TestRequest(row.route.method, "\(row.route.path)?\(parameter.name)=\(value)", as: root))
                }
            }
        }
    }

    @Test(arguments: withParameter)
    func `a path parameter of anything`(_ row: Row) async throws {
        let values = [
            "x", "0", "-", "%00", "%ff", "%2F", "%2e%2e", "..", "'", "%25", "user_", "user_x", "me", "*",
            "%F0%9F%98%80",
            "\(UUID.random())", "user_\(UUID.random())", "msg_\(UUID.random())", "{id}",
            String(repeating: "x", count: 70_000),
        ]
        var setup = APIHarness.Setup()
        setup.media = MediaAccess(service: try await TestMedia.make().service)
        try await APIHarness.run(setup) { api in
            let root = try await api.administrator()
            let type = if case .text(let type, _) = row.route.body { type } else { "application/json" }
            let body =
                switch row.route.body {
                case .none, .stream: ""
                case .text: "v=0"
                case .json, .optionalJSON:
                    "{\(Self.properties(row.route).map { "\"\($0.name)\": \(Self.plain($0.schema))" }.joined(separator: ", "))}"
                }
            for value in values {
                try await send(
                    api,
                    TestRequest(
                        row.route.method, Self.filled(row.route.path, value), body, as: root,
                        headers: [("Content-Type", type)]))
            }
        }
    }

    @Test(arguments: rows)
    func `headers of anything`(_ row: Row) async throws {
        let assets = try DocumentationAssets()
        var setup = APIHarness.Setup()
        setup.documentation = assets.pages
        try await APIHarness.run(setup) { api in
            let other = try await api.register()
            let path = Self.filled(row.route.path, "\(other.id)")
            for name in [
                "Authorization", "X-API-Key", "Cookie", "X-CSRF-Token", "Content-Type", "Idempotency-Key", "Origin",
                "X-Request-ID", "User-Agent", "Range", "If-None-Match", "Accept", "X-Forwarded-For",
            ] {
                for value in ["", "\u{0}", "ä", "Bearer \u{7F}", "plx_session=\"", "*"] {
                    try await send(api, TestRequest(row.route.method, path, headers: [(name, value)]))
                }
            }
        }
    }

    private static func filled(_ path: String, _ value: String) -> String {
        path.split(separator: "/").map { $0.hasPrefix("{") ? value : String($0) }.reduce("") { "\($0)/\($1)" }
    }
}
