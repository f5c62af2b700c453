import Base
import Glibc
import Net
import Testing
import Wire

private let shard = Result { try Shard() }

private func address(_ text: String) throws -> MailAddress { try #require(MailAddress(text)) }

private func message(_ body: String = "Hello.\n.\n..dots\nFrom here\n") throws -> MailMessage {
    MailMessage(
        from: ("PlexiChat", try address("chat@example.org")), to: [("", try address("ann@example.org"))],
        subject: "Your code", text: body, date: Timestamp(secondsSinceEpoch: 784_111_777), identifier: "m1")
}

/// What the peer printed about one message.
private struct Delivery {
    let words: [String]
    init(_ line: String?) throws {
        words = try #require(line).split(separator: " ").map(String.init)
        try #require(words.count == 5)
    }
    var bytes: Bytes { Hex.decode(words[4]) ?? [] }
}

@Suite(.enabled("needs python3") { PeerProcess.canRun }) struct MailClientTests {
    private let files = Result { try CertificateFiles() }

    private func client(
        _ peer: PeerProcess, _ security: MailClient.Security, password: String? = nil
    ) throws -> MailClient {
        var options = MailClient.Options(host: "localhost", port: peer.port, security: security)
        options.login = password.map { ("robot", Secret(text: $0)) }
        options.connection.trustedCertificates = try files.get().certificate
        return MailClient(loop: try shard.get(), options: options)
    }

    private func peer(_ mode: String) throws -> PeerProcess {
        let files = try files.get()
        return try PeerProcess("smtp_peer", mode, files.certificate, files.key)
    }

    @Test(arguments: [
        ("plain", MailClient.Security.none, "clear"), ("starttls", .startTLS, "tls"), ("tls", .tls, "tls"),
    ])
    func `a message arrives byte by byte, at everyone`(
        _ mode: String, _ security: MailClient.Security, _ cover: String
    ) async throws {
        let peer = try peer(mode)
        let recipients = [try address("ann@example.org"), try address("bob+x@example.org")]
        try await client(peer, security, password: "secret")
            .send(from: try address("bounce@example.org"), to: recipients, message: try message())
        let delivery = try Delivery(peer.nextLine())
        let to = "ann@example.org,bob+x@example.org"
        #expect(Array(delivery.words[..<4]) == ["bounce@example.org", to, "robot", cover])
        #expect(delivery.bytes == (try message().encoded))
    }

    @Test func `without STARTTLS nothing is sent where it is required`() async throws {
        let peer = try peer("plain")
        await #expect(throws: MailError.self) {
            try await client(peer, .startTLS, password: "secret")
                .send(from: address("a@example.org"), to: [address("b@example.org")], message: message())
        }
    }

    @Test func `a wrong password and an unknown mailbox fail in words`() async throws {
        let peer = try peer("plain")
        let sender = try address("a@example.org")
        await #expect(throws: MailError.failed("Login denied")) {
            try await client(peer, .none, password: "guess").send(from: sender, to: [sender], message: message())
        }
        await #expect {
            try await client(peer, .none)
                .send(from: sender, to: [address("nobody@example.org")], message: message())
        } throws: { error in
            if case .failed(let text) = error as? MailError { text.contains("550") } else { false }
        }
    }

    @Test func `a mail server that falls silent runs into the timeout`() async throws {
        let peer = try peer("plain")
        var options = MailClient.Options(host: "127.0.0.1", port: peer.port, security: .none)
        options.timeout = .milliseconds(300)
        let client = MailClient(loop: try shard.get(), options: options)
        await #expect(throws: MailError.timedOut) {
            try await client.send(
                from: address("a@example.org"), to: [address("slow@example.org")], message: message())
        }
    }
}
