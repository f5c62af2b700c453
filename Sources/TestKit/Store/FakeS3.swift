// S3 in memory, as a transport: path-style addresses, whole and multipart uploads, ranges and listing. It checks what
// S3 checks: that a body has the hash that was signed, that parts exist, that a bucket does.

package import Base
import Crypto
import Glibc
import Synchronization
package import Wire

package final class FakeS3: HTTPTransport {
    private struct State {
        var objects: [String: Bytes] = [:]
        var uploads: [String: [Int: Bytes]] = [:]
        var faults: [(part: String, fault: Fault)] = []
        var requests: [String] = []
    }

    package enum Fault: Sendable {
        case status(Int, code: String)
        case error(TransportError)
    }

    private let bucket: String
    private let state = Mutex(State())

    package init(bucket: String) { self.bucket = bucket }

    /// The next requests whose `METHOD /path?query` contains `part` fare so, one each.
    package func fail(_ faults: [Fault], where part: String = "/") {
        state.withLock { $0.faults += faults.map { (part, $0) } }
    }

    package var objectNames: [String] { state.withLock { $0.objects.keys.sorted() } }
    package var openUploads: Int { state.withLock { $0.uploads.count } }
    /// `METHOD /path?query` of every request that came.
    package var requests: [String] { state.withLock { $0.requests } }

    package func corrupt(_ name: String) { state.withLock { $0.objects[name]?[0] ^= 1 } }

    package func send(
        _ request: OutgoingRequest, receive: @escaping @Sendable (Bytes) throws -> Void
    ) async throws(TransportError) -> IncomingResponse {
        var response = try await send(request)
        do { try receive(response.body) } catch { throw .cancelled }
        response.body = []
        return response
    }

    package func send(_ request: OutgoingRequest) async throws(TransportError) -> IncomingResponse {
        guard case .awsV4(_, "s3", _, _) = request.signing else { return Self.error(403, "AccessDenied") }
        guard let target = Target(request.url, bucket: bucket) else { return Self.error(404, "NoSuchBucket") }
        let body = Self.bytes(request.body)
        let fault = state.withLock { state in
            let line = "\(request.method) \(target.description)"
            state.requests.append(line)
            guard let index = state.faults.firstIndex(where: { line.contains($0.part) }) else { return nil as Fault? }
            return state.faults.remove(at: index).fault
        }
        switch fault {
        case .status(let status, let code)?: return Self.error(status, code)
        case .error(let error)?: throw error
        case nil: break
        }
        let signed = request.headers.first { $0.name == "x-amz-content-sha256" }?.value
        guard signed == Hex.encode(SHA256.hash(body)) else { return Self.error(400, "XAmzContentSHA256Mismatch") }
        let response = state.withLock { Self.answer(request, target, body, &$0) }
        guard response.body.count <= request.responseLimit else { throw .tooLarge(limit: request.responseLimit) }
        return response
    }

    private static func answer(
        _ request: OutgoingRequest, _ target: Target, _ body: Bytes, _ state: inout State
    ) -> IncomingResponse {
        switch (request.method, target.query["uploadId"]) {
        case ("PUT", let id?): return putPart(target, id, body, &state)
        case ("POST", let id?): return complete(target, id, String(decoding: body, as: UTF8.self), &state)
        case ("DELETE", let id?):
            state.uploads[id] = nil
            return IncomingResponse(status: 204, headers: [], body: [])
        case ("POST", nil) where target.query["uploads"] != nil:
            let id = "upload/\(UUID.random())"
            state.uploads[id] = [:]
            return xml("<InitiateMultipartUploadResult><UploadId>\(id)</UploadId></InitiateMultipartUploadResult>")
        case ("PUT", nil):
            state.objects[target.key] = body
            return IncomingResponse(status: 200, headers: [("etag", tag(body))], body: [])
        case ("DELETE", nil):
            state.objects[target.key] = nil
            return IncomingResponse(status: 204, headers: [], body: [])
        case ("GET", nil) where target.query["list-type"] == "2": return list(target, state)
        case ("GET", nil), ("HEAD", nil): return get(request, target, state)
        default: return error(405, "MethodNotAllowed")
        }
    }

    private static func putPart(_ target: Target, _ id: String, _ body: Bytes, _ state: inout State) -> IncomingResponse
    {
        guard state.uploads[id] != nil, let number = target.query["partNumber"].flatMap({ Int($0) }) else {
            return error(404, "NoSuchUpload")
        }
        state.uploads[id]?[number] = body
        return IncomingResponse(status: 200, headers: [("etag", tag(body))], body: [])
    }

    private static func complete(
        _ target: Target, _ id: String, _ document: String, _ state: inout State
    ) -> IncomingResponse {
        guard let parts = state.uploads[id] else { return error(404, "NoSuchUpload") }
        let tags = document.split(separator: "<ETag>").dropFirst().map { $0.prefix { $0 != "<" } }
        let ordered = parts.sorted { $0.key < $1.key }.map(\.value)
        guard tags.map(String.init) == ordered.map(tag) else { return error(400, "InvalidPart") }
        state.objects[target.key] = ordered.reduce(into: Bytes()) { $0 += $1 }
        state.uploads[id] = nil
        return xml("<CompleteMultipartUploadResult><Key>\(target.key)</Key></CompleteMultipartUploadResult>")
    }

    private static func get(_ request: OutgoingRequest, _ target: Target, _ state: State) -> IncomingResponse {
        guard let object = state.objects[target.key] else { return error(404, "NoSuchKey") }
        let length = ("content-length", "\(object.count)")
        if request.method == "HEAD" { return IncomingResponse(status: 200, headers: [length], body: []) }
        guard let range = request.headers.first(where: { $0.name == "range" })?.value else {
            return IncomingResponse(status: 200, headers: [length], body: object)
        }
        let bounds = range.dropFirst("bytes=".count).split(separator: "-").compactMap { Int($0) }
        guard bounds.count == 2, bounds[0] < object.count else { return error(416, "InvalidRange") }
        let part = Array(object[bounds[0]...min(bounds[1], object.count - 1)])
        return IncomingResponse(status: 206, headers: [("content-length", "\(part.count)")], body: part)
    }

    private static func list(_ target: Target, _ state: State) -> IncomingResponse {
        let (prefix, after) = (target.query["prefix"] ?? "", target.query["start-after"] ?? "")
        let limit = target.query["max-keys"].flatMap { Int($0) } ?? 1_000
        let names = state.objects.keys.filter { $0.hasPrefix(prefix) && $0 > after }.sorted().prefix(limit)
        let entries = names.map {
            "<Contents><Key>\($0)</Key><Size>\(state.objects[$0]?.count ?? 0)</Size></Contents>"
        }
        return xml("<ListBucketResult><Name>b</Name>\(entries.joined())</ListBucketResult>")
    }

    private static func tag(_ body: Bytes) -> String { "\"\(Hex.encode(SHA256.hash(body).prefix(16)))\"" }

    private static func xml(_ text: String) -> IncomingResponse {
        IncomingResponse(status: 200, headers: [], body: Bytes("<?xml version=\"1.0\"?>\(text)".utf8))
    }

    private static func error(_ status: Int, _ code: String) -> IncomingResponse {
        IncomingResponse(status: status, headers: [], body: Bytes("<Error><Code>\(code)</Code></Error>".utf8))
    }

    private static func bytes(_ body: OutgoingRequest.Body) -> Bytes {
        switch body {
        case .none: return []
        case .bytes(let bytes): return bytes
        case .file(let path, let offset, let length):
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            defer { close(descriptor) }
            return Bytes(unsafeUninitializedCapacity: Int(length)) { buffer, count in
                count = max(0, pread(descriptor, buffer.baseAddress, Int(length), off_t(offset)))
            }
        }
    }

    /// What a URL asks for.
    private struct Target {
        var key = ""
        var query: [String: String] = [:]
        let description: String

        init?(_ url: String, bucket: String) {
            guard let scheme = url.firstRange(of: "://")?.upperBound else { return nil }
            let path = url[scheme...].drop { $0 != "/" }
            description = String(path)
            let halves = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves[0] == "/\(bucket)" || halves[0].hasPrefix("/\(bucket)/") else { return nil }
            key = Self.decoded(halves[0].dropFirst(bucket.count + 2))
            for pair in halves.count > 1 ? halves[1].split(separator: "&") : [] {
                let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                query[String(sides[0])] = sides.count > 1 ? Self.decoded(sides[1]) : ""
            }
        }

        private static func decoded(_ text: Substring) -> String {
            var bytes = Bytes()
            var rest = text.utf8
            while let byte = rest.popFirst() {
                if byte == UInt8(ascii: "%"), let decoded = Hex.decode(Substring(rest.prefix(2))) {
                    bytes += decoded
                    rest = rest.dropFirst(2)
                } else {
                    bytes.append(byte)
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
