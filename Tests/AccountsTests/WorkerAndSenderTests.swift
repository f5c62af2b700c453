// Passwords on their own threads, messages to people, and what must not be printed.

import Base
import Crypto
import Glibc
import Synchronization
import TestKit
import Testing
import Wire

@testable import Accounts

@Suite struct PasswordWorkerTests {
    private static let cheap = Argon2id.Parameters(memoryKiB: 8, iterations: 1, parallelism: 1)
    private let password = Secret(text: "correct horse battery")

    @Test func `a password verifies against its own hash only`() async throws {
        let worker = try PasswordWorker(.init(parameters: Self.cheap))
        let hash = try await worker.hash(password)
        #expect(hash.hasPrefix("$argon2id$"))
        #expect(try await worker.verify(password, against: hash))
        #expect(try await !worker.verify(Secret(text: "correct horse"), against: hash))
        #expect(try await !worker.verify(password, against: "no hash"))
        #expect(try await !worker.verify(password, against: nil))
        #expect(!worker.isOutdated(hash))
        let other = try PasswordWorker(.init(parameters: .init(memoryKiB: 16, iterations: 1, parallelism: 1)))
        #expect(other.isOutdated(hash))
        worker.stop()
        other.stop()
    }

    @Test func `what is beyond the bound is refused at once, and the rest is done`() async throws {
        let slow = Argon2id.Parameters(memoryKiB: 4_096, iterations: 2, parallelism: 1)
        let worker = try PasswordWorker(.init(threads: 1, waiting: 4, parameters: slow))
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<32 {
                group.addTask {
                    do throws(AccountError) {
                        return try await worker.verify(Secret(text: "anything"), against: nil)
                    } catch {
                        return error == .busy
                    }
                }
            }
            return await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        let refused = outcomes.filter { $0 }.count
        #expect(refused > 0)
        #expect(refused <= 32 - 4)
        #expect(worker.waitingCount == 0)
        worker.stop()
    }

    @Test func `a missing account takes as long as a wrong password`() async throws {
        let worker = try PasswordWorker(.init(threads: 1, parameters: .init(memoryKiB: 4_096, iterations: 2)))
        let hash = try await worker.hash(password)
        func time(_ hash: String?) async throws -> Duration {
            let start = Self.processorTime()
            _ = try await worker.verify(Secret(text: "wrong one"), against: hash)
            return Self.processorTime() - start
        }
        // In turns, and the best of many. Of the processor and not of the clock: on a machine with other work the clock
        // says more of that work than of this one.
        var known = Duration.seconds(100)
        var unknown = known
        for _ in 0..<20 {
            known = min(known, try await time(hash))
            unknown = min(unknown, try await time(nil))
        }
        #expect(unknown > known / 2 && unknown < known * 2, "\(unknown) for an unknown name, \(known) for a known one")
        worker.stop()
    }

    private static func processorTime() -> Duration {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }

    @Test func `a stopped worker refuses`() async throws {
        let worker = try PasswordWorker(.init(parameters: Self.cheap))
        worker.stop()
        await #expect(throws: AccountError.busy) { _ = try await worker.hash(password) }
    }

    @Test func `parameters that Argon2id lacks are found at the start`() {
        #expect(throws: AccountError.self) {
            _ = try PasswordWorker(.init(parameters: .init(memoryKiB: 1, iterations: 1, parallelism: 1)))
        }
    }
}

/// Answers as it is told and keeps what it was sent.
private final class RecordingTransport: HTTPTransport {
    let requests = Mutex<[OutgoingRequest]>([])
    let status: Int

    init(status: Int) { self.status = status }

    func send(_ request: OutgoingRequest) async throws(TransportError) -> IncomingResponse {
        requests.withLock { $0.append(request) }
        if status == 0 { throw .timedOut }
        return IncomingResponse(status: status, headers: [], body: [])
    }

    func send(
        _ request: OutgoingRequest, receive: @escaping @Sendable (Bytes) throws -> Void
    ) async throws(TransportError) -> IncomingResponse { try await send(request) }
}

private final class RecordingMail: MailTransport {
    let messages = Mutex<[(to: [MailAddress], message: MailMessage)]>([])
    func send(
        from sender: MailAddress, to recipients: [MailAddress], message: MailMessage
    ) async throws(MailError) { messages.withLock { $0.append((recipients, message)) } }
}

@Suite struct CodeSenderTests {
    private let clock = TestClock()

    @Test func `a text message is a signed POST`() async throws {
        let transport = RecordingTransport(status: 202)
        let key = Secret(text: "shared with the gateway")
        let webhook = SMSWebhook(url: "https://sms.example/send", key: key, transport: transport, clock: clock.clock)
        try await webhook.send(.loginCode("123456", validFor: .minutes(5)), to: Private("+4915112345678"))
        let request = try #require(transport.requests.withLock { $0.first })
        guard case .bytes(let body) = request.body else {
            Issue.record("the request has no body")
            return
        }
        let time = "\(clock.now.secondsSinceEpoch)"
        let signature = Hex.encode(HMAC.sha256(Bytes("\(time).".utf8) + body, key: key))
        #expect(request.headers.contains { $0.name == "X-PlexiChat-Signature" && $0.value == "v1=\(signature)" })
        #expect(request.headers.contains { $0.name == "X-PlexiChat-Timestamp" && $0.value == time })
        let json = try JSONValue(parsing: body)
        #expect(json["to"] == .string("+4915112345678"))
        #expect(json["text"]?.stringValue?.hasPrefix("123456 is your PlexiChat login code.") == true)
    }

    @Test(arguments: [0, 301, 401, 500]) func `a gateway that does not take it is an error`(_ status: Int) async {
        let webhook = SMSWebhook(
            url: "https://sms.example", key: Secret(text: "k"), transport: RecordingTransport(status: status))
        await #expect(throws: CodeSenderError.self) {
            try await webhook.send(.loginCode("123456", validFor: .minutes(5)), to: Private("+4915112345678"))
        }
    }

    @Test func `a reset mail holds the link and its lifetime`() async throws {
        let transport = RecordingMail()
        let sender = MailSender(
            from: try #require(MailAddress("noreply@example.org")),
            resetLink: "https://chat.example.org/#/reset?token=",
            transport: transport, clock: clock.clock)
        let token = Secret(text: "plp_abc")
        try await sender.send(.passwordReset(token: token, validFor: .hours(1)), to: Private("alice@example.org"))
        let sent = try #require(transport.messages.withLock { $0.first })
        #expect(sent.to.map(\.exposed) == ["alice@example.org"])
        #expect(sent.message.text.contains("https://chat.example.org/#/reset?token=plp_abc\n"))
        #expect(sent.message.text.contains("valid for 60 minutes"))
        await #expect(throws: CodeSenderError.self) {
            try await sender.send(.passwordReset(token: token, validFor: .hours(1)), to: Private("no address"))
        }
    }
}

@Suite struct SecrecyTests {
    @Test func `nothing personal or secret is printed by accident`() async throws {
        let user = User(
            id: UserID(.random()), kind: .person, username: Private("alice"), email: Private("alice@example.org"),
            displayName: Private("Alice L."), avatarURL: nil, publicKey: nil, isActive: true, isVerified: true,
            roles: .user, grantedScopes: [], tier: .user, preferences: JSONObject(),
            createdAt: Timestamp(secondsSinceEpoch: 0), updatedAt: Timestamp(secondsSinceEpoch: 0), lastLogin: nil)
        let challenge = MFAChallenge(
            temporaryToken: Secret(text: "plt_secret"), methods: [.totp], expiresAt: Timestamp(secondsSinceEpoch: 0))
        let origin = TestAccounts.origin("203.0.113.7", agent: "Firefox")
        let text = "\(user) \(AccountError.mfaRequired(challenge)) \(origin) \(String(reflecting: user))"
        for secret in ["alice", "Alice", "plt_secret", "203.0.113.7", "Firefox"] {
            #expect(!text.contains(secret), "\(secret) was printed")
        }
    }

    @Test func `recovery codes are of one form and all different`() {
        let codes = (0..<100).map { _ in RecoveryCode.make().exposedText }
        #expect(Set(codes).count == 100)
        for code in codes {
            #expect(code.utf8.count == 19)
            #expect(RecoveryCode.normalized(code)?.count == 16)
            #expect(RecoveryCode.normalized(code.uppercased()) == RecoveryCode.normalized(code))
        }
        #expect(RecoveryCode.normalized("123456") == nil)
    }

    @Test func `sent codes are six digits, leading zeros included`() {
        let codes = (0..<2_000).map { _ in CodeHash.makeDigits() }
        #expect(codes.allSatisfy { $0.utf8.count == 6 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } })
        #expect(codes.contains { $0.hasPrefix("0") })
    }

    @Test func `opaque tokens find their row by their own kind only`() {
        for kind in [OpaqueToken.apiKey, .refresh, .cookie, .temporary, .reset] {
            let token = kind.make()
            #expect(kind.hash(of: token) == SHA256.hash(token.exposedBytes))
            #expect(kind.hash(of: token.exposedText) == kind.hash(of: token))
            for other in [OpaqueToken.apiKey, .refresh, .cookie, .temporary, .reset] where other != kind {
                #expect(other.hash(of: token) == nil)
            }
        }
    }
}
