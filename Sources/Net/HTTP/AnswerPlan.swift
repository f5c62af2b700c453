// What the server decides about an answer, apart from writing it: framing, the connection's fate, compression.

import Base
import Wire

/// What of the request still matters when it is answered.
struct RequestFacts {
    let isHead: Bool
    let minorVersion: UInt8
    let keepsAlive: Bool
    let headers: RequestHeaders
}

struct AnswerPlan {
    enum Compression { case none, whole, stream }

    /// Of a body that is compressed whole, known only when it is.
    var framing: ResponseFraming
    let connection: ConnectionOption
    /// False for HEAD and for a status without a body.
    let sendsBody: Bool
    let compression: Compression
    /// The answer would differ for a client with another Accept-Encoding.
    let variesByEncoding: Bool

    /// Bodies longer than this are compressed slice by slice: one slice takes a few milliseconds of the shard.
    static let slice = 64 << 10

    init(
        _ response: HTTPResponse, to facts: RequestFacts, closes: Bool, options: HTTPServer.Options,
        mayCompress: Bool = true
    ) {
        let length = response.body.knownLength
        let hasBody = Self.mayHaveBody(response.status)
        variesByEncoding = hasBody && Self.isCompressible(response, length, options.compressionThreshold)
        let wanted = variesByEncoding && mayCompress ? facts.headers.list(of: "accept-encoding") : nil
        let coding = ContentCoding(accepting: wanted)
        compression = coding == .gzip ? Self.compression(of: response.body) : .none
        sendsBody = hasBody && !facts.isHead
        framing = Self.framing(
            length: compression == .none ? length : nil, hasBody: hasBody, minorVersion: facts.minorVersion)
        if closes || !facts.keepsAlive || framing == .untilClose && sendsBody {
            connection = .close
        } else {
            connection = facts.minorVersion == 0 ? .keepAlive : .persistent
        }
    }

    /// RFC 9110 §6.4.1.
    private static func mayHaveBody(_ status: HTTPStatus) -> Bool {
        status.code >= 200 && status != .noContent && status != .notModified
    }

    private static func framing(length: Int64?, hasBody: Bool, minorVersion: UInt8) -> ResponseFraming {
        guard hasBody else { return .none }
        if let length { return .length(length) }
        return minorVersion == 0 ? .untilClose : .chunked
    }

    private static func compression(of body: HTTPResponse.Body) -> Compression {
        switch body {
        case .bytes(let bytes): bytes.count <= slice ? .whole : .stream
        case .stream: .stream
        case .none, .file, .webSocket: .none
        }
    }

    /// A part of something must stay a part of the same bytes, and what is encoded is not encoded again. Files are
    /// left to their folder, which may hold them compressed.
    private static func isCompressible(_ response: HTTPResponse, _ length: Int64?, _ threshold: Int) -> Bool {
        switch response.body {
        case .bytes, .stream: break
        case .none, .file, .webSocket: return false
        }
        guard length ?? .max >= Int64(threshold), response.status != .partialContent else { return false }
        guard response.headers.value(of: "content-encoding") == nil else { return false }
        return response.headers.value(of: "content-type").map(isText) ?? false
    }

    /// By the type without its parameters. What is not listed (images, archives, fonts in WOFF2) is dense already.
    static func isText(_ contentType: String) -> Bool {
        let end = contentType.utf8.firstIndex(of: UInt8(ascii: ";")) ?? contentType.endIndex
        let essence = contentType[..<end].lowercased()
        if essence.hasPrefix("text/") || essence.hasSuffix("+json") || essence.hasSuffix("+xml") { return true }
        return [
            "application/json", "application/javascript", "application/xml", "application/x-ndjson",
            "application/wasm", "application/manifest+json", "image/svg+xml",
        ].contains(essence)
    }
}

extension HTTPResponse.Body {
    /// `nil` for a stream that does not say.
    var knownLength: Int64? {
        switch self {
        case .none, .webSocket: 0
        case .bytes(let bytes): Int64(bytes.count)
        case .stream(let length, _): length
        case .file(let region): region.length
        }
    }
}
