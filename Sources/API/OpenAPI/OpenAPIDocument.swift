// OpenAPI 3.1 from the route tables: one document per dialect, and one of all.
//
// The tables are the source: a parameter, body or answer that is not declared there is neither checked nor shown.

import Accounts
package import Base
import Wire

package struct OpenAPIDocument: Sendable {
    private let tables: [DialectTable]
    private let version: String

    package init(_ tables: [DialectTable], version: String) {
        self.tables = tables
        self.version = version
    }

    /// All dialects merged; or one.
    package func render(_ dialect: Dialect? = nil) -> Bytes {
        let chosen = tables.filter { dialect == nil || $0.dialect == dialect }
        var components: [String: Schema] = [:]
        var json = JSONWriter(capacity: 1 << 17)
        json.object { json in
            json.field("openapi", "3.1.0")
            json.object("info") { json in
                json.field("title", dialect.map { "PlexiChat, the \($0.rawValue) dialect" } ?? "PlexiChat")
                json.field("version", version)
                json.field("description", Self.description)
            }
            json.object("paths") { json in paths(chosen, &json, &components) }
            json.object("components") { json in
                json.object("securitySchemes", Self.securitySchemes)
                json.object("schemas") { json in
                    // A named schema may hold another one: written until no new name turns up.
                    var written: Set<String> = []
                    while let name = components.keys.sorted().first(where: { !written.contains($0) }) {
                        written.insert(name)
                        if let schema = components[name] {
                            json.member(name, SchemaWriter.encode(schema, &components))
                        }
                    }
                }
            }
        }
        return json.bytes
    }

    private static let description = """
        Calls and chat in one server. Five dialects share one domain: what one writes, the others read; a sixth is WHIP and WHEP. \
        Every mutating request may carry an Idempotency-Key; every answer carries X-Request-ID.
        """

    @Sendable private static func securitySchemes(_ json: inout JSONWriter) {
        json.object("bearer") { json in
            json.field("type", "http")
            json.field("scheme", "bearer")
            json.field("bearerFormat", "JWT")
        }
        json.object("apiKey") { json in
            json.field("type", "apiKey")
            json.field("in", "header")
            json.field("name", "X-API-Key")
        }
        json.object("session") { json in
            json.field("type", "apiKey")
            json.field("in", "cookie")
            json.field("name", SessionCookie.name)
        }
    }

    /// Where two dialects have a row for one path and method, the first table's row stands for both in the merged
    /// document, with both bodies, both successes and both forms of failure as alternatives.
    private func paths(_ tables: [DialectTable], _ json: inout JSONWriter, _ components: inout [String: Schema]) {
        var byPath: [String: [(Route, any DialectFormat)]] = [:]
        for table in tables {
            for route in table.routes {
                byPath[Self.canonical(route.path), default: []].append((route, table.format))
            }
        }
        for path in byPath.keys.sorted() {
            var item = JSONWriter()
            item.object { item in
                var seen: Set<HTTPMethod> = []
                let rows = byPath[path] ?? []
                for (route, _) in rows where seen.insert(route.method).inserted {
                    let claimants = rows.filter { $0.0.method == route.method }
                    item.member(route.method.rawValue.lowercased(), operation(claimants, &components))
                }
            }
            json.member(path, item.bytes)
        }
    }

    /// A path is the same with and without a trailing slash.
    private static func canonical(_ path: String) -> String {
        path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    /// `rows` share path and method, and there is at least one.
    private func operation(_ rows: [(Route, any DialectFormat)], _ components: inout [String: Schema]) -> Bytes {
        let route = rows[0].0
        var json = JSONWriter(capacity: 2_048)
        json.object { json in
            json.field("summary", route.summary)
            json.field("operationId", Self.operationID(route))
            json.array("tags") { json in json.value(route.dialect.rawValue) }
            if case .everyone = route.access {} else { json.array("security", Self.security) }
            parameters(route, &json, &components)
            requestBody(rows.map(\.0), &json, &components)
            responses(rows, &json, &components)
        }
        return json.bytes
    }

    private static func operationID(_ route: Route) -> String {
        let words = Router.segments(ofPattern: route.path).map { $0.filter { $0.isLetter || $0.isNumber || $0 == "_" } }
        return ([route.dialect.rawValue, route.method.rawValue.lowercased()] + words).joined(separator: "_")
    }

    @Sendable private static func security(_ json: inout JSONWriter) {
        for (name) in ["bearer", "apiKey", "session"] {
            json.object { json in json.member(name, Bytes("[]".utf8)) }
        }
    }

    private func parameters(_ route: Route, _ json: inout JSONWriter, _ components: inout [String: Schema]) {
        let names = Router.parameterNames(ofPattern: route.path)
        let headers = Tus.serves(route) ? Tus.headerParameters(of: route.method) : []
        guard !names.isEmpty || !route.query.isEmpty || !headers.isEmpty else { return }
        var list: [Bytes] = names.map { name in
            Self.parameter(name, "path", isRequired: true, "", Self.pathSegment)
        }
        list += route.query.map { parameter in
            Self.parameter(
                parameter.name, "query", isRequired: false, parameter.note,
                SchemaWriter.encode(parameter.schema, &components))
        }
        list += headers.map { header in
            Self.parameter(
                header.name, "header", isRequired: true, header.note, SchemaWriter.encode(header.schema, &components))
        }
        json.array("parameters") { json in for bytes in list { json.raw(bytes) } }
    }

    /// What every parameter of a path is made of: identifiers and names. Other characters name nothing, and an encoded
    /// slash or control character is refused before any route is looked for.
    private static let pathSegment = Bytes("{\"type\":\"string\",\"pattern\":\"^[A-Za-z0-9._~-]+$\"}".utf8)

    private static func parameter(
        _ name: String, _ place: String, isRequired: Bool, _ note: String, _ schema: Bytes
    ) -> Bytes {
        var json = JSONWriter()
        json.object { json in
            json.field("name", name)
            json.field("in", place)
            json.field("required", isRequired)
            if !note.isEmpty { json.field("description", note) }
            json.member("schema", schema)
        }
        return json.bytes
    }

    private func requestBody(_ routes: [Route], _ json: inout JSONWriter, _ components: inout [String: Schema]) {
        let bodies = routes.compactMap { Self.body($0.body) }
        guard let first = bodies.first else { return }
        let encoded = Self.alternatives(bodies.map { SchemaWriter.encode($0.schema, &components) })
        json.object("requestBody") { json in
            json.field("required", bodies.allSatisfy(\.isRequired))
            json.object("content") { json in json.member(first.contentType, Self.wrapped("schema", encoded)) }
        }
    }

    private static func body(_ body: RouteBody) -> (contentType: String, schema: Schema, isRequired: Bool)? {
        switch body {
        case .none: nil
        case .json(let schema): ("application/json", schema, true)
        case .optionalJSON(let schema): ("application/json", schema, false)
        case .text(let type, _): (type, .text, true)
        case .stream(let type): (type, .binary, true)
        }
    }

    /// Any of these schemas; a single one as it is.
    private static func alternatives(_ schemas: [Bytes]) -> Bytes {
        if schemas.count == 1 { return schemas[0] }
        var json = JSONWriter()
        json.object { json in json.array("anyOf") { json in for schema in schemas { json.raw(schema) } } }
        return json.bytes
    }

    private func responses(
        _ rows: [(Route, any DialectFormat)], _ json: inout JSONWriter, _ components: inout [String: Schema]
    ) {
        let (route, format) = rows[0]
        var answers: [(status: Int, bytes: Bytes)] = []
        var seen: Set<Int> = []
        for (route, _) in rows where seen.insert(route.status.code).inserted {
            let answer = route.answer.map { SchemaWriter.encode($0, &components) }
            let meaning = route.isSocket ? "The connection is a WebSocket from now on" : "Success"
            answers.append((route.status.code, Self.response(meaning, route.answerType, answer)))
        }
        let failure = Self.alternatives(rows.map { SchemaWriter.encode($0.1.errorSchema, &components) })
        json.object("responses") { json in
            for answer in answers { json.member(String(answer.status), answer.bytes) }
            if let empty = route.emptyStatus { json.member(String(empty.code), Self.response("Done", "", nil)) }
            for status in Self.failures(of: route) {
                json.member(String(status.code), Self.response("\(status.reason)", format.errorType, failure))
            }
            json.member("default", Self.response("Another failure", format.errorType, failure))
        }
    }

    /// The failures that a client should be ready for; the rest is under `default`.
    private static func failures(of route: Route) -> [HTTPStatus] {
        var statuses: [HTTPStatus] = [.badRequest]
        if case .everyone = route.access {} else { statuses += [.unauthorized, .forbidden] }
        if route.path.contains("{") { statuses.append(.notFound) }
        if !route.method.isSafe { statuses += [.conflict, .unprocessableContent] }
        if route.isSocket { statuses.append(.upgradeRequired) }
        return statuses + [.tooManyRequests, .serviceUnavailable]
    }

    private static func response(_ description: String, _ contentType: String, _ schema: Bytes?) -> Bytes {
        var json = JSONWriter()
        json.object { json in
            json.field("description", description)
            if let schema {
                json.object("content") { json in json.member(contentType, wrapped("schema", schema)) }
            }
        }
        return json.bytes
    }

    private static func wrapped(_ key: String, _ value: Bytes) -> Bytes {
        var json = JSONWriter()
        json.object { json in json.member(key, value) }
        return json.bytes
    }
}

/// A `Schema` in JSON Schema 2020-12, as OpenAPI 3.1 has it.
enum SchemaWriter {
    static func encode(_ schema: Schema, _ components: inout [String: Schema]) -> Bytes {
        var json = JSONWriter()
        switch schema {
        case .any: json.object { _ in }
        case .boolean: json.object { $0.field("type", "boolean") }
        case .number: json.object { $0.field("type", "number") }
        case .binary:
            json.object { json in
                json.field("type", "string")
                json.field("format", "binary")
            }
        case .integer(let range):
            json.object { json in
                json.field("type", "integer")
                if range.lowerBound != .min { json.field("minimum", range.lowerBound) }
                if range.upperBound != .max { json.field("maximum", range.upperBound) }
            }
        case .string(let rule): json.object { string(rule, &$0) }
        case .named(let name, let inner):
            components[name] = inner
            json.object { $0.field("$ref", "#/components/schemas/\(name)") }
        case .nullable(let inner):
            let encoded = encode(inner, &components)
            json.object { json in
                json.array("anyOf") { json in
                    json.raw(encoded)
                    json.raw(Bytes("{\"type\":\"null\"}".utf8))
                }
            }
        case .array(let element, let limit):
            let encoded = encode(element, &components)
            json.object { json in
                json.field("type", "array")
                json.member("items", encoded)
                json.field("maxItems", limit)
            }
        case .map(let element, let limit):
            let encoded = encode(element, &components)
            json.object { json in
                json.field("type", "object")
                json.member("additionalProperties", encoded)
                json.field("maxProperties", limit)
            }
        case .object(let properties): object(properties, &json, &components)
        }
        return json.bytes
    }

    private static func string(_ rule: StringRule, _ json: inout JSONWriter) {
        json.field("type", "string")
        if rule.lengths.lowerBound > 0 { json.field("minLength", rule.lengths.lowerBound) }
        if rule.lengths.upperBound < StringRule.longest { json.field("maxLength", rule.lengths.upperBound) }
        if !rule.choices.isEmpty { json.field("enum", rule.choices) }
        switch rule.format {
        case .identifier: json.field("format", "uuid")
        case .some(let format): json.field("format", format.rawValue)
        case .none: break
        }
    }

    private static func object(
        _ properties: [Property], _ json: inout JSONWriter, _ components: inout [String: Schema]
    ) {
        var encoded: [(Property, Bytes)] = []
        for property in properties { encoded.append((property, encode(property.schema, &components))) }
        let required = properties.filter(\.isRequired).map(\.name)
        json.object { json in
            json.field("type", "object")
            json.object("properties") { json in
                for (property, schema) in encoded { json.member(property.name, schema) }
            }
            if !required.isEmpty { json.field("required", required) }
        }
    }
}

extension JSONWriter {
    /// A member whose name is known at run time only, with a value that is encoded already.
    fileprivate mutating func member(_ name: String, _ value: Bytes) {
        key(name)
        raw(value)
    }
}
