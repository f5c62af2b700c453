// Every answer that a test sees is one that its row declares: status, type of content, and each member of the body.

package import API
import Base
import Wire

package struct AnswerContract: Sendable {
    private let tables: [DialectTable]

    package init(_ tables: [DialectTable] = DialectTables.all) { self.tables = tables }

    func check(_ answer: TestAnswer, _ request: TestRequest) throws {
        let what = "\(request.method.rawValue) \(request.path): \(answer.status)"
        try checkHeaders(answer, what)
        if request.method == .options { return }
        let candidates = routes(request)
        switch answer.status {
        case 304: try require(answer.body.isEmpty && !answer.isStreamed, "\(what): a body that nobody reads")
        case ..<400: try checkSuccess(answer, candidates, what)
        default: try checkFailure(answer, candidates, what)
        }
    }

    private func checkHeaders(_ answer: TestAnswer, _ what: String) throws {
        for name in ["x-request-id", "x-content-type-options", "x-frame-options", "content-security-policy"] {
            try require(answer.headers(name).count == 1, "\(what): \(name) comes \(answer.headers(name).count) times")
        }
        try require(answer.headers("content-type").count <= 1, "\(what): Content-Type comes twice")
    }

    // MARK: Routes

    /// The rows that may have answered; found without the router, which is what is tested.
    package func routes(_ request: TestRequest) -> [Route] {
        let method = request.method == .head ? HTTPMethod.get : request.method
        var segments = request.path.split(separator: "/").map(String.init)
        let all = tables.flatMap(\.routes).filter { $0.method == method }
        var found = Self.best(all, segments)
        if found.isEmpty, segments.starts(with: ["api", "v1"]) {
            segments.removeFirst(2)
            found = Self.best(all.filter { $0.dialect == .manual }, segments)
        }
        return found
    }

    private static func best(_ routes: [Route], _ segments: [String]) -> [Route] {
        let fitting = routes.compactMap { route in literals(route.path, segments).map { (route, $0) } }
        let most = fitting.map(\.1).max() ?? 0
        return fitting.filter { $0.1 == most }.map(\.0)
    }

    /// How many segments are the pattern's own words; `nil` when it does not fit.
    private static func literals(_ pattern: String, _ segments: [String]) -> Int? {
        let parts = pattern.split(separator: "/")
        guard parts.count == segments.count else { return nil }
        let isFitting = zip(parts, segments).allSatisfy { $0.hasPrefix("{") || $0 == $1 }
        return isFitting ? parts.filter { !$0.hasPrefix("{") }.count : nil
    }

    // MARK: Answers

    private func checkSuccess(_ answer: TestAnswer, _ routes: [Route], _ what: String) throws {
        var faults: [String] = []
        for route in routes {
            do {
                if answer.status == route.emptyStatus?.code {
                    return try require(answer.body.isEmpty, "a body where there should be none")
                }
                if case .binary? = route.answer { return try Self.checkContent(answer, route) }
                try requireEqual(answer.status, route.status.code)
                if !answer.body.isEmpty {
                    let type = answer.header("content-type")?.prefix { $0 != ";" }.description
                    try requireEqual(type, route.answerType)
                }
                return try Self.check(answer, route.answer)
            } catch {
                faults.append("\(error)")
            }
        }
        throw ConformanceFailure(description: "\(what): not as declared: \(faults), \(answer.text.prefix(400))")
    }

    /// Content of whatever type, whole or in part, which a browser must not run.
    private static func checkContent(_ answer: TestAnswer, _ route: Route) throws {
        try require(answer.status == route.status.code || answer.status == 206, "another status than 200 and 206")
        try require(answer.isStreamed, "content that was held in memory")
        for name in ["content-type", "content-disposition", "etag", "last-modified", "accept-ranges", "cache-control"] {
            try require(answer.headers(name).count == 1, "\(name) comes \(answer.headers(name).count) times")
        }
        try requireEqual(answer.header("content-security-policy"), "sandbox; default-src 'none'")
    }

    /// Rows that say with a failure's status something else than a failure: monitors look at the status alone.
    private static let statesWithStatus: Set<String> = ["/health", "/readyz", "/docs", "/redoc"]

    private func checkFailure(_ answer: TestAnswer, _ routes: [Route], _ what: String) throws {
        if let route = routes.first, answer.status == 503, Self.statesWithStatus.contains(route.path) {
            return try Self.check(answer, route.answer)
        }
        // reference.md shows this one with a shape of its own.
        if routes.first?.path == "/api/v1/auth/login", answer.string("error") == "mfa_required" { return }
        let owners = Set(routes.map(\.dialect))
        let formats = tables.filter { owners.isEmpty || owners.contains($0.dialect) }.map(\.format)
        var faults: [String] = []
        for format in formats {
            do { return try Self.check(answer, format.errorSchema, format.errorType) } catch {
                faults.append("\(error)")
            }
        }
        throw ConformanceFailure(description: "\(what): no error envelope: \(faults), \(answer.text.prefix(400))")
    }

    private static func check(
        _ answer: TestAnswer, _ schema: Schema?, _ type: String = "application/json"
    ) throws {
        guard let schema else { return try require(answer.body.isEmpty, "a body where none is declared") }
        if case .string = schema { return try require(!answer.body.isEmpty || answer.isStreamed, "no text") }
        try requireEqual(answer.header("content-type"), type)
        guard let json = answer.json else { throw ConformanceFailure(description: "the body is not JSON") }
        try schema.validate(json)
        try checkNames(json, schema, "")
    }

    /// `Schema.validate` passes over members that it does not know, as it should with what clients send. What we send
    /// ourselves is declared to the last member.
    private static func checkNames(_ value: JSONValue, _ schema: Schema, _ path: String) throws {
        switch (schema, value) {
        case (.named(_, let inner), _): try checkNames(value, inner, path)
        case (.nullable(let inner), _): if !value.isNull { try checkNames(value, inner, path) }
        case (.array(let element, _), .array(let values)):
            for value in values { try checkNames(value, element, path + "[]") }
        case (.map(let element, _), .object(let object)):
            for pair in object.pairs { try checkNames(pair.value, element, "\(path).\(pair.key)") }
        case (.object(let properties), .object(let object)):
            for pair in object.pairs {
                guard let property = properties.first(where: { $0.name == pair.key }) else {
                    throw ConformanceFailure(description: "\(path).\(pair.key) is not declared")
                }
                try checkNames(pair.value, property.schema, "\(path).\(pair.key)")
            }
        default: return
        }
    }
}
