// reference.md, "User Management".

import Accounts
import Base
import Store
import Wire

extension ReferenceRoutes {
    static var users: [Route] {
        [
            .get("/api/v1/users/me", .user, "The caller's profile", answer: ReferencePresenter.userSchema) { call in
                reply(try await call.accounts.profile(try call.principal))
            },
            .put(
                "/api/v1/users/me", .user, "Change the caller's profile",
                body: .json(
                    .object([
                        .optional("display_name", AccountFields.displayName), .optional("email", AccountFields.email),
                        .optional("avatar_url", .nullable(AccountFields.avatarURL)),
                        .optional("preferences", AccountFields.preferences),
                    ])), answer: ReferencePresenter.userSchema
            ) { call in
                reply(
                    try await call.accounts.updateProfile(try call.principal, call.profileChanges, origin: call.origin))
            },
            .get(
                "/api/v1/users", .admin, "List users", limit: .admin,
                query: listParameters + [Parameter("search", .text(0...100))], answer: ReferencePresenter.usersSchema
            ) { call in try await list(call, includesInactive: false) },
            .post(
                "/api/v1/users", .admin, "Create a user", status: .created, limit: .admin,
                body: .json(
                    .object([
                        .required("username", AccountFields.newUsername), .required("email", AccountFields.email),
                        .required("password", AccountFields.newPassword),
                        .optional("display_name", .nullable(AccountFields.displayName)),
                        .optional("roles", AccountFields.roles),
                    ])), answer: ReferencePresenter.userSchema
            ) { call in
                let registration = Registration(
                    username: try call.text("username"), email: try call.text("email"),
                    password: try call.secret("password"), displayName: call.optionalText("display_name"))
                let roles = try Roles(names: call.body["roles"]?.arrayValue ?? [], field: "roles")
                return reply(
                    try await call.accounts.createUser(
                        NewUser(registration, roles: roles.union(.user)), by: .principal(try call.principal),
                        origin: call.origin))
            },
        ]
    }

    static var administration: [Route] {
        [
            .get(
                "/api/v1/admin/users", .admin, "List users with filters", limit: .admin,
                query: listParameters + [
                    Parameter("search", .text(0...100)), Parameter("include_inactive", .boolean),
                    Parameter("role", .choice(Roles.allNames)),
                ], answer: ReferencePresenter.usersSchema
            ) { call in
                try await list(
                    call, includesInactive: call.queryFlag("include_inactive") ?? false,
                    role: call.queryText("role").flatMap(Roles.init(name:)))
            },
            .get(
                "/api/v1/admin/system/status", .admin, "State of the system", limit: .admin,
                answer: systemStatusSchema
            ) { call in systemStatus(await call.services.health.report()) },
        ]
    }

    private static let listParameters = NumberedPage.parameters(size: "limit", default: 20)

    private static func reply(_ user: User) -> Reply {
        ReferencePresenter.reply { json in ReferencePresenter.user(user, into: &json) }
    }

    private static func list(
        _ call: Call, includesInactive: Bool, role: Roles? = nil
    ) async throws -> Reply {
        let page = NumberedPage(call, size: "limit", default: 20)
        let filter = UserFilter(
            search: call.queryText("search"), role: role, includesInactive: includesInactive, offset: page.offset,
            limit: page.size)
        let found = try await call.accounts.users(filter, by: .principal(try call.principal))
        return ReferencePresenter.users(found.items, page.with(total: found.total))
    }

    // MARK: System status

    private static func systemStatus(_ report: HealthReport) -> Reply {
        ReferencePresenter.reply { json in
            json.field("status", report.isHealthy ? "healthy" : "unhealthy")
            json.field("version", report.version)
            json.field("uptime", Int(report.uptime.inSeconds))
            json.object("database") { json in
                json.field("status", report.isHealthy ? "connected" : "disconnected")
                json.field("connections", report.database.connections)
                json.field("pool_size", report.database.poolSize)
            }
            json.object("cache") { json in
                json.field("status", "not_configured")
                json.null("memory_usage")
                json.null("hit_rate")
            }
            json.object("security") { json in
                json.field("encryption_status", "active")
                // Nothing judges threats or scans yet: no level is invented.
                json.field("threat_level", "unknown")
                json.null("last_security_scan")
            }
            json.object("performance") { json in
                json.field("cpu_usage", report.load.cpu)
                json.field("memory_usage", report.load.memory)
                json.field("disk_usage", report.load.disk)
                json.field("response_time_ms", report.meanResponse)
            }
        }
    }

    private static let systemStatusSchema = Schema.object([
        .required("status", .choice(["healthy", "unhealthy"])), .required("version", .text),
        .required("uptime", .count),
        .required(
            "database",
            .object([.required("status", .text), .required("connections", .count), .required("pool_size", .count)])),
        .required("cache", .map(.any, limit: 8)), .required("security", .map(.any, limit: 8)),
        .required(
            "performance",
            .object([
                .required("cpu_usage", .number), .required("memory_usage", .number), .required("disk_usage", .number),
                .required("response_time_ms", .number),
            ])),
    ])
}
