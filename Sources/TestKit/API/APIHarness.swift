// The whole API without a socket: requests go in as values, answers come out as values, and every answer is held
// against what its row declares (`AnswerContract`), whatever the test is about.

package import API
package import Accounts
package import Backup
package import Base
package import Chat
package import Configuration
import Net
package import Signaling
import Store
package import Tasks
import Wire

package final class APIHarness: Sendable {
    /// What a test may want different. Rate limits are off unless a test is about them.
    package struct Setup: Sendable {
        package var limits = RateLimitPolicy()
        package var options = APIService.Options()
        package var accounts = AccountOptions()
        package var loadMarks = LoadMonitor.Marks(cpu: .infinity, memory: .infinity)
        package var areMetricsPublic = true
        package var documentation: DocumentationPages? = DocumentationPages(assets: nil)
        /// Stands in the way of the operations; for tests of what happens when the database fails.
        package var tables = DialectTables.all
        package var media: MediaAccess?
        package var signaling: SignalingAccess?
        package var calls = CallOptions()
        /// `nil` for a server that does not record.
        package var recorder: TestRecorder? = TestRecorder()
        /// What the operator gives; no more than the settings of the running server are made of it here.
        package var sources = ConfigurationSources()
        /// What stands for sockets and media in calls.
        package var callWorld = TestCallWorld()
        /// Sockets and media themselves, in its place.
        package var sockets: (any CallEvents & CallMedia)?
        package var chat = ChatOptions()
        package var clientSettings = ClientSettingOptions()
        package var webhooks = WebhookOptions()
        package var files = FileOptions()
        package var backups = TestBackups.Setup()

        package init() { limits.scale = 0 }
    }

    package static let version = "1.2.3-test"

    package let api: APIService
    package let domain: TestAccounts
    package let calls: CallService
    package let presence: PresenceBook
    package let callWorld: TestCallWorld
    package let chat: ChatService
    package let chatWorld = TestChatWorld()
    package let hub: ChatHub
    package let files: FileService
    package let ledger: TestLedger
    package let inspector = TestInspector()
    package let avatars: AvatarService
    package let loop = TestLoop()
    package let load: LoadMonitor
    package let health: HealthMonitor
    package let idempotency: IdempotencyStore
    package let settings: LiveSettings
    package let clientSettings: ClientSettings
    package let webhooks: WebhookService
    package let receiver = TestReceiver()
    package let imageInspector = TestImageInspector()
    package let backups: TestBackups
    package let schedules: BackupSchedules
    package let scheduler: BackupScheduler
    package let tasks: TaskBoard
    private let contract: AnswerContract

    package var accounts: AccountService { domain.service }
    package var clock: TestClock { domain.clock }

    /// Over an empty database, which is closed afterwards. What must hold after every test is checked at the end,
    /// unless the test breaks the database.
    package static func run(
        _ setup: Setup = Setup(), on place: TestDatabase = .memory, breaksDatabase: Bool = false,
        _ body: (APIHarness) async throws -> Void
    ) async throws {
        try await place.with { database in
            let domain = try await TestAccounts.make(database, options: setup.accounts)
            _ = try await Migrations(
                AccountsSchema.migrations + IdempotencyStore.migrations + SignalingSchema.migrations
                    + ChatSchema.migrations + TasksSchema.migrations + BackupSchema.migrations
                    + BackupScheduleSchema.migrations
            )
            .apply(to: database)
            let harness = try APIHarness(domain, setup, try Configuration.load(setup.sources))
            try await harness.calls.start()
            try await harness.files.start()
            try await harness.tasks.open()
            try await body(harness)
            await harness.tasks.stop()
            if !breaksDatabase {
                try await domain.finish()
                try await harness.ledger.verify()
            }
            await domain.service.stop()
        }
    }

    private init(_ domain: TestAccounts, _ setup: Setup, _ configuration: LoadedConfiguration) throws {
        self.domain = domain
        let metrics = Metrics()
        let requestMetrics = RequestMetrics(metrics)
        load = LoadMonitor(marks: setup.loadMarks, diskFolder: "/")
        health = HealthMonitor(
            database: domain.database, load: load, version: Self.version, responseTimes: requestMetrics.duration)
        health.isReady = true
        idempotency = IdempotencyStore(database: domain.database, vault: domain.vault)
        contract = AnswerContract(setup.tables)
        callWorld = setup.callWorld
        let sockets: any CallEvents & CallMedia = setup.sockets ?? callWorld
        let hub = ChatHub()
        self.hub = hub
        presence = PresenceBook(
            database: domain.database, clock: domain.clock.clock,
            tell: { user, presence in
                sockets.presenceChanged(user, presence)
                hub.presenceChanged(user, presence.inChat)
            })
        hub.setPresence(presence)
        calls = CallService(
            node: "test", database: domain.database, accounts: domain.service, presence: presence, media: sockets,
            events: sockets, recorder: setup.recorder, clock: domain.clock.clock, options: setup.calls)
        let recordings = RecordingLibrary(
            node: "test", database: domain.database, accounts: domain.service, recorder: setup.recorder,
            clock: domain.clock.clock)
        let limiter = RateLimiter(setup.limits)
        settings = Self.liveSettings(configuration, domain, setup, limiter)
        let bell = WebhookBell(before: chatWorld)
        chat = ChatService(
            database: domain.database, accounts: domain.service, gate: chatWorld, events: bell,
            clock: domain.clock.clock, options: setup.chat)
        chatWorld.setNext(calls)
        ledger = try TestLedger(domain.database, clock: domain.clock)
        files = FileService(
            database: domain.database, ledger: ledger.ledger, chat: chat, inspector: inspector, options: setup.files)
        avatars = AvatarService(
            database: domain.database, ledger: ledger.ledger, accounts: domain.service, images: TestAvatars(),
            publicURL: "https://chat.example.org", clock: domain.clock.clock)
        hub.setChat(chat)
        chatWorld.setNext(hub)
        webhooks = WebhookService(
            chat: chat, vault: domain.vault, transport: receiver, encoder: WebhookAccess.encoder(), bell: bell,
            options: setup.webhooks)
        clientSettings = ClientSettings(
            domain.service, options: setup.clientSettings,
            images: ClientImageStore(ledger: ledger.ledger, inspector: imageInspector))
        clientSettings.setEvents(hub)
        tasks = TaskBoard(database: domain.database, node: "test", clock: domain.clock.clock)
        backups = try TestBackups(
            setup.backups, board: tasks, database: domain.database,
            events: AuditedBackups(domain.service.audit, clock: domain.clock.clock), clock: domain.clock.clock)
        (schedules, scheduler) = Self.schedules(domain, backups, metrics)
        api = APIService(
            tables: setup.tables,
            services: Services(
                accounts: domain.service, health: health, metrics: metrics, documentation: setup.documentation,
                areMetricsPublic: setup.areMetricsPublic, media: setup.media,
                signaling: setup.signaling,
                calls: CallAccess(service: calls, presence: presence, recordings: recordings),
                chat: ChatAccess(service: chat, publicURL: "https://chat.example.org"),
                live: LiveAccess(hub: hub, chat: chat),
                files: FileAccess(service: files, publicURL: "https://chat.example.org", avatars: avatars),
                settings: settings, clientSettings: clientSettings,
                webhooks: WebhookAccess(service: webhooks, publicURL: "https://chat.example.org"), tasks: tasks,
                backups: backups.service, backupSchedules: schedules),
            limiter: limiter, load: load, idempotency: idempotency, options: setup.options,
            clock: domain.clock.clock, metrics: requestMetrics)
    }

    private static func liveSettings(
        _ configuration: LoadedConfiguration, _ domain: TestAccounts, _ setup: Setup, _ limiter: RateLimiter
    ) -> LiveSettings {
        LiveSettings(configuration) { changed in
            domain.service.setRegistration(isOpen: changed.accounts.registration == .open)
            var policy = setup.limits
            policy.scale = changed.rateLimits.scale
            limiter.adopt(policy)
        }
    }

    private static func schedules(
        _ domain: TestAccounts, _ backups: TestBackups, _ metrics: Metrics
    ) -> (BackupSchedules, BackupScheduler) {
        let kept = BackupScheduleStore(database: domain.database, events: AuditedSchedules(domain.service.audit))
        let zones = ZoneFiles.ofMachine()
        return (
            BackupSchedules(kept, backups.service, zones: zones, clock: domain.clock.clock),
            BackupScheduler(
                kept, backups.service, zones: zones, node: TestBackups.node, metrics: BackupScheduleMetrics(metrics),
                clock: domain.clock.clock)
        )
    }

    /// Moves civil time and the loops' time alike.
    package func advance(by duration: Duration) {
        clock.advance(by: duration)
        loop.advance(by: duration)
    }

    // MARK: Requests

    /// Throws when the answer is not what the row declares.
    package func send(_ request: TestRequest) async throws -> TestAnswer {
        let parts = request.target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let head = RequestHead(
            method: request.method, path: String(parts[0]), query: parts.count > 1 ? String(parts[1]) : nil,
            headers: RequestHeaders(request.headers))
        let response = await api.respond(
            to: HTTPRequest(
                head: head, body: RequestBody(request.body),
                connection: ConnectionInfo(
                    remoteAddress: Private(request.address), remotePort: 40_000, isSecure: request.isSecure),
                loop: loop))
        let answer = TestAnswer(response)
        try contract.check(answer, request)
        return answer
    }

    package func get(
        _ target: String, as person: Person? = nil, headers: [(String, String)] = []
    ) async throws -> TestAnswer {
        try await send(TestRequest(.get, target, as: person, headers: headers))
    }

    package func post(
        _ target: String, _ json: String = "", as person: Person? = nil, headers: [(String, String)] = []
    ) async throws -> TestAnswer {
        try await send(TestRequest(.post, target, json, as: person, headers: headers))
    }

    package func put(
        _ target: String, _ json: String, as person: Person? = nil, headers: [(String, String)] = []
    ) async throws -> TestAnswer {
        try await send(TestRequest(.put, target, json, as: person, headers: headers))
    }

    package func delete(
        _ target: String, as person: Person? = nil, headers: [(String, String)] = []
    ) async throws -> TestAnswer {
        try await send(TestRequest(.delete, target, as: person, headers: headers))
    }

    // MARK: People

    /// Somebody who is logged in.
    package struct Person: Sendable {
        package let id: UserID
        package let name: String
        package let token: String
        package let refreshToken: String

        package init(_ signedIn: SignedIn) {
            id = signedIn.user.id
            name = signedIn.user.username.exposed
            token = signedIn.tokens.accessToken.exposedText
            refreshToken = signedIn.tokens.refreshToken.exposedText
        }

        package init(id: UserID, name: String, token: String) {
            self.id = id
            self.name = name
            self.token = token
            refreshToken = ""
        }
    }

    package static let password = TestAccounts.password.exposedText

    package func register(_ name: String = "alice") async throws -> Person { Person(try await domain.register(name)) }

    package func login(_ name: String) async throws -> Person { Person(try await domain.login(name)) }

    package func administrator(_ name: String = "root", password: String = password) async throws -> Person {
        _ = try await accounts.createUser(
            NewUser(
                Registration(username: name, email: "\(name)@example.org", password: Secret(text: password)),
                roles: [.user, .admin]),
            by: .console, origin: .console)
        return Person(try await domain.login(name, password: Secret(text: password)))
    }

    /// A service account or a node with a token of these scopes.
    package func machine(_ name: String, _ kind: User.Kind, _ scopes: Scopes) async throws -> Person {
        let account = try await accounts.createServiceAccount(
            name: name, kind: kind, scopes: scopes, by: .console, origin: .console)
        let issued = try await accounts.issueToken(for: account.id, by: .console, origin: .console)
        return Person(id: account.id, name: name, token: issued.token.exposedText)
    }

    // MARK: What was written down

    /// The audit events of an action, newest first.
    package func audited(_ action: String) async throws -> [AuditEvent] {
        await accounts.settle()
        return try await accounts.audit.page(AuditFilter(type: action, limit: 200)).items
    }
}
