// design.md, "Administration": users, the audit log, statistics, health.

import Accounts
import Base
import Store
import Wire

extension DesignRoutes {
    static var administration: [Route] {
        [
            .get(
                "/v1/admin/users", .admin, "All users, with what administrators see",
                query: listParameters + [
                    Parameter("search", .text(0...100)), Parameter("role", .choice(Roles.allNames)),
                    Parameter("include_inactive", .boolean, "true where it is not given"),
                ], answer: DesignPresenter.listEnvelope(DesignPresenter.ownUserSchema)
            ) { call in
                try await list(
                    call, includesInactive: call.queryFlag("include_inactive") ?? true,
                    role: call.queryText("role").flatMap(Roles.init(name:))
                ) { user, json in DesignPresenter.ownUser(user, into: &json) }
            },
            .put(
                "/v1/admin/users/{id}/status", .admin, "Activate or deactivate a user",
                body: .json(.object([.required("status", .choice(["active", "inactive"]))])),
                answer: DesignPresenter.ownUserEnvelope
            ) { call in
                let user = try await call.accounts.setActive(
                    try call.text("status") == "active", of: try call.identifier("id"),
                    by: .principal(try call.principal), origin: call.origin)
                return DesignPresenter.reply(call) { json in DesignPresenter.ownUser(user, into: &json) }
            },
            .get(
                "/v1/admin/audit-logs", .admin, "Who did what, newest first", query: auditParameters,
                answer: DesignPresenter.listEnvelope(auditEventSchema)
            ) { call in try await auditLog(call, call.accounts.audit) },
            .get(
                "/v1/admin/stats", .admin, "Numbers of the system", answer: DesignPresenter.envelope(statisticsSchema)
            ) { call in
                let accounts = try await call.accounts.statistics(by: .principal(try call.principal))
                let report = await call.services.health.report()
                return DesignPresenter.reply(call) { json in statistics(accounts, report, into: &json) }
            },
            .get(
                "/v1/admin/health", .admin, "Health of the server's parts",
                answer: DesignPresenter.envelope(healthSchema)
            ) { call in
                let report = await call.services.health.report()
                return DesignPresenter.reply(call) { json in health(report, into: &json) }
            },
        ]
    }

    // MARK: Audit

    private static let auditParameters =
        listParameters + [
            Parameter("start", .dateTime), Parameter("end", .dateTime),
            Parameter("severity", .choice(AuditSeverity.allCases.map(\.name))),
            Parameter("type", .text(0...100), "An action (`login.failed`) or its first word (`login`)"),
        ]

    private static func auditLog(_ call: Call, _ audit: AuditLog) async throws -> Reply {
        let page = NumberedPage(call, size: "per_page", default: 50)
        let filter = AuditFilter(
            start: call.queryText("start").flatMap { Timestamp(rfc3339: $0) },
            end: call.queryText("end").flatMap { Timestamp(rfc3339: $0) },
            severity: call.queryText("severity").flatMap { AuditSeverity(name: $0) }, type: call.queryText("type"),
            offset: page.offset, limit: page.size)
        let found = try await audit.page(filter)
        return DesignPresenter.list(call, page.with(total: found.total)) { json in
            for event in found.items { json.object { json in self.event(event, into: &json) } }
        }
    }

    private static func event(_ event: AuditEvent, into json: inout JSONWriter) {
        json.field("id", event.id)
        json.field("timestamp", event.time)
        json.field("actor_id", event.actor)
        json.field("action", event.action)
        json.field("severity", event.severity.name)
        json.field("outcome", event.outcome.rawValue)
        json.field("target", event.target)
        json.field("ip_address", event.origin.address.exposed)
        json.field("user_agent", event.origin.userAgent?.exposed)
        json.field("request_id", event.origin.requestID)
        json.field("details", JSONValue.object(event.details))
        json.field("sequence", event.sequence)
        json.field("hash", event.hash.map { Hex.encode($0) })
    }

    private static let auditEventSchema = Schema.named(
        "DesignAuditEvent",
        .object([
            .required("id", .uuid), .required("timestamp", .dateTime), .required("actor_id", .nullable(.uuid)),
            .required("action", .text), .required("severity", .choice(AuditSeverity.allCases.map(\.name))),
            .required("outcome", .choice(["success", "failure"])), .required("target", .nullable(.text)),
            .required("ip_address", .text), .required("user_agent", .nullable(.text)),
            .required("request_id", .nullable(.text)), .required("details", .map(.any, limit: 64)),
            .required("sequence", .nullable(.count)), .required("hash", .nullable(.text)),
        ]))

    // MARK: Statistics

    /// Members for organisations, channels, messages and calls come with those: none is invented before.
    private static func statistics(
        _ accounts: AccountStatistics, _ report: HealthReport, into json: inout JSONWriter
    ) {
        json.field("version", report.version)
        json.field("uptime_seconds", Int(report.uptime.inSeconds))
        json.object("users") { json in
            json.field("total", accounts.people)
            json.field("active", accounts.activePeople)
            json.field("inactive", accounts.people - accounts.activePeople)
        }
        json.object("sessions") { json in json.field("active", accounts.sessions) }
        json.object("requests") { json in
            json.field("total", report.requests)
            json.field("mean_response_ms", report.meanResponse)
        }
        json.object("memory") { json in json.field("resident_bytes", LoadMonitor.residentBytes()) }
    }

    private static let statisticsSchema = Schema.named(
        "DesignStatistics",
        .object([
            .required("version", .text), .required("uptime_seconds", .count),
            .required(
                "users",
                .object([.required("total", .count), .required("active", .count), .required("inactive", .count)])),
            .required("sessions", .object([.required("active", .count)])),
            .required(
                "requests", .object([.required("total", .count), .required("mean_response_ms", .number)])),
            .required("memory", .object([.required("resident_bytes", .count)])),
        ]))

    // MARK: Health

    private static func health(_ report: HealthReport, into json: inout JSONWriter) {
        json.field("status", report.isHealthy ? "healthy" : "unhealthy")
        json.field("version", report.version)
        json.field("uptime_seconds", Int(report.uptime.inSeconds))
        json.object("components") { json in
            json.object("database") { json in
                json.field("status", report.isHealthy ? "healthy" : "unhealthy")
                json.field("engine", report.database.engine.rawValue)
                json.field("connections", report.database.connections)
                json.field("pool_size", report.database.poolSize)
                json.field("problem", report.database.problem)
            }
            json.object("cache") { json in json.field("status", "not_configured") }
        }
        json.object("system") { json in
            json.field("cpu_percent", report.load.cpu)
            json.field("memory_percent", report.load.memory)
            json.field("disk_percent", report.load.disk)
        }
    }

    private static let healthSchema = Schema.object([
        .required("status", .choice(["healthy", "unhealthy"])), .required("version", .text),
        .required("uptime_seconds", .count), .required("components", .map(.any, limit: 16)),
        .required(
            "system",
            .object([
                .required("cpu_percent", .number), .required("memory_percent", .number),
                .required("disk_percent", .number),
            ])),
    ])
}
