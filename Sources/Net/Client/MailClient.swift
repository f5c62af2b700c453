// Outgoing mail: one connection to the operator's mail server per message, through libcurl, on one of our loops.

package import Base
import CCurl
package import Wire

/// Uses one loop, which must not be stopped while a message is under way.
package final class MailClient: MailTransport {
    package enum Security: Sendable {
        /// TLS from the first byte (port 465).
        case tls
        /// STARTTLS, required (port 587): without it nothing is sent.
        case startTLS
        /// In the clear: for a mail server on this machine.
        case none
    }

    package struct Options: Sendable {
        package var host: String
        package var port: UInt16
        package var security: Security
        package var login: (user: String, password: Secret)?
        /// From the connection to the server's last answer.
        package var timeout = Duration.seconds(60)
        package var connection = ConnectionOptions()

        package init(
            host: String, port: UInt16, security: Security, login: (user: String, password: Secret)? = nil
        ) {
            self.host = host
            self.port = port
            self.security = security
            self.login = login
        }
    }

    /// Answers of a mail server are lines; more than this is none.
    private static let answerLimit = 64 << 10

    private let curl: CurlLoop
    private let options: Options

    package init(loop: any EventLoop, options: Options) {
        var bounds = CurlLoop.Bounds()
        // Mail servers count connections per client, and nobody waits for a mail.
        bounds.connections = 4
        bounds.connectionsPerHost = 4
        bounds.idleConnections = 1
        curl = CurlLoop(loop, bounds)
        self.options = options
    }

    deinit { curl.close() }

    package func send(
        from sender: MailAddress, to recipients: [MailAddress], message: MailMessage
    ) async throws(MailError) {
        guard !recipients.isEmpty else { throw .failed("a message needs a recipient") }
        let ticket = CurlLoop.Ticket()
        let options = options
        let bytes = message.encoded
        let failure = await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: CheckedContinuation<CurlFailure?, Never>) in
                curl.run(
                    ticket,
                    { () throws(CurlFailure) in try Self.transfer(options, sender, recipients, bytes) },
                    { _, failure in continuation.resume(returning: failure) })
            }
        } onCancel: {
            curl.cancel(ticket)
        }
        if let failure { throw Self.error(failure) }
    }

    private static func transfer(
        _ options: Options, _ sender: MailAddress, _ recipients: [MailAddress], _ message: Bytes
    ) throws(CurlFailure) -> CurlTransfer {
        let scheme = options.security == .tls ? "smtps" : "smtp"
        let transfer = try CurlTransfer(
            url: "\(scheme)://\(options.host):\(options.port)", timeout: options.timeout, responseLimit: answerLimit,
            receive: nil)
        try transfer.connect(options.connection)
        try transfer.require(plexi_curl_allow_smtp(transfer.handle), CURLOPT_URL)
        if options.security != .none { try transfer.set(CURLOPT_USE_SSL, Int(CURLUSESSL_ALL.rawValue)) }
        if let login = options.login {
            try transfer.set(CURLOPT_USERNAME, login.user)
            try transfer.set(CURLOPT_PASSWORD, String(decoding: login.password.exposedBytes, as: UTF8.self))
        }
        try transfer.set(CURLOPT_MAIL_FROM, "<\(sender.exposed)>")
        try transfer.set(CURLOPT_MAIL_RCPT, recipients.map { "<\($0.exposed)>" })
        try transfer.upload(.bytes(message))
        return transfer
    }

    private static func error(_ failure: CurlFailure) -> MailError {
        switch failure {
        case .failed(let text): .failed(text)
        case .timedOut: .timedOut
        case .tooLarge: .failed("the mail server's answers are too long")
        case .refusedAddress: .failed("the mail server's address may not be called")
        case .cancelled: .cancelled
        }
    }
}
