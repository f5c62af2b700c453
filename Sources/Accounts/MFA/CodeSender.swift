// Getting a few words to a person: by mail or by a gateway for text messages.

package import Base
import Crypto
package import Wire

/// What is to be said; how it is put is the sender's business.
package enum AccountMessage: Sendable {
    case loginCode(String, validFor: Duration)
    case enrolmentCode(String, validFor: Duration)
    case passwordReset(token: Secret, validFor: Duration)
}

package enum CodeSenderError: Error, Sendable, Equatable {
    /// For the operator; the person learns only that it could not be sent.
    case failed(String)
}

package protocol CodeSender: Sendable {
    func send(_ message: AccountMessage, to recipient: Private<String>) async throws(CodeSenderError)
}

/// Text messages through a gateway of the operator's: one signed POST for each (docs/protocol/tokens.md).
package struct SMSWebhook: CodeSender {
    /// Gateways answer in a second or not at all; the person is waiting.
    private static let timeout = Duration.seconds(10)
    private static let responseLimit = 16 << 10

    private let url: String
    private let key: Secret
    private let transport: any HTTPTransport
    private let clock: Clock

    package init(url: String, key: Secret, transport: any HTTPTransport, clock: Clock = .system) {
        self.url = url
        self.key = key
        self.transport = transport
        self.clock = clock
    }

    package func send(_ message: AccountMessage, to recipient: Private<String>) async throws(CodeSenderError) {
        let body = Self.body(message, to: recipient)
        let time = "\(clock.now().secondsSinceEpoch)"
        let signature = Hex.encode(HMAC.sha256(Bytes("\(time).".utf8) + body, key: key))
        let request = OutgoingRequest(
            method: "POST", url: url,
            headers: [
                ("Content-Type", "application/json"), ("X-PlexiChat-Timestamp", time),
                ("X-PlexiChat-Signature", "v1=\(signature)"),
            ],
            body: .bytes(body), timeout: Self.timeout, responseLimit: Self.responseLimit)
        do {
            let answer = try await transport.send(request)
            guard (200..<300).contains(answer.status) else {
                throw CodeSenderError.failed("the SMS gateway answered \(answer.status)")
            }
        } catch let error as CodeSenderError {
            throw error
        } catch {
            throw .failed("the SMS gateway cannot be reached: \(error)")
        }
    }

    private static func body(_ message: AccountMessage, to recipient: Private<String>) -> Bytes {
        var writer = JSONWriter()
        writer.object {
            $0.field("to", recipient.exposed)
            $0.field("text", MessageText(message, link: nil).short)
        }
        return writer.bytes
    }
}

/// Mails through the operator's mail server.
package struct MailSender: CodeSender {
    private let from: (name: String, address: MailAddress)
    private let resetLink: String
    private let transport: any MailTransport
    private let clock: Clock

    /// `resetLink` stands before the token of a reset mail, such as `https://chat.example.org/#/reset?token=`; the token
    /// alone is sent when it is empty.
    package init(
        from address: MailAddress, name: String = "PlexiChat", resetLink: String = "", transport: any MailTransport,
        clock: Clock = .system
    ) {
        from = (name, address)
        self.resetLink = resetLink
        self.transport = transport
        self.clock = clock
    }

    package func send(_ message: AccountMessage, to recipient: Private<String>) async throws(CodeSenderError) {
        guard let address = MailAddress(recipient.exposed) else { throw .failed("the address is not one for mail") }
        let words = MessageText(message, link: resetLink)
        let mail = MailMessage(
            from: from, to: [("", address)], subject: words.subject, text: words.short + "\n", date: clock.now(),
            identifier: UUID.random().description)
        do {
            try await transport.send(from: from.address, to: [address], message: mail)
        } catch {
            throw .failed("the mail server did not take the message: \(error)")
        }
    }
}

/// The words of a message, in English.
struct MessageText {
    let subject: String
    let short: String

    /// `link` stands before a reset token in mails; without one, the token alone is sent.
    init(_ message: AccountMessage, link: String?) {
        switch message {
        case .loginCode(let code, let lifetime):
            subject = "Your login code"
            short = """
                \(code) is your PlexiChat login code. It is valid for \(Self.minutes(lifetime)). \
                If you are not logging in, change your password.
                """
        case .enrolmentCode(let code, let lifetime):
            subject = "Your confirmation code"
            short = "\(code) is your PlexiChat confirmation code. It is valid for \(Self.minutes(lifetime))."
        case .passwordReset(let token, let lifetime):
            subject = "Reset your password"
            short = """
                To choose a new PlexiChat password, use: \((link ?? "") + token.exposedText)
                It is valid for \(Self.minutes(lifetime)). If you did not ask for it, ignore this message.
                """
        }
    }

    private static func minutes(_ duration: Duration) -> String {
        let minutes = max(1, duration.nanoseconds / 60_000_000_000)
        return minutes == 1 ? "one minute" : "\(minutes) minutes"
    }
}
