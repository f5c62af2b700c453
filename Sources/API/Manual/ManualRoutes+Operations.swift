// Liveness, readiness and the API's own description: not in any document, served at the root.

import Base
import Net
import Store
import Wire

enum ManualRoutes {
    static let table = DialectTable(
        .manual, ManualFormat(),
        operations + keys + tasks + backups + backupSchedules + calls + recordings + clientSettings + clientImages
            + SignalingRows.manual)

    private static var operations: [Route] {
        [
            .get("/healthz", .everyone, "Whether the process lives", limit: .unlimited, answer: .text) { _ in
                .text("ok\n")
            }.answering("text/plain"),
            .get("/readyz", .everyone, "Whether to send requests here", limit: .unlimited, answer: .text) { call in
                let report = await call.services.health.report()
                if !report.isReady { return .text("starting or draining\n", status: .serviceUnavailable) }
                if let problem = report.database.problem {
                    return .text("database: \(problem)\n", status: .serviceUnavailable)
                }
                return .text("ready\n")
            }.answering("text/plain"),
            .get("/openapi.json", .everyone, "All dialects", limit: .unlimited, answer: .any) { call in
                try document(call, nil)
            },
            .get("/openapi/{dialect}", .everyone, "One dialect", limit: .unlimited, answer: .any) { call in
                let name = call.parameter("dialect")
                guard let dialect = Dialect(rawValue: name.hasSuffix(".json") ? String(name.dropLast(5)) : name) else {
                    throw RequestFault.notFound
                }
                return try document(call, dialect)
            },
        ]
    }

    private static func document(_ call: Call, _ dialect: Dialect?) throws(RequestFault) -> Reply {
        guard call.services.documentation != nil else { throw .notFound }
        return .json(OpenAPIDocument.ofThisVersion(call.services.health.version).render(dialect))
    }
}

extension Reply {
    static func text(_ text: String, status: HTTPStatus? = nil) -> Reply {
        Reply(
            status: status, headers: ResponseHeaders(["Content-Type": "text/plain; charset=utf-8"]),
            body: .bytes(Bytes(text.utf8)))
    }
}
