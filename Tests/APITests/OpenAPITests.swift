import Base
import TestKit
import Testing
import Wire

@testable import API

/// The generated description: sound by itself, and true to the tables.
@Suite struct OpenAPITests {
    private static let names: [String?] = [nil] + Dialect.allCases.map(\.rawValue)

    private func document(_ name: String?) throws -> JSONValue {
        let document = OpenAPIDocument.ofThisVersion("1.2.3")
        return try JSONValue(parsing: document.render(name.flatMap(Dialect.init(rawValue:))))
    }

    private struct Operation {
        let path: String
        let method: String
        let value: JSONValue
    }

    private func operations(_ document: JSONValue) -> [Operation] {
        (document["paths"]?.objectValue?.pairs ?? []).flatMap { path, item in
            (item.objectValue?.pairs ?? []).map { Operation(path: path, method: $0.key, value: $0.value) }
        }
    }

    private func references(_ value: JSONValue) -> [String] {
        switch value {
        case .array(let values): values.flatMap(references)
        case .object(let object):
            object.pairs.flatMap { key, value in key == "$ref" ? [value.stringValue ?? ""] : references(value) }
        default: []
        }
    }

    @Test(arguments: names)
    func `the frame is that of OpenAPI 3.1`(_ name: String?) throws {
        let document = try document(name)
        #expect(document["openapi"] == .string("3.1.0"))
        #expect(document["info"]?["title"]?.stringValue?.isEmpty == false)
        #expect(document["info"]?["version"] == .string("1.2.3"))
        let allowed: Set<String> = ["openapi", "info", "paths", "components", "servers", "tags", "security"]
        let members = Set(document.objectValue?.pairs.map(\.key) ?? [])
        #expect(members.isSubset(of: allowed))
        let schemes = try #require(document["components"]?["securitySchemes"]?.objectValue)
        #expect(Set(schemes.pairs.map(\.key)) == ["bearer", "apiKey", "session"])
    }

    @Test(arguments: names)
    func `every reference resolves, and nothing is described for nobody`(_ name: String?) throws {
        let document = try document(name)
        let prefix = "#/components/schemas/"
        let used = Set(references(document))
        let known = Set(document["components"]?["schemas"]?.objectValue?.pairs.map { prefix + $0.key } ?? [])
        #expect(used.isSubset(of: known), "\(used.subtracting(known))")
        #expect(known.isSubset(of: used), "\(known.subtracting(used))")
    }

    @Test(arguments: names)
    func `a path declares each of its parameters once, and no other`(_ name: String?) throws {
        for operation in operations(try document(name)) {
            let parameters = operation.value["parameters"]?.arrayValue ?? []
            let inPath = parameters.filter { $0["in"] == .string("path") }
            let wanted = Router.parameterNames(ofPattern: operation.path)
            #expect(inPath.compactMap { $0["name"]?.stringValue } == wanted, "\(operation.path)")
            #expect(inPath.allSatisfy { $0["required"] == .bool(true) })
            let keys = parameters.map { "\($0["in"]?.stringValue ?? "") \($0["name"]?.stringValue ?? "")" }
            #expect(Set(keys).count == keys.count, "\(operation.path)")
            for parameter in parameters { #expect(parameter["schema"]?.objectValue != nil) }
        }
    }

    @Test(arguments: names)
    func `no two paths differ in their parameters' names only`(_ name: String?) throws {
        let paths = try #require(try document(name)["paths"]?.objectValue).pairs.map(\.key)
        let shapes = paths.map { path in
            path.split(separator: "/").map { $0.hasPrefix("{") ? "{}" : String($0) }.joined(separator: "/")
        }
        #expect(Set(shapes).count == shapes.count)
        #expect(paths.allSatisfy { $0.hasPrefix("/") })
    }

    @Test(arguments: names)
    func `operations have names of their own, a summary and answers`(_ name: String?) throws {
        let operations = operations(try document(name))
        let ids = operations.compactMap { $0.value["operationId"]?.stringValue }
        #expect(ids.count == operations.count)
        #expect(Set(ids).count == ids.count)
        for operation in operations {
            #expect(["get", "put", "post", "patch", "delete"].contains(operation.method))
            #expect(operation.value["summary"]?.stringValue?.isEmpty == false)
            let responses = try #require(operation.value["responses"]?.objectValue)
            // 101 is how a socket succeeds.
            #expect(responses.pairs.contains { $0.key.hasPrefix("2") || $0.key == "101" })
            for (status, response) in responses.pairs {
                #expect(status == "default" || (Int(status).map { (100...599).contains($0) } ?? false))
                #expect(response["description"]?.stringValue?.isEmpty == false)
            }
            // RFC 9110 §9.3.1: content in a GET has no meaning.
            if operation.method == "get" { #expect(operation.value["requestBody"] == nil) }
        }
    }

    @Test(arguments: names)
    func `schemas are JSON Schema`(_ name: String?) throws {
        let document = try document(name)
        var count = 0
        try walk(document["components"]?["schemas"] ?? .null, isSchema: false, &count)
        for operation in operations(document) { try walk(operation.value, isSchema: false, &count) }
        #expect(count > 0)
    }

    /// Looks at every schema in `value`.
    private func walk(_ value: JSONValue, isSchema: Bool, _ count: inout Int) throws {
        guard let object = value.objectValue else {
            for element in value.arrayValue ?? [] { try walk(element, isSchema: false, &count) }
            return
        }
        if isSchema || object["type"] != nil && object["in"] == nil && object["name"] == nil {
            count += 1
            try check(object)
        }
        for (key, member) in object.pairs {
            // Names of members are ours: one may be called `type`, and what holds it is no schema for that.
            if key == "properties", let members = member.objectValue {
                for pair in members.pairs { try walk(pair.value, isSchema: true, &count) }
            } else {
                try walk(member, isSchema: key == "schema" || key == "items", &count)
            }
        }
    }

    private func check(_ schema: JSONObject) throws {
        guard let type = schema["type"]?.stringValue else {
            return #expect(schema.isEmpty || schema["$ref"] != nil || schema["anyOf"]?.arrayValue != nil)
        }
        #expect(["string", "integer", "number", "boolean", "array", "object", "null", "http", "apiKey"].contains(type))
        if type == "array" { #expect(schema["items"]?.objectValue != nil) }
        if let required = schema["required"]?.arrayValue {
            let properties = Set(schema["properties"]?.objectValue?.pairs.map(\.key) ?? [])
            #expect(Set(required.compactMap(\.stringValue)).isSubset(of: properties))
        }
        for (low, high) in [("minLength", "maxLength"), ("minimum", "maximum")] {
            if let low = schema[low]?.integerValue, let high = schema[high]?.integerValue { #expect(low <= high) }
        }
    }

    // MARK: True to the tables

    @Test func `the merged document holds every row, each dialect's its own`() throws {
        func titles(_ name: String?) throws -> Set<String> {
            Set(operations(try document(name)).map { "\($0.method) \($0.path)" })
        }
        var all: Set<String> = []
        for table in DialectTables.all {
            let rows = Set(table.routes.map { "\($0.method.rawValue.lowercased()) \($0.path)" })
            #expect(try titles(table.dialect.rawValue) == rows)
            all.formUnion(rows)
        }
        #expect(try titles(nil) == all)
    }

    @Test func `a row is described as it is: status, body, security, failures`() throws {
        let byTitle = Dictionary(
            operations(try document(nil)).map { ("\($0.method) \($0.path)", $0.value) },
            uniquingKeysWith: { first, _ in first })
        for table in DialectTables.all {
            for route in table.routes {
                let title = "\(route.method.rawValue.lowercased()) \(route.path)"
                let operation = try #require(byTitle[title])
                let responses = try #require(operation["responses"]?.objectValue)
                let success = try #require(responses["\(route.status.code)"])
                #expect((success["content"] != nil) == (route.answer != nil), "\(title)")
                if case .everyone = route.access {
                    #expect(operation["security"]?.arrayValue?.isEmpty ?? true, "\(title)")
                } else {
                    #expect(operation["security"]?.arrayValue?.isEmpty == false, "\(title)")
                    #expect(responses["401"] != nil && responses["403"] != nil, "\(title)")
                }
                switch route.body {
                case .none: #expect(operation["requestBody"] == nil)
                case .json, .stream, .text: #expect(operation["requestBody"]?["required"] == .bool(true))
                case .optionalJSON: #expect(operation["requestBody"]?["required"] == .bool(false))
                }
            }
        }
    }

    @Test func `what is served is what is described: the type of each answer that needs no caller`() async throws {
        let document = try document(nil)
        let assets = try DocumentationAssets()
        var setup = APIHarness.Setup()
        setup.documentation = assets.pages
        var seen = 0
        try await APIHarness.run(setup) { api in
            for operation in operations(document) where operation.method == "get" && !operation.path.contains("{") {
                let answer = try await api.get(operation.path)
                guard answer.status == 200 else { continue }
                let content = operation.value["responses"]?["200"]?["content"]?.objectValue?.pairs.map(\.key) ?? []
                let type = answer.header("content-type")?.prefix { $0 != ";" }.description ?? ""
                #expect(content == [type], "\(operation.path)")
                seen += 1
            }
        }
        #expect(seen >= 12)
    }

    @Test func `the document is served whole, by dialect, and not where it is switched off`() async throws {
        try await APIHarness.run { api async throws in
            #expect(try await api.get("/openapi.json").string("info.version") == APIHarness.version)
            #expect(try await api.get("/openapi/rooms").json == (try await api.get("/openapi/rooms.json").json))
            #expect(try await api.get("/openapi/klingon").status == 404)
        }
        var setup = APIHarness.Setup()
        setup.documentation = nil
        try await APIHarness.run(setup) { api in
            for path in ["/openapi.json", "/openapi/rooms", "/docs", "/redoc"] {
                let answer = try await api.get(path)
                #expect(answer.status == 404)
            }
        }
    }
}
