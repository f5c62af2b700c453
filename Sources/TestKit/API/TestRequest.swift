// A request as a test writes it, and an answer as a test reads it.

package import Base
package import Net
package import Wire

package struct TestRequest: Sendable {
    package var method: HTTPMethod
    /// Path and query.
    package var target: String
    package var headers: [(name: String, value: String)]
    package var body: Bytes
    /// Where it comes from: 192.0.2.1, an address for examples (RFC 5737).
    package var address = "192.0.2.1"
    package var isSecure = false

    package init(
        _ method: HTTPMethod, _ target: String, _ json: String = "", as person: APIHarness.Person? = nil,
        headers: [(String, String)] = []
    ) {
        self.method = method
        self.target = target
        self.headers = headers.map { (name: $0.0, value: $0.1) }
        body = Bytes(json.utf8)
        let isTyped = headers.contains { $0.0.lowercased() == "content-type" }
        if !json.isEmpty, !isTyped { self.headers.append(("Content-Type", "application/json")) }
        if let person { self.headers.append(("Authorization", "Bearer \(person.token)")) }
    }

    package var path: String { String(target.prefix { $0 != "?" }) }
}

package struct TestAnswer: Sendable {
    package let status: Int
    package let headers: [(name: String, value: String)]
    package let body: Bytes
    /// A file or a stream, which is not read here.
    package let isStreamed: Bool
    /// The next part of a stream.
    package let next: (@Sendable () async throws -> Bytes?)?
    /// `nil` where the body is no JSON.
    package let json: JSONValue?
    private let source: HTTPResponse.Body

    package init(_ response: HTTPResponse) {
        status = response.status.code
        headers = response.headers.encoded.split(separator: 10).compactMap { line in
            let text = String(decoding: line.dropLast(), as: UTF8.self)
            guard let colon = text.firstIndex(of: ":") else { return nil }
            return (text[..<colon].lowercased(), String(text[colon...].dropFirst(2)))
        }
        switch response.body {
        case .none: (body, isStreamed) = ([], false)
        case .bytes(let bytes): (body, isStreamed) = (bytes, false)
        case .stream, .file, .webSocket: (body, isStreamed) = ([], true)
        }
        next = if case .stream(_, let next) = response.body { next } else { nil }
        json = try? JSONValue(parsing: body)
        source = response.body
    }

    /// All of it, also of a file or a stream, which must be as long as it says.
    package func content() async throws -> Bytes {
        switch source {
        case .none, .webSocket: return []
        case .bytes(let bytes): return bytes
        case .file(let region):
            let bytes = try region.file.read(at: region.offset, count: Int(region.length))
            try requireEqual(Int64(bytes.count), region.length)
            return bytes
        case .stream(let length, let next):
            var bytes = Bytes()
            while let piece = try await next() { bytes += piece }
            if let length { try requireEqual(Int64(bytes.count), length) }
            return bytes
        }
    }

    package var text: String { String(decoding: body, as: UTF8.self) }

    /// The first value of a header; `name` in lower case.
    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    package func headers(_ name: String) -> [String] { headers.filter { $0.name == name }.map(\.value) }

    /// `data.user.id`; a number is an index.
    package subscript(_ path: String) -> JSONValue? {
        path.split(separator: ".").reduce(json) { value, step in
            if let index = Int(step), let array = value?.arrayValue {
                return array.indices.contains(index) ? array[index] : nil
            }
            return value?[String(step)]
        }
    }

    package func string(_ path: String) -> String? { self[path]?.stringValue }

    /// The value of a cookie that the answer sets.
    package func cookie(_ name: String) -> String? {
        headers("set-cookie").first { $0.hasPrefix("\(name)=") }?
            .dropFirst(name.count + 1).prefix { $0 != ";" }.description
    }
}
