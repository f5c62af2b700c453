// rooms.md, "Health and Monitoring Endpoints".

import Accounts
import Base
import Net
import Wire

extension RoomsRoutes {
    static var health: [Route] {
        [
            .get("/health", .everyone, "Health of the server's parts", limit: .unlimited, answer: healthAnswer) {
                call in
                let report = await call.services.health.report()
                var reply = RoomsPresenter.reply { json in
                    json.field("status", report.isHealthy ? "healthy" : "unhealthy")
                    json.field("timestamp", call.time)
                    json.field("version", report.version)
                    json.object("services") { json in
                        json.field("database", report.isHealthy ? "healthy" : "unhealthy")
                        json.field("redis", "not_configured")
                        json.field("mongodb", "not_configured")
                    }
                }
                if !report.isHealthy { reply.status = .serviceUnavailable }
                return reply
            },
            .get("/metrics", .everyone, "Metrics for Prometheus", limit: .unlimited, answer: .text) { call in
                if !call.services.areMetricsPublic, try !call.principal.isAdmin {
                    throw RequestFault.insufficientScope(needed: ["admin"])
                }
                return Reply(
                    headers: ResponseHeaders(["Content-Type": "text/plain; version=0.0.4; charset=utf-8"]),
                    body: .bytes(Bytes(call.services.metrics.render().utf8)))
            }.answering("text/plain"),
        ]
    }

    private static let healthAnswer = RoomsPresenter.envelope(
        .object([
            .required("status", .choice(["healthy", "unhealthy"])), .required("timestamp", .dateTime),
            .required("version", .text), .required("services", .map(.text, limit: 16)),
        ]))
}
