// The parts that reach out: mail, text messages. Each exists only where the operator has configured it.

import API
import Accounts
import Base
import Configuration
import Glibc
import Net
import Wire

extension Configuration {
    func codeSenders(on loop: any EventLoop) throws(StartFailure) -> CodeSenders {
        CodeSenders(mail: try mailSender(on: loop), sms: smsSender(on: loop))
    }

    private func mailSender(on loop: any EventLoop) throws(StartFailure) -> (any CodeSender)? {
        guard let url = mail.url else { return nil }
        guard let from = mail.from.flatMap({ MailAddress($0) }) else {
            throw StartFailure(
                "mail", "mail.from is not an address", remedy: "Set it to the address that mails come from.")
        }
        guard let server = MailServer(url) else {
            throw StartFailure(
                "mail", "mail.url is not smtp://host[:port] or smtps://host[:port]", remedy: "Correct it.")
        }
        var options = MailClient.Options(
            host: server.host, port: server.port, security: server.isSecure ? .tls : startTLS)
        if let user = mail.username, let password = mail.password { options.login = (user, password) }
        options.timeout = mail.timeout
        options.connection = outgoingOptions
        return MailSender(
            from: from, resetLink: "\(publicURL)/#/reset?token=", transport: MailClient(loop: loop, options: options))
    }

    var outgoingOptions: ConnectionOptions {
        var options = ConnectionOptions()
        options.connectTimeout = outgoing.connectTimeout
        options.proxy = outgoing.proxy
        options.trustedCertificates = outgoing.trustedCertificates
        return options
    }

    private var startTLS: MailClient.Security { mail.encryption == .off ? .none : .startTLS }

    private func smsSender(on loop: any EventLoop) -> (any CodeSender)? {
        guard let url = sms.webhookURL, let key = sms.secret else { return nil }
        return SMSWebhook(url: url, key: key, transport: CurlClient(loop: loop, options: outgoingOptions))
    }
}

/// `smtp://host:587`, `smtps://host:465`.
private struct MailServer {
    let host: String
    let port: UInt16
    let isSecure: Bool

    init?(_ url: String) {
        isSecure = url.hasPrefix("smtps://")
        guard isSecure || url.hasPrefix("smtp://"), let authority = url.split(separator: "/").dropFirst().first else {
            return nil
        }
        let parts = authority.split(separator: ":", maxSplits: 1)
        guard let name = parts.first else { return nil }
        host = String(name)
        guard parts.count == 2 else {
            port = isSecure ? 465 : 587
            return
        }
        guard let given = UInt16(parts[1]) else { return nil }
        port = given
    }
}
