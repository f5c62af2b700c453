import Base
import TestKit
import Testing

@testable import API

@Suite struct PathClaimsTests {
    private static let owners: [(path: String, owner: Dialect)] = [
        ("", .manual), ("cluster/nodes", .manual), ("backups", .manual), ("calls/initiate", .manual),
        ("client-settings", .manual), ("anything/else", .manual), ("api", .manual), ("api/v2/users", .manual),
        ("api/v1", .manual), ("api/v1/cluster/nodes", .manual), ("api/v1/client-settings/x", .manual),
        ("v1", .design), ("v1/auth/login", .design), ("v1/nothing", .design), ("v1/calls/7", .design),
        ("api/v1/auth/login", .reference), ("api/v1/users/me", .reference), ("api/v1/messages", .reference),
        ("api/v1/files/7", .reference), ("api/v1/ai/chat", .reference), ("api/v1/admin/backup", .reference),
        ("docs", .reference), ("redoc", .reference), ("ws", .reference),
        ("api/v1/conversations", .calls), ("api/v1/chat/ws/7", .calls), ("api/v1/calls/7/join", .calls),
        ("api/v1/calls/history", .calls), ("api/v1/calls", .calls),
        // manual stands above calls in the documents' list.
        ("api/v1/calls/initiate", .manual),
        ("auth/login", .rooms), ("users/me", .rooms), ("chatrooms/7", .rooms), ("upload/file", .rooms),
        ("health", .rooms), ("metrics", .rooms), ("whip/stage", .media), ("whep/stage/7", .media),
    ]

    @Test(arguments: owners)
    func `a path has one owner, who words its failures`(_ path: String, _ owner: Dialect) {
        #expect(PathClaims.owner(of: path.split(separator: "/").map(String.init)) == owner)
    }

    @Test func `manual's rows are found under its second mount too, and nobody else's are`() {
        let routing = { (path: String) in
            PathClaims.routingSegments(path.split(separator: "/").map(String.init)).joined(separator: "/")
        }
        #expect(routing("api/v1/cluster/nodes") == "cluster/nodes")
        #expect(routing("api/v1/healthz") == "healthz")
        #expect(routing("api/v1/users/me") == "api/v1/users/me")
        #expect(routing("api/v1/calls/initiate") == "api/v1/calls/initiate")
        #expect(routing("api/v1") == "api/v1")
        #expect(routing("v1/users") == "v1/users")
        #expect(routing("cluster/nodes") == "cluster/nodes")
    }

    struct Choice: Sendable {
        let dialects: [Dialect]
        let fields: Set<String>
        let slash: Bool
        let chosen: Dialect?
    }

    private static let messages: [Dialect] = [.reference, .calls]
    private static let initiate: [Dialect] = [.manual, .calls]

    @Test(arguments: [
        Choice(dialects: messages, fields: ["channel_id"], slash: false, chosen: .reference),
        Choice(dialects: messages, fields: ["channel_id"], slash: true, chosen: .reference),
        Choice(dialects: messages, fields: ["conversation_id"], slash: false, chosen: .calls),
        Choice(dialects: messages, fields: ["conversation_id"], slash: true, chosen: .calls),
        Choice(dialects: messages, fields: ["channel_id", "conversation_id"], slash: true, chosen: .reference),
        Choice(dialects: messages, fields: [], slash: true, chosen: .calls),
        Choice(dialects: messages, fields: ["limit"], slash: false, chosen: .reference),
        Choice(dialects: initiate, fields: ["to_user_id"], slash: false, chosen: .manual),
        Choice(dialects: initiate, fields: ["participants"], slash: false, chosen: .calls),
        Choice(dialects: initiate, fields: [], slash: true, chosen: .calls),
        Choice(dialects: initiate, fields: ["to_user_id", "participants"], slash: false, chosen: .manual),
        Choice(dialects: [.rooms], fields: ["channel_id"], slash: true, chosen: .rooms),
        Choice(dialects: [], fields: [], slash: false, chosen: nil),
    ])
    func `the request decides between two claimants`(_ choice: Choice) {
        for dialects in [choice.dialects, choice.dialects.reversed()] {
            let chosen = PathClaims.choose(
                among: dialects, hasTrailingSlash: choice.slash, mentions: { choice.fields.contains($0) })
            #expect(chosen == choice.chosen)
        }
    }

    @Test func `two dialects' rows for one path are chosen between, failures included`() async throws {
        var setup = APIHarness.Setup()
        setup.tables = TwoClaimants.tables
        try await APIHarness.run(setup) { api in
            let alice = try await api.register()
            #expect(try await api.get("/api/v1/messages?channel_id=7", as: alice).string("who") == "reference")
            #expect(try await api.get("/api/v1/messages/?channel_id=7", as: alice).string("who") == "reference")
            #expect(try await api.get("/api/v1/messages?conversation_id=7", as: alice).string("who") == "calls")
            #expect(try await api.get("/api/v1/messages/", as: alice).string("who") == "calls")
            #expect(try await api.get("/api/v1/messages", as: alice).string("who") == "reference")
            let post = { (body: String) in try await api.post("/api/v1/messages", body, as: alice) }
            #expect(try await post(#"{"channel_id": "7"}"#).string("who") == "reference")
            #expect(try await post(#"{"conversation_id": "7"}"#).string("who") == "calls")
            #expect(try await post(#"{"conversation_id": 7}"#).string("error_code") == "VALIDATION_ERROR")
            #expect(try await post(#"{"channel_id": 7}"#).string("error.code") == "VALIDATION_ERROR")
            #expect(try await api.get("/api/v1/messages/").string("error.code") == "AUTHENTICATION_REQUIRED")
        }
    }
}

/// The tables with rows that tell who was chosen, for a path that two documents claim.
private enum TwoClaimants {
    static var tables: [DialectTable] {
        DialectTables.all.map { table in
            switch table.dialect {
            case .reference: DialectTable(.reference, table.format, others(table) + rows("reference", "channel_id"))
            case .calls: DialectTable(.calls, table.format, others(table) + rows("calls", "conversation_id"))
            default: table
            }
        }
    }

    private static func others(_ table: DialectTable) -> [Route] {
        table.routes.filter { $0.path != "/api/v1/messages" }
    }

    private static func rows(_ who: String, _ field: String) -> [Route] {
        let answer = Schema.object([.required("who", .text)])
        let reply = Reply.json(Bytes(#"{"who":"\#(who)"}"#.utf8))
        return [
            .get("/api/v1/messages", .user, "Messages", query: [Parameter(field, .text)], answer: answer) { _ in reply
            },
            .post(
                "/api/v1/messages", .user, "Send", body: .json(.object([.required(field, .text)])), answer: answer
            ) { _ in reply },
        ]
    }
}
