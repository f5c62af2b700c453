// The parts of HTTP messages (RFC 9110).

package import Base

package enum HTTPMethod: String, Sendable, Hashable, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case patch = "PATCH"
    case delete = "DELETE"
    case options = "OPTIONS"

    /// RFC 9110 §9.2.1: asks, does not change.
    package var isSafe: Bool { self == .get || self == .head || self == .options }
}

package struct HTTPStatus: Sendable, Hashable {
    package let code: Int
    package init(_ code: Int) { self.code = code }

    package static let switchingProtocols = HTTPStatus(101)
    package static let ok = HTTPStatus(200)
    package static let created = HTTPStatus(201)
    package static let accepted = HTTPStatus(202)
    package static let noContent = HTTPStatus(204)
    package static let partialContent = HTTPStatus(206)
    package static let notModified = HTTPStatus(304)
    package static let badRequest = HTTPStatus(400)
    package static let unauthorized = HTTPStatus(401)
    package static let forbidden = HTTPStatus(403)
    package static let notFound = HTTPStatus(404)
    package static let methodNotAllowed = HTTPStatus(405)
    package static let notAcceptable = HTTPStatus(406)
    package static let requestTimeout = HTTPStatus(408)
    package static let conflict = HTTPStatus(409)
    package static let gone = HTTPStatus(410)
    package static let preconditionFailed = HTTPStatus(412)
    package static let contentTooLarge = HTTPStatus(413)
    package static let uriTooLong = HTTPStatus(414)
    package static let unsupportedMediaType = HTTPStatus(415)
    package static let rangeNotSatisfiable = HTTPStatus(416)
    package static let expectationFailed = HTTPStatus(417)
    package static let unprocessableContent = HTTPStatus(422)
    package static let upgradeRequired = HTTPStatus(426)
    package static let preconditionRequired = HTTPStatus(428)
    package static let tooManyRequests = HTTPStatus(429)
    package static let headerFieldsTooLarge = HTTPStatus(431)
    package static let internalServerError = HTTPStatus(500)
    package static let notImplemented = HTTPStatus(501)
    package static let serviceUnavailable = HTTPStatus(503)
    package static let versionNotSupported = HTTPStatus(505)

    package var reason: StaticString {
        switch code {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 200: "OK"
        case 201: "Created"
        case 202: "Accepted"
        case 204: "No Content"
        case 206: "Partial Content"
        case 302: "Found"
        case 303: "See Other"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 406: "Not Acceptable"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 410: "Gone"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 422: "Unprocessable Content"
        case 426: "Upgrade Required"
        case 428: "Precondition Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        default: "Status"
        }
    }
}

/// The head of a request that was found to be well-framed.
package struct RequestHead: Sendable {
    package let method: HTTPMethod
    /// The path as sent, still percent-encoded, without the query; begins with `/` (or is `*` for OPTIONS).
    package let path: String
    /// What follows the first `?`, still percent-encoded.
    package let query: String?
    /// HTTP/1.x: 0 or 1.
    package let minorVersion: UInt8
    package let headers: RequestHeaders

    package init(
        method: HTTPMethod, path: String, query: String?, minorVersion: UInt8 = 1, headers: RequestHeaders
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.minorVersion = minorVersion
        self.headers = headers
    }
}

/// The header fields of a request: one copy of the block, and where each field lies in it. Strings are made only of
/// what is asked for.
package struct RequestHeaders: Sendable {
    package struct Field: Sendable {
        let nameStart: UInt32
        let nameEnd: UInt32
        let valueStart: UInt32
        let valueEnd: UInt32
    }

    /// Names are in lower case.
    let block: Bytes
    private let fields: [Field]

    init(block: Bytes, fields: [Field]) {
        self.block = block
        self.fields = fields
    }

    /// For tests and for requests that are not read from a connection.
    package init(_ pairs: [(name: String, value: String)] = []) {
        var block = Bytes()
        var fields: [Field] = []
        for (name, value) in pairs {
            let nameStart = UInt32(block.count)
            block += name.utf8.map { (65...90).contains($0) ? $0 | 0x20 : $0 }
            let nameEnd = UInt32(block.count)
            block += Array(value.utf8)
            fields.append(
                Field(nameStart: nameStart, nameEnd: nameEnd, valueStart: nameEnd, valueEnd: UInt32(block.count)))
        }
        self.init(block: block, fields: fields)
    }

    package var count: Int { fields.count }

    /// The first value; `name` in lower case. Fields that may be lists are asked for by `values(of:)`.
    package subscript(_ name: StaticString) -> String? {
        for field in fields where matches(field, name) { return value(of: field) }
        return nil
    }

    /// Every value, in order.
    package func values(of name: StaticString) -> [String] {
        fields.filter { matches($0, name) }.map(value(of:))
    }

    package func contains(_ name: StaticString) -> Bool { fields.contains { matches($0, name) } }

    /// All fields, in order.
    package var pairs: [(name: String, value: String)] {
        fields.map { (text(Int($0.nameStart)..<Int($0.nameEnd)), value(of: $0)) }
    }

    /// Where in `block` the value of the first field of that name lies, of those from number `next` on, which then
    /// is the number after it: for who reads values without making strings of them.
    func valueRange(of name: StaticString, from next: inout Int) -> Range<Int>? {
        while next < fields.count {
            let field = fields[next]
            next &+= 1
            if matches(field, name) { return Int(field.valueStart)..<Int(field.valueEnd) }
        }
        return nil
    }

    private func matches(_ field: Field, _ name: StaticString) -> Bool {
        let start = Int(field.nameStart)
        let count = Int(field.nameEnd) &- start
        guard count == name.utf8CodeUnitCount else { return false }
        return name.withUTF8Buffer { wanted in
            for offset in 0..<count where unsafe block[start &+ offset] != wanted[offset] { return false }
            return true
        }
    }

    private func value(of field: Field) -> String { text(Int(field.valueStart)..<Int(field.valueEnd)) }

    private func text(_ range: Range<Int>) -> String { String(decoding: block[range], as: UTF8.self) }
}

/// The header fields of an answer, already in the form in which they are sent.
package struct ResponseHeaders: Sendable {
    /// `name: value\r\n` for each field.
    package private(set) var encoded = Bytes()

    package init() {}
    package init(_ pairs: KeyValuePairs<StaticString, String>) {
        encoded.reserveCapacity(64 * pairs.count)
        for (name, value) in pairs { add(name, value) }
    }

    /// What `encoded` was once. It is not looked at: only for bytes that nobody else can have written, as those of a
    /// sealed record.
    package init(encoded: Bytes) { self.encoded = encoded }

    /// Names are written as given. A control character in a value (a redirect to what a client sent, say) would forge
    /// a header: it is replaced by a space.
    package mutating func add(_ name: StaticString, _ value: String) {
        begin(name)
        let start = encoded.count
        encoded.append(contentsOf: value.utf8)
        let place = encoded.span.firstControl(in: start..<encoded.count)
        for index in place..<encoded.count where encoded[index] < 0x20 || encoded[index] == 0x7F {
            encoded[index] = 0x20
        }
        encoded.append("\r\n")
    }

    package mutating func add(_ name: StaticString, _ value: Substring) { add(name, String(value)) }

    package mutating func add(_ name: StaticString, _ value: Int) { add(name, Int64(value)) }

    package mutating func add(_ name: StaticString, _ value: Int64) {
        begin(name)
        encoded.appendDigits(value)
        encoded.append("\r\n")
    }

    private mutating func begin(_ name: StaticString) {
        // Most answers have a handful of fields; one allocation holds them.
        if encoded.isEmpty { encoded.reserveCapacity(256) }
        encoded.append(name)
        encoded.append(": ")
    }

    package mutating func append(_ other: ResponseHeaders) { encoded += other.encoded }

    /// Marks the entity tag as weak: what is sent is the same state in another coding (RFC 9110 §8.8.3.3).
    package mutating func weakenEntityTag() {
        var start = 0
        while let end = encoded[start...].firstIndex(of: 10) {
            if encoded[start..<end].prefix(5).map(lowercased).elementsEqual("etag:".utf8) {
                guard let quote = encoded[start..<end].firstIndex(of: UInt8(ascii: "\"")) else { return }
                guard encoded[quote - 1] != UInt8(ascii: "/") else { return }
                encoded.insert(contentsOf: "W/".utf8, at: quote)
                return
            }
            start = end + 1
        }
    }

    /// The first value of a field; for the server's own decisions and for tests. `name` in any case.
    package func value(of name: StaticString) -> String? {
        let wanted = "\(name)".utf8.map(lowercased)
        for line in encoded.split(separator: 10) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
            guard line[..<colon].lazy.map(lowercased).elementsEqual(wanted) else { continue }
            return String(decoding: line[colon...].dropFirst(2).dropLast(), as: UTF8.self)
        }
        return nil
    }
}
