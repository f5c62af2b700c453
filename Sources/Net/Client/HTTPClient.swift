// Outgoing HTTP/1.1 on libcurl, on one of our loops. Start with `CurlLoop.swift`.
//
// Left to the caller: retries, and what a status means. Where users say what is called (webhooks), the client is made with
// `ConnectionOptions.reachable`.

package import Base
import CCurl
import Crypto
import Glibc
package import Wire

/// Uses one loop, which must not be stopped while a request is under way. Idle connections close with the client.
package final class CurlClient: HTTPTransport {
    private let curl: CurlLoop
    private let options: ConnectionOptions
    private let clock: Clock

    package init(loop: any EventLoop, options: ConnectionOptions = ConnectionOptions(), clock: Clock = .system) {
        curl = CurlLoop(loop, CurlLoop.Bounds())
        self.options = options
        self.clock = clock
    }

    deinit { curl.close() }

    package func send(_ request: OutgoingRequest) async throws(TransportError) -> IncomingResponse {
        try await perform(request, nil)
    }

    package func send(
        _ request: OutgoingRequest, receive: @escaping @Sendable (Bytes) throws -> Void
    ) async throws(TransportError) -> IncomingResponse {
        try await perform(request, receive)
    }

    private func perform(
        _ request: OutgoingRequest, _ receive: (@Sendable (Bytes) throws -> Void)?
    ) async throws(TransportError) -> IncomingResponse {
        let ticket = CurlLoop.Ticket()
        let (options, now) = (options, clock.now())
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<Outcome, Never>) in
                curl.run(
                    ticket,
                    { () throws(CurlFailure) in try HTTPTransferSetup.make(request, receive, options, now) },
                    { transfer, failure in continuation.resume(returning: Self.outcome(transfer, failure)) })
            }
        } onCancel: {
            curl.cancel(ticket)
        }
        return try outcome.get()
    }

    private typealias Outcome = Result<IncomingResponse, TransportError>

    private static func outcome(_ transfer: CurlTransfer?, _ failure: CurlFailure?) -> Outcome {
        if let failure { return .failure(TransportError(failure)) }
        guard let transfer else { preconditionFailure("a transfer ends with an answer or a failure") }
        return .success(
            IncomingResponse(status: transfer.status, headers: transfer.headers, body: transfer.body))
    }
}

extension TransportError {
    init(_ failure: CurlFailure) {
        self =
            switch failure {
            case .failed(let text): .unreachable(text)
            case .timedOut: .timedOut
            case .tooLarge(let limit): .tooLarge(limit: limit)
            case .refusedAddress: .refusedAddress
            case .cancelled: .cancelled
            }
    }
}

/// From a request to a transfer.
private enum HTTPTransferSetup {
    static func make(
        _ request: OutgoingRequest, _ receive: (@Sendable (Bytes) throws -> Void)?, _ options: ConnectionOptions,
        _ now: Timestamp
    ) throws(CurlFailure) -> CurlTransfer {
        let transfer = try CurlTransfer(
            url: request.url, timeout: request.timeout, responseLimit: request.responseLimit, receive: receive)
        try transfer.connect(options)
        try transfer.require(plexi_curl_allow_http(transfer.handle), CURLOPT_URL)
        try transfer.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        // The path goes as it is written, since that is what was signed.
        try transfer.set(CURLOPT_PATH_AS_IS, 1)
        try setBody(transfer, request)
        try setMethod(transfer, request)
        try transfer.set(CURLOPT_HTTPHEADER, try headerLines(request, now))
        return transfer
    }

    private static func setBody(_ transfer: CurlTransfer, _ request: OutgoingRequest) throws(CurlFailure) {
        switch request.body {
        case .none: break
        case .bytes(let bytes): try transfer.upload(.bytes(bytes))
        case .file(let path, let offset, let length):
            let descriptor = open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else { throw .failed("\(SystemError("opening the file to send"))") }
            guard offset >= 0, length >= 0, offset.addingReportingOverflow(length).overflow == false else {
                close(descriptor)
                throw .failed("a part of a file that cannot be")
            }
            try transfer.upload(.file(OpenDescriptor(descriptor), offset: offset, length: length))
        }
    }

    private static func setMethod(_ transfer: CurlTransfer, _ request: OutgoingRequest) throws(CurlFailure) {
        guard isToken(request.method) else { throw .failed("\(request.method.debugDescription) is no method") }
        // Tells libcurl not to wait for a body that will not come.
        if request.method == "HEAD" { try transfer.set(CURLOPT_NOBODY, 1) }
        try transfer.set(CURLOPT_CUSTOMREQUEST, request.method)
    }

    private static func headerLines(_ request: OutgoingRequest, _ now: Timestamp) throws(CurlFailure) -> [String] {
        // Do not wait a second for servers that know no 100-continue.
        var lines = ["Expect:"]
        var headers = request.headers
        if case .none = request.body, ["POST", "PUT", "PATCH"].contains(request.method) {
            headers.append(("Content-Length", "0"))
        }
        if case .awsV4(let region, let service, let accessKey, let secretKey) = request.signing {
            let signer = RequestSigner(region: region, service: service, accessKey: accessKey, secretKey: secretKey)
            guard let signed = signer.headers(signing: request, at: now) else {
                throw .failed("the URL cannot be signed: \(request.url)")
            }
            headers += signed
        }
        for (name, value) in headers { lines.append(try line(name, value)) }
        return lines
    }

    /// With a line break in it, a value would be a second header.
    private static func line(_ name: String, _ value: String) throws(CurlFailure) -> String {
        guard isToken(name), value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 9 }) else {
            throw .failed("the header \(name.debugDescription) cannot be sent")
        }
        // libcurl takes a colon without a value as "leave this header out".
        return value.isEmpty ? "\(name);" : "\(name): \(value)"
    }

    /// RFC 9110 §5.6.2.
    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty
            && text.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "!#$%&'*+-.^_`|~".utf8.contains($0)
                }
            }
    }
}
