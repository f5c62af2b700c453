// One request to S3: its URL, its signature's ingredients, and another try where that may help.

import Base
import Crypto
import Wire

struct S3Client: Sendable {
    struct Answer: Sendable {
        let response: IncomingResponse
        var text: String { String(decoding: response.body, as: UTF8.self) }
    }

    private let options: S3BlobStore.Options
    private let transport: any HTTPTransport

    init(_ options: S3BlobStore.Options, _ transport: any HTTPTransport) {
        self.options = options
        self.transport = transport
    }

    /// `hash`: of the body, in hexadecimal; counted here for bytes in memory. Any other status than the expected ones
    /// throws.
    @discardableResult
    func send(
        _ method: String, _ key: BlobKey?, query: String = "", headers: [(name: String, value: String)] = [],
        body: OutgoingRequest.Body = .none, hash: String? = nil, expecting: Set<Int>
    ) async throws(BlobError) -> Answer {
        try await send(
            method, name: key?.description, query: query, headers: headers, body: body, hash: hash, expecting: expecting
        )
    }

    /// The same for an object by its name; `nil` for the bucket itself.
    @discardableResult
    func send(
        _ method: String, name: String?, query: String = "", headers: [(name: String, value: String)] = [],
        body: OutgoingRequest.Body = .none, hash: String? = nil, expecting: Set<Int>
    ) async throws(BlobError) -> Answer {
        let request = OutgoingRequest(
            method: method, url: url(name, query),
            headers: headers + [("x-amz-content-sha256", hash ?? Self.hash(body))],
            body: body,
            signing: .awsV4(
                region: options.region, service: "s3", accessKey: options.accessKey, secretKey: options.secretKey),
            timeout: options.timeout, responseLimit: max(options.windowSize, 4 << 20))
        var last = BlobError.unavailable("S3 was not asked")
        for attempt in 1...options.attempts {
            if attempt > 1 { await pause(beforeAttempt: attempt) }
            switch await sendOnce(request, expecting) {
            case .done(let answer): return answer
            case .failed(let error): throw error
            case .again(let error): last = error
            }
        }
        throw last
    }

    private enum Outcome {
        case done(Answer)
        case failed(BlobError)
        case again(BlobError)
    }

    private func sendOnce(_ request: OutgoingRequest, _ expecting: Set<Int>) async -> Outcome {
        do throws(TransportError) {
            let answer = Answer(response: try await transport.send(request))
            if expecting.contains(answer.response.status) { return .done(answer) }
            return Self.judge(answer)
        } catch {
            switch error {
            case .unreachable(let words): return .again(.unavailable("S3 is not reachable: \(words)"))
            case .timedOut: return .again(.unavailable("S3 does not answer in time"))
            case .tooLarge: return .failed(.unavailable("S3 answers with more than was asked for"))
            case .refusedAddress: return .failed(.unavailable("the address of S3 may not be called"))
            case .cancelled: return .failed(.unavailable("the request to S3 was cancelled"))
            }
        }
    }

    private static func judge(_ answer: Answer) -> Outcome {
        let status = answer.response.status
        let code = XMLText.value(of: "Code", in: answer.text).map(String.init) ?? "status \(status)"
        switch status {
        case 404 where code != "NoSuchBucket": return .failed(.notFound)
        case 429, 500...599: return .again(.unavailable("S3 is busy or broken: \(code)"))
        default: return .failed(.unavailable("S3 refuses: \(code)"))
        }
    }

    /// From 0.1 s doubling, less up to a half by chance.
    private func pause(beforeAttempt attempt: Int) async {
        let longest = 100 << min(attempt - 2, 6)
        try? await Task.sleep(for: .milliseconds(Int.random(in: longest / 2...longest)))
    }

    private func url(_ name: String?, _ query: String) -> String {
        let object = name.map { "/" + Self.escapedPath(options.prefix + $0) } ?? ""
        let question = query.isEmpty ? "" : "?" + query
        return "\(options.endpoint)/\(options.bucket)\(object)\(question)"
    }

    private static func hash(_ body: OutgoingRequest.Body) -> String {
        if case .bytes(let bytes) = body { return Hex.encode(SHA256.hash(bytes)) }
        return Hex.encode(SHA256.hash([]))
    }

    /// RFC 3986: everything but the unreserved characters as `%XX`.
    static func escaped(_ text: some StringProtocol) -> String {
        text.utf8.reduce(into: "") { result, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(UnicodeScalar(byte))
            default: result += "%" + Hex.encode([byte]).uppercased()
            }
        }
    }

    private static func escapedPath(_ path: String) -> String {
        path.split(separator: "/", omittingEmptySubsequences: false).map(escaped).joined(separator: "/")
    }
}
