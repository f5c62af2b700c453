import Accounts
import Base
import Testing
import Wire

@testable import API

/// The five documents against the tables: what they list is served or said to be missing, and what we add is listed.
@Suite struct EndpointTableTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let dialect: String
        let method: String
        let path: String
        let access: String
        let status: Int

        var testDescription: String { "\(dialect) \(method) \(path)" }
        var segments: [String] { path.split(separator: "/").map(String.init) }
    }

    static let rows: [Row] = sourceText("Tests/Vectors/spec/endpoints.tsv").split(separator: "\n").dropFirst().map {
        let columns = $0.split(separator: "\t").map(String.init)
        return Row(
            dialect: columns[0], method: columns[1], path: columns[2], access: columns[3], status: Int(columns[4]) ?? 0)
    }

    static let routes = DialectTables.all.flatMap(\.routes)

    /// Served, and in none of the documents; `docs/protocol/dialects.md` has a line for each.
    static let rowsOfOurs = [
        "GET /healthz", "GET /readyz", "GET /openapi.json", "GET /openapi/{dialect}",
        "GET /api/v1/auth/api-keys", "DELETE /api/v1/auth/api-keys/{key_id}",
        "POST /api/v1/auth/passkeys", "POST /api/v1/auth/passkeys/finish", "POST /api/v1/auth/passkeys/login",
        "POST /api/v1/auth/passkeys/login/finish", "POST /api/v1/auth/mfa/key", "POST /api/v1/auth/mfa/key/verify",
        "POST /api/v1/admin/service-accounts", "POST /api/v1/admin/users/{user_id}/tokens",
        "GET /api/v1/admin/users/{user_id}/tokens", "DELETE /api/v1/admin/tokens/{token_id}",
        "POST /api/v1/auth/logout-all", "POST /api/v1/auth/password", "DELETE /api/v1/users/me",
        "GET /api/v1/auth/mfa", "POST /api/v1/auth/mfa/{factor_id}/remove", "POST /api/v1/auth/mfa/recovery-codes",
        "POST /api/v1/auth/mfa/totp", "POST /api/v1/auth/mfa/totp/confirm", "POST /api/v1/auth/mfa/sent",
        "POST /api/v1/auth/mfa/sent/confirm", "POST /api/v1/auth/mfa/send",
        "GET /docs/swagger.js", "GET /docs/redoc.js", "GET /docs/assets/swagger-ui/swagger-ui.css",
        "GET /docs/assets/swagger-ui/swagger-ui-bundle.js", "GET /docs/assets/redoc/bundles/redoc.standalone.js",
        "POST /v1/channels/{id}/join", "PUT /v1/channels/{id}/mute", "PUT /v1/channels/{id}/members/{user_id}",
        "PUT /v1/organizations/{id}/members/{user_id}", "GET /v1/channels/{id}/invitations",
        "DELETE /v1/invitations/{id}", "POST /v1/channels/{id}/read", "GET /v1/channels/{id}/pins",
        "PUT /v1/messages/{id}/pin", "GET /v1/messages/{id}/versions", "POST /v1/search",
        "GET /api/v1/users/me/export", "GET /api/v1/chat/devices", "PUT /api/v1/chat/devices/{device_id}",
        "DELETE /api/v1/chat/devices/{device_id}",
        "POST /api/v1/chat/devices/query", "GET /api/v1/chat/users/{user_id}/devices/changes",
        "POST /api/v1/chat/users/{user_id}/keys/claim", "POST /api/v1/chat/messages/{message_id}/failures",
        "POST /v1/channels/{id}/webhooks", "GET /v1/channels/{id}/webhooks",
        "GET /v1/webhooks/{id}", "PUT /v1/webhooks/{id}",
        "DELETE /v1/webhooks/{id}", "POST /v1/webhooks/{id}/replay",
        "POST /v1/channels/{id}/incoming-webhooks", "GET /v1/channels/{id}/incoming-webhooks",
        "DELETE /v1/incoming-webhooks/{id}", "POST /v1/hooks/{token}",
        "GET /v1/files/{id}/shares", "DELETE /v1/files/{id}/shares/{share_id}", "GET /v1/files/shared/{token}",
        "POST /v1/files/uploads", "GET /v1/files/uploads/{id}", "PATCH /v1/files/uploads/{id}",
        "DELETE /v1/files/uploads/{id}",
        "GET /backups/schedules", "DELETE /backups/schedules/{schedule_id}",
        "GET /tasks", "GET /tasks/{task_id}", "DELETE /tasks/{task_id}",
        "DELETE /users/me/avatar", "GET /users/avatars/{avatar}",
        "GET /calls/{call_id}/recording", "POST /calls/{call_id}/recording/consent", "GET /recordings",
        "GET /recordings/{recording_id}", "DELETE /recordings/{recording_id}", "PUT /recordings/{recording_id}/hold",
        "POST /recordings/{recording_id}/shares", "DELETE /recordings/{recording_id}/shares/{user_id}",
        "POST /api/v1/calls/initiate", "POST /whip/{room}", "PATCH /whip/{room}/{session}",
        "DELETE /whip/{room}/{session}",
        "POST /whep/{room}", "PATCH /whep/{room}/{session}", "DELETE /whep/{room}/{session}",
    ]

    @Test func `the file has all rows of the documents`() {
        #expect(Self.rows.count == 182)
        #expect(Self.rows.count { $0.method == "WS" } == 9)
    }

    @Test(arguments: rows)
    func `a row of the documents is served as they say, or is said to be missing`(_ row: Row) {
        // One socket speaks two documents' styles, and can be in one table only.
        let isShared = row.method == "WS" && row.path == "/ws"
        let served = Self.routes.filter { Self.isSame($0, row) && (isShared || $0.dialect.rawValue == row.dialect) }
        guard let route = served.first else {
            return #expect(
                PathClaims.missingFeature(at: row.segments[...]) != nil, "neither served nor said to be missing")
        }
        #expect(served.count == 1)
        #expect(route.status.code == row.status)
        #expect(Self.access(route.access) == row.access)
        // Where two documents claim a path, a failure before the choice is worded by the first of them.
        let first = Dialect.allCases.first { dialect in
            Self.routes.contains { Self.isSame($0, row) && $0.dialect == dialect }
        }
        #expect(PathClaims.owner(of: row.segments) == first, "a failure would be worded by another dialect")
    }

    @Test func `what we serve beside the documents is in the list`() {
        let ours = Self.routes.filter { route in
            !Self.rows.contains { Self.isSame(route, $0) && route.dialect.rawValue == $0.dialect }
        }
        #expect(Set(ours.map(Self.title)) == Set(Self.rowsOfOurs))
    }

    @Test(arguments: rowsOfOurs)
    func `each row of ours has a line in the docs`(_ row: String) {
        let page = sourceText("docs/protocol/dialects.md")
        #expect(page.contains("\n| `\(row)` |"))
    }

    @Test func `what is said to be missing is in the documents and not served`() {
        for (prefix, what) in PathClaims.notBuiltYet {
            let fits = { (segments: [String]) in
                segments.count >= prefix.count && zip(prefix, segments).allSatisfy { $0 == "*" || $0 == $1 }
            }
            #expect(Self.rows.contains { fits($0.segments) }, "\(what): \(prefix) is in no document")
            #expect(!Self.routes.contains { fits(Router.segments(ofPattern: $0.path)) }, "\(what) is served")
        }
    }

    // MARK: -

    private static func title(_ route: Route) -> String {
        "\(route.isSocket ? "WS" : route.method.rawValue) \(route.path)"
    }

    private static func isSame(_ route: Route, _ row: Row) -> Bool {
        (route.isSocket ? "WS" : route.method.rawValue) == row.method && shape(route.path) == shape(row.path)
    }

    /// The names of parameters are ours to choose; their places are not.
    private static func shape(_ path: String) -> [String] {
        path.split(separator: "/").map { $0.hasPrefix("{") ? "{}" : String($0) }
    }

    private static func access(_ access: RouteAccess) -> String {
        switch access {
        case .everyone: "public"
        case .user: "user"
        case .admin: "admin"
        case .adminOrSelf: "admin|self"
        case .scope(let scopes): scopes.names.joined(separator: "|")
        case .participant: "participant"
        case .owner(let scopes): scopes.names.joined(separator: "|") + "|owner"
        case .standing(let standing): standing.rawValue
        }
    }
}
