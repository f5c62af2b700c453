// Accounts with everything around them in the test's hand: time, mail, text messages, cheap passwords.

package import Accounts
package import Base
import Crypto
package import Store
import Synchronization
package import Vault

/// A clock that stands still until it is moved.
package final class TestClock: Sendable {
    private let time: Mutex<Timestamp>

    package init(_ start: Timestamp = Timestamp(secondsSinceEpoch: 1_760_000_000)) { time = Mutex(start) }

    package var now: Timestamp { time.withLock { $0 } }
    package func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
    package var clock: Clock { Clock { [self] in now } }
}

/// Keeps what would have been sent.
package final class RecordingSender: CodeSender {
    package struct Sent: Sendable {
        package let message: AccountMessage
        package let recipient: String

        package var code: String {
            switch message {
            case .loginCode(let code, _), .enrolmentCode(let code, _): code
            case .passwordReset(let token, _): token.exposedText
            }
        }
    }

    private let log = Mutex<[Sent]>([])
    private let isBroken = Mutex(false)

    package init() {}

    package var sent: [Sent] { log.withLock { $0 } }
    package func breakDown() { isBroken.withLock { $0 = true } }

    package func send(_ message: AccountMessage, to recipient: Private<String>) async throws(CodeSenderError) {
        if isBroken.withLock({ $0 }) { throw .failed("broken on purpose") }
        log.withLock { $0.append(Sent(message: message, recipient: recipient.exposed)) }
    }
}

package final class TestAccounts: Sendable {
    package static let password = Secret(text: "correct horse battery")

    package let service: AccountService
    package let database: any Database
    package let clock: TestClock
    package let mail = RecordingSender()
    package let sms = RecordingSender()
    package let vault: Vault
    private let folder: TemporaryFolder?

    /// The defaults, but for bounds that a test would be long in reaching.
    package static var options: AccountOptions {
        var options = AccountOptions()
        options.waitingPasskeyLogins = 10
        return options
    }

    /// Over an empty database, or one that belongs to `vault`.
    package static func make(
        _ database: any Database, vault: Vault? = nil, clock: TestClock = TestClock(),
        options: AccountOptions = TestAccounts.options
    ) async throws -> TestAccounts {
        try await Migrations(AccountsSchema.migrations).apply(to: database)
        if let vault { return try await TestAccounts(database, vault, nil, clock, options) }
        let folder = try TemporaryFolder()
        return try await TestAccounts(
            database, try Vault.open(.file(folder.path + "/root.key")), folder, clock, options)
    }

    private init(
        _ database: any Database, _ vault: Vault, _ folder: TemporaryFolder?, _ clock: TestClock,
        _ options: AccountOptions
    ) async throws {
        self.database = database
        self.vault = vault
        self.folder = folder
        self.clock = clock
        let cheap = Argon2id.Parameters(memoryKiB: 8, iterations: 1, parallelism: 1)
        service = AccountService(
            database: database, vault: vault, passwords: try PasswordWorker(.init(threads: 1, parameters: cheap)),
            senders: CodeSenders(mail: mail, sms: sms), clock: clock.clock, options: options)
        try await service.start()
    }

    /// A second process on the same database: another node, or this one after a restart.
    package func another() async throws -> TestAccounts {
        try await TestAccounts(database, vault, nil, clock, service.options)
    }

    package static func origin(_ address: String = "192.0.2.1", agent: String = "test") -> RequestOrigin {
        RequestOrigin(address: Private(address), userAgent: Private(agent), requestID: "req-1")
    }

    @discardableResult
    package func register(
        _ name: String = "alice", session: SessionRequest = SessionRequest()
    ) async throws -> SignedIn {
        try await service.register(
            Registration(
                username: name, email: "\(name)@example.org", password: Self.password, displayName: "\(name) of Test"),
            session: session, origin: Self.origin())
    }

    package func login(
        _ name: String = "alice", password: Secret = TestAccounts.password, code: String? = nil,
        session: SessionRequest = SessionRequest(), from origin: RequestOrigin = TestAccounts.origin()
    ) async throws -> SignedIn {
        try await service.login(name, password: password, mfaCode: code, session: session, origin: origin)
    }

    package func principal(_ signedIn: SignedIn) async throws -> Principal {
        try await principal(signedIn.tokens.accessToken)
    }

    package func principal(_ token: Secret) async throws -> Principal {
        try await service.authenticator.authenticate(.bearer(token.exposedText))
    }

    /// A person with the role `admin`, logged in.
    package func administrator(_ name: String = "root") async throws -> Principal {
        _ = try await service.createUser(
            NewUser(
                Registration(username: name, email: "\(name)@example.org", password: Self.password),
                roles: [.user, .admin]),
            by: .console, origin: .console)
        return try await principal(try await login(name))
    }

    /// The challenge of a login that needs a second factor.
    package func challenge(_ name: String = "alice") async throws -> MFAChallenge {
        do {
            _ = try await login(name)
        } catch AccountError.mfaRequired(let challenge) {
            return challenge
        }
        throw ConformanceFailure(description: "no second factor was asked for")
    }

    /// An app for `principal`, confirmed; returns its secret and the recovery codes.
    package func enrolTOTP(_ principal: Principal) async throws -> (secret: Secret, recovery: [Secret]) {
        let enrolment = try await service.enrolTOTP(principal)
        guard let bytes = Self.base32(enrolment.secret.exposedText) else {
            throw ConformanceFailure(description: "the secret is no Base32")
        }
        let secret = Secret(bytes)
        let codes = try await service.confirmTOTP(
            principal, factor: enrolment.factor, code: totp(secret), origin: Self.origin())
        clock.advance(by: .seconds(30))
        return (secret, codes)
    }

    package func totp(_ secret: Secret) -> String { TOTP.code(secret, step: TOTP.step(at: clock.now)) }

    /// As an authenticator app reads it.
    private static func base32(_ text: String) -> Bytes? {
        var bytes = Bytes()
        var group: UInt32 = 0
        var bits = 0
        for letter in text.utf8 {
            switch letter {
            case 0x41...0x5A: group = group << 5 | UInt32(letter - 0x41)
            case 0x32...0x37: group = group << 5 | UInt32(letter - 0x32 + 26)
            default: return nil
            }
            bits += 5
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
            }
        }
        return bytes
    }

    /// Waits for what runs beside the answers, then checks what must hold after every test.
    package func finish() async throws {
        await service.settle()
        try await service.audit.seal()
        guard case .intact = try await service.audit.verify() else {
            throw ConformanceFailure(description: "the audit chain is broken")
        }
    }
}

/// Passes when `body` throws exactly this error.
package func requireRefusal(
    _ expected: AccountError, line: Int = #line, _ body: () async throws -> some Any
) async throws {
    try await requireError(AccountError.self, line: line, { _ = try await body() }, matches: { $0 == expected })
}
