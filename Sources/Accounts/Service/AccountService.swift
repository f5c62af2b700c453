// What can be done with accounts. One class, in one file per subject: `AccountService+*.swift`.
//
// Every change is one transaction that also holds its audit event; when it is committed, this node's caches are told.
// Nothing here waits inside a transaction for anything but the database: passwords are hashed and keys made before.

package import Base
import Crypto
package import Store
import Synchronization
package import Vault
import Wire

package final class AccountService: Sendable {
    package let authenticator: Authenticator
    package let audit: AuditLog
    /// All named keys; the ones that sign tokens among them (`keyring`).
    package let keys: VaultKeys
    let keyring: Keyring
    package let options: AccountOptions
    /// The one option that changes while the server runs.
    let registrationIsOpen: Atomic<Bool>

    let database: any Database
    let vault: Vault
    let clock: Clock
    let passwords: PasswordWorker
    let senders: CodeSenders
    let throttles: ThrottleBook
    let jobs = BackgroundJobs()
    let events = AccountEventsBox()
    let refreshDerivation: RefreshDerivation
    let codeHash: CodeHash
    static let log = Logger("accounts")

    package init(
        database: any Database, vault: Vault, passwords: PasswordWorker, senders: CodeSenders = CodeSenders(),
        clock: Clock = .system, options: AccountOptions = AccountOptions()
    ) {
        self.database = database
        self.vault = vault
        self.passwords = passwords
        self.senders = senders
        self.clock = clock
        self.options = options
        registrationIsOpen = Atomic(options.isRegistrationOpen)
        keys = VaultKeys(
            vault: vault, repository: SQLKeyRepository(database: database, clock: clock),
            definitions: KeyDefinition.ofThisVersion(
                lifetime: options.keyLifetime, tokens: options.signingKeyLifetime,
                tokensCount: options.longestTokenLifetime),
            clock: clock, destructionWait: options.keyDestructionWait)
        keyring = Keyring(database: database, vault: vault, keys: keys)
        audit = AuditLog(database: database, vault: vault, jobs: jobs)
        throttles = ThrottleBook(vault: vault, account: options.accountThrottle, address: options.addressThrottle)
        refreshDerivation = RefreshDerivation(vault: vault)
        codeHash = CodeHash(vault: vault)
        authenticator = Authenticator(
            database: database, keyring: keyring, csrf: CSRF(vault: vault), issuer: options.issuer, clock: clock,
            jobs: jobs, options: options.authenticator)
        keys.register(SealedFactors(database: database))
        keys.register(IssuedTokens(database: database))
    }

    /// Makes what must be there before the first request, and finishes what a crash left: a signing key, the seal of
    /// the last audit events, what a newer key is to seal.
    package func start() async throws(AccountError) {
        try await keyring.start(at: clock.now())
        try await audit.seal()
        rewrapSoon(KeyNames.factors)
    }

    /// Waits for mails and notes that are on their way and for the audit log's seal; nothing is taken after it.
    package func stop() async {
        await jobs.close()
        do { try await audit.seal() } catch { Self.log.warning("audit events wait to be sealed", [.error(error)]) }
        passwords.stop()
    }

    /// Waits until nothing runs in the background.
    package func settle() async { await jobs.drain() }

    /// Deletes what is over and replaces keys that are old. Called every hour or so.
    package func sweep() async throws(AccountError) {
        let now = clock.now()
        let ended = now - Self.endedSessionsAreKept
        let forgotten = now - options.accountThrottle.forgetAfter
        try await database.transaction { (transaction) async throws(AccountError) in
            try await transaction.change(RefreshTokenTable.sweep(before: now))
            try await transaction.change(SessionTable.sweep(before: ended))
            try await transaction.change(ChallengeTable.sweep(at: now))
            try await transaction.change(PasswordResetTable.sweep(at: now))
            try await transaction.change(ThrottleTable.sweep(before: forgotten))
        }
        try await advanceKeys()
    }

    /// A session's row stays a while after its end, for the questions that come later.
    private static let endedSessionsAreKept = Duration.days(7)

    // MARK: For the other files

    /// A statement of a transaction that stands or falls with it; `failure` is thrown when it changed no row.
    struct Change: Sendable {
        let statement: Statement
        let failure: AccountError?

        init(_ statement: Statement, orThrow failure: AccountError? = nil) {
            self.statement = statement
            self.failure = failure
        }
    }

    static func apply(_ changes: [Change], in transaction: any Transaction) async throws(AccountError) {
        for change in changes {
            let count = try await transaction.change(change.statement)
            if count == 0, let failure = change.failure { throw failure }
        }
    }

    /// Changes without any reading, together with their event.
    func commit(_ changes: [Change], _ event: AuditEvent) async throws(AccountError) {
        try await database.transaction { (transaction) async throws(AccountError) in
            try await Self.apply(changes, in: transaction)
            try await AuditLog.append(event, in: transaction)
        }
        audit.sealSoon()
    }

    func event(
        _ action: AuditAction, actor: UserID?, target: String? = nil, severity: AuditSeverity = .info,
        outcome: AuditOutcome = .success, origin: RequestOrigin, details: [(String, JSONValue)] = []
    ) -> AuditEvent {
        AuditEvent(
            time: clock.now(), actor: actor, action: action.rawValue, severity: severity, outcome: outcome,
            target: target, origin: origin, details: JSONObject(details))
    }
}

/// Who carries words to people; a method whose sender is missing cannot be enrolled.
package struct CodeSenders: Sendable {
    package var mail: (any CodeSender)?
    package var sms: (any CodeSender)?

    package init(mail: (any CodeSender)? = nil, sms: (any CodeSender)? = nil) {
        self.mail = mail
        self.sms = sms
    }

    subscript(_ method: MFAMethod) -> (any CodeSender)? {
        switch method {
        case .email: mail
        case .sms: sms
        case .totp, .webauthn, .recovery: nil
        }
    }
}

extension Principal {
    /// Credentials are changed only by who logged in: a leaked API key must not become an account.
    func requireSession() throws(AccountError) -> SessionID {
        guard let session, kind == .user || kind == .admin else { throw .forbidden(.sessionRequired) }
        return session
    }
}

extension Actor {
    func requireAdmin() throws(AccountError) {
        guard isAdmin else { throw .forbidden(.administratorsOnly) }
    }
}
