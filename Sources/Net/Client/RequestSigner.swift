// AWS Signature Version 4, as S3 and what is compatible with it want it.
//
// libcurl signs too (CURLOPT_AWS_SIGV4), but before 8.3 it neither orders the query nor signs a streamed body as S3
// wants it, and Debian 12 has 7.88, Ubuntu 22.04 7.81.

import Base
import Crypto
import Wire

struct RequestSigner {
    let region: String
    let service: String
    let accessKey: String
    let secretKey: Secret

    /// The headers to add; `nil` when the URL has no host. What is signed: host, date, content hash, and every header
    /// of the request whose name begins with `x-amz-`.
    func headers(signing request: OutgoingRequest, at time: Timestamp) -> [(name: String, value: String)]? {
        guard let url = SignedURL(request.url) else { return nil }
        let date = Self.compact(time)
        let given = request.headers.map { (name: $0.name.lowercased(), value: $0.value) }
        let contentHash = given.first { $0.name == "x-amz-content-sha256" }?.value ?? hash(of: request.body)
        var signed = given.filter { $0.name.hasPrefix("x-amz-") && $0.name != "x-amz-content-sha256" }
        signed += [("host", url.host), ("x-amz-date", date), ("x-amz-content-sha256", contentHash)]
        signed.sort { $0.name < $1.name }
        let names = signed.map(\.name).joined(separator: ";")
        let canonical =
            "\(request.method)\n\(url.path)\n\(url.canonicalQuery)\n"
            + signed.map { "\($0.name):\(Self.trimmed($0.value))\n" }.joined() + "\n\(names)\n\(contentHash)"
        let scope = "\(date.prefix(8))/\(region)/\(service)/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(date)\n\(scope)\n\(Hex.encode(SHA256.hash(Bytes(canonical.utf8))))"
        let signature = Hex.encode(HMAC.sha256(Bytes(text.utf8), key: signingKey(day: String(date.prefix(8)))))
        var added = [
            (name: "x-amz-date", value: date),
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope), SignedHeaders=\(names), Signature=\(signature)"
            ),
        ]
        if !given.contains(where: { $0.name == "x-amz-content-sha256" }) {
            added.append(("x-amz-content-sha256", contentHash))
        }
        return added
    }

    /// A file is not read twice: who knows its hash gives it as `x-amz-content-sha256`.
    private func hash(of body: OutgoingRequest.Body) -> String {
        switch body {
        case .none: Hex.encode(SHA256.hash([]))
        case .bytes(let bytes): Hex.encode(SHA256.hash(bytes))
        case .file: "UNSIGNED-PAYLOAD"
        }
    }

    private func signingKey(day: String) -> Secret {
        let first = Secret(Bytes("AWS4".utf8) + secretKey.exposedBytes)
        return [day, region, service, "aws4_request"].reduce(first) { key, part in
            Secret(HMAC.sha256(Bytes(part.utf8), key: key))
        }
    }

    /// `20130524T000000Z`.
    private static func compact(_ time: Timestamp) -> String {
        let civil = CivilTime(time)
        var text = Bytes()
        text.appendDecimal(civil.year, width: 4)
        for part in [civil.month, civil.day] { text.appendDecimal(part, width: 2) }
        text.append(UInt8(ascii: "T"))
        for part in [civil.hour, civil.minute, civil.second] { text.appendDecimal(part, width: 2) }
        text.append(UInt8(ascii: "Z"))
        return String(decoding: text, as: UTF8.self)
    }

    /// Runs of spaces count as one.
    private static func trimmed(_ value: String) -> String { value.split(separator: " ").joined(separator: " ") }
}

/// The parts of a URL that are signed. Path and query are expected percent-encoded, as they are sent.
private struct SignedURL {
    let host: String
    let path: String
    let canonicalQuery: String

    init?(_ url: String) {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let isDefaultPort = url.hasPrefix("http://") ? ":80" : ":443"
        let rest = url[scheme.upperBound...].prefix { $0 != "#" }
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest[authority.endIndex...]
        guard !authority.isEmpty, !authority.contains("@") else { return nil }
        host = String(authority.hasSuffix(isDefaultPort) ? authority.dropLast(isDefaultPort.count) : authority)
        let path = target.prefix { $0 != "?" }
        self.path = path.isEmpty ? "/" : String(path)
        canonicalQuery = target[path.endIndex...].dropFirst().split(separator: "&")
            .map { $0.contains("=") ? String($0) : "\($0)=" }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            .joined(separator: "&")
    }
}
