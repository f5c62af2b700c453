// Reading what came: query parameters and bodies, bounded, parsed once, then checked against the chosen route.

import Base
import Net
import Wire

/// The query string, parsed but not yet checked: two routes may share the path and differ in what they take.
struct QueryParameters {
    private let query: Query

    init(_ text: String?) throws(RequestFault) {
        do {
            query = try Query(parsing: text)
        } catch {
            throw .validation(FieldFault("query", .format, error.reason))
        }
    }

    func contains(_ name: String) -> Bool { query[name] != nil }

    /// Text becomes what the parameter's schema says; what the route does not declare is ignored.
    func validated(against parameters: [Parameter]) throws(RequestFault) -> JSONObject {
        var object = JSONObject()
        for parameter in parameters {
            let values = query.values(of: parameter.name)
            guard let first = values.first else { continue }
            guard values.count == 1 else {
                throw .validation(FieldFault(parameter.name, .format, "is given twice"))
            }
            let value = Self.value(first, parameter.schema)
            do { try parameter.schema.validate(value, at: parameter.name) } catch { throw .validation(error) }
            object[parameter.name] = value
        }
        return object
    }

    private static func value(_ text: String, _ schema: Schema) -> JSONValue {
        switch schema {
        case .integer: Int64(text).map(JSONValue.integer) ?? .string(text)
        case .boolean:
            switch text {
            case "true", "1": .bool(true)
            case "false", "0": .bool(false)
            default: .string(text)
            }
        case .number: Double(text).map(JSONValue.number) ?? .string(text)
        default: .string(text)
        }
    }
}

struct JSONBody {
    let bytes: Bytes
    private let value: JSONValue?

    /// Reads nothing where no candidate route takes JSON.
    static func read(
        _ request: HTTPRequest, _ routes: [Route], _ options: APIService.Options
    ) async throws(RequestFault) -> JSONBody {
        let takesJSON = routes.contains { route in
            switch route.body {
            case .json, .optionalJSON: true
            case .none, .stream, .text: false
            }
        }
        if case .text(let type, let limit)? = routes.first?.body { return try await read(request, type, limit) }
        guard takesJSON else { return JSONBody(bytes: [], value: nil) }
        let bytes = try await collect(request.body, options.bodyLimit)
        if bytes.isEmpty { return JSONBody(bytes: bytes, value: nil) }
        guard isJSON(request.head.headers["content-type"]) else {
            throw .unsupportedMediaType(expected: "application/json")
        }
        do {
            return JSONBody(bytes: bytes, value: try JSONValue(parsing: bytes, limits: options.jsonLimits))
        } catch {
            throw .invalidJSON(error)
        }
    }

    /// The type has to be said: there is no telling a description from anything else by its looks.
    private static func read(
        _ request: HTTPRequest, _ type: String, _ limit: Int
    ) async throws(RequestFault) -> JSONBody {
        guard request.head.headers["content-type"].flatMap({ MediaType($0) })?.essence == type else {
            throw .unsupportedMediaType(expected: type)
        }
        return JSONBody(bytes: try await collect(request.body, limit), value: nil)
    }

    func contains(_ name: String) -> Bool { value?.objectValue?[name] != nil }

    func validated(against body: RouteBody) throws(RequestFault) -> JSONObject {
        let schema: Schema
        switch body {
        case .none, .stream, .text: return JSONObject()
        case .optionalJSON(let optional):
            if value == nil { return JSONObject() }
            schema = optional
        case .json(let required): schema = required
        }
        guard let value else { throw .validation(FieldFault("body", .required, "is required")) }
        do { try schema.validate(value) } catch { throw .validation(error) }
        return value.objectValue ?? JSONObject()
    }

    private static func collect(_ body: RequestBody, _ limit: Int) async throws(RequestFault) -> Bytes {
        do {
            return try await body.collect(upTo: limit)
        } catch {
            switch error {
            case .tooLarge(let limit): throw .bodyTooLarge(limit: limit)
            case .aborted(let fault): throw .malformed(fault)
            }
        }
    }

    /// A missing Content-Type is taken for JSON: the documents' clients that send none mean it.
    private static func isJSON(_ header: String?) -> Bool {
        guard let header else { return true }
        let type = header.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
        return type == "application/json" || type.hasSuffix("+json")
    }
}
