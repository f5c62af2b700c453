// Outgoing HTTP as a value and a seam: who needs to call out (object storage, webhooks) says what to send; Net's
// libcurl client, or a test's recording, sends it.

package import Base

package struct OutgoingRequest: Sendable {
    /// How the request is authenticated by the transport itself.
    package enum Signing: Sendable {
        case none
        /// AWS Signature Version 4, as S3-compatible stores want it.
        case awsV4(region: String, service: String, accessKey: String, secretKey: Secret)
    }

    package enum Body: Sendable {
        case none
        case bytes(Bytes)
        /// A file on disk, streamed; `length` bytes from `offset`.
        case file(path: String, offset: Int64, length: Int64)
    }

    package var method: String
    package var url: String
    package var headers: [(name: String, value: String)]
    package var body: Body
    package var signing: Signing
    /// From the start to the last byte of the answer.
    package var timeout: Duration
    /// An answer with a longer body fails with `.tooLarge`.
    package var responseLimit: Int

    package init(
        method: String = "GET", url: String, headers: [(name: String, value: String)] = [], body: Body = .none,
        signing: Signing = .none, timeout: Duration = .seconds(30), responseLimit: Int = 16 << 20
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.signing = signing
        self.timeout = timeout
        self.responseLimit = responseLimit
    }
}

package struct IncomingResponse: Sendable {
    package var status: Int
    /// Names in lower case, in the order in which they came.
    package var headers: [(name: String, value: String)]
    package var body: Bytes

    package init(status: Int, headers: [(name: String, value: String)], body: Bytes) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

package enum TransportError: Error, Equatable {
    /// Name resolution, connection or TLS failed; the text is for an operator.
    case unreachable(String)
    case timedOut
    case tooLarge(limit: Int)
    /// The name leads to addresses that this transport may not call.
    case refusedAddress
    case cancelled
}

package protocol HTTPTransport: Sendable {
    func send(_ request: OutgoingRequest) async throws(TransportError) -> IncomingResponse

    /// For bodies that must not be held in memory: chunks go to `receive` as they come; throwing there cancels.
    func send(
        _ request: OutgoingRequest, receive: @escaping @Sendable (Bytes) throws -> Void
    ) async throws(TransportError) -> IncomingResponse
}
