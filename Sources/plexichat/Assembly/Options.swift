// From what an operator sets to what the parts are handed. One property per part; no part knows the configuration.

import API
import Accounts
import Base
import Chat
import Configuration
import Crypto
import Glibc
import Net
import Store
import Vault
import Wire

/// `Configuration` has a section of the same name.
typealias PlexiVault = Vault

extension Configuration {
    var shardCount: Int { server.shards == 0 ? ShardGroup.availableCores : server.shards }

    // MARK: Storage

    var sqliteOptions: SQLiteDatabase.Options {
        var options = SQLiteDatabase.Options()
        options.readers = store.poolSize
        options.waitingReads = store.queueLimit
        options.waitingTransactions = store.queueLimit
        options.statementLimit = store.statementTimeout
        return options
    }

    var postgreSQLOptions: PostgreSQLDatabase.Options {
        var options = PostgreSQLDatabase.Options()
        options.exclusiveConnections = store.poolSize
        options.waitingReads = store.queueLimit
        options.waitingTransactions = store.queueLimit
        options.statementLimit = store.statementTimeout
        return options
    }

    var rootKeySource: PlexiVault.RootKeySource {
        switch vault.rootKey {
        case .file(let path): .file(path ?? data.folder + "/root.key")
        case .environment(let name): .environment(name)
        case .credential(let name): .systemdCredential(name)
        }
    }

    // MARK: Accounts

    var passwordOptions: PasswordWorker.Options {
        PasswordWorker.Options(
            threads: accounts.argon2.concurrency, waiting: accounts.argon2.queueLimit,
            parameters: Argon2id.Parameters(
                memoryKiB: accounts.argon2.memory >> 10, iterations: accounts.argon2.iterations,
                parallelism: accounts.argon2.parallelism))
    }

    var webhookOptions: WebhookOptions {
        var options = WebhookOptions()
        options.allowsHTTP = webhooks.allowHTTP
        options.reachable = PublicAddresses(allowed: webhooks.allowedNetworks)
        return options
    }

    /// Their own client: no connection of another one is used for what users choose.
    var webhookConnections: ConnectionOptions {
        var options = outgoingOptions
        options.reachable = PublicAddresses(allowed: webhooks.allowedNetworks)
        return options
    }

    var clientSettingOptions: ClientSettingOptions {
        var options = ClientSettingOptions()
        options.countMax = clientSettings.perUser
        options.valueBytesMax = clientSettings.valueSize
        options.totalBytesMax = clientSettings.totalSize
        options.imageBytesMax = clientSettings.imageSize
        options.imagesTotalBytes = clientSettings.imagesTotalSize
        options.imageTypes = Set(clientSettings.imageTypes.map { "image/\($0.rawValue)" })
        return options
    }

    func accountOptions(installation: UUID) -> AccountOptions {
        var options = AccountOptions()
        options.issuer = "\(accounts.issuer):\(installation)"
        options.passwordMinimum = accounts.passwordMinLength
        options.isRegistrationOpen = accounts.registration == .open
        options.accessLifetime = accounts.tokens.accessLifetime
        options.refreshLifetime = accounts.tokens.refreshLifetime
        options.rememberedLifetime = accounts.tokens.rememberMeLifetime
        options.familyLifetime = accounts.tokens.sessionLifetime
        options.refreshGrace = accounts.tokens.refreshGrace
        options.nodeTokenLifetime = accounts.tokens.nodeLifetime
        options.serviceTokenLifetime = accounts.tokens.serviceLifetime
        options.adminTokenLifetime = accounts.tokens.adminLifetime
        options.longestTokenLifetime = accounts.tokens.longestLifetime
        options.signingKeyLifetime = accounts.tokens.signingKeyRotation
        options.sessionsPerUser = accounts.sessionsPerUser
        options.keysPerUser = accounts.apiKeysPerUser
        options.factorsPerUser = mfa.factorsPerUser
        options.challengeLifetime = mfa.challengeLifetime
        options.resetLifetime = accounts.passwordResetLifetime
        accounts.loginThrottle.account.apply(to: &options.accountThrottle)
        accounts.loginThrottle.address.apply(to: &options.addressThrottle)
        options.relyingParty = WebAuthn.RelyingParty(
            id: mfa.webAuthnRelyingParty ?? publicHost, name: mfa.issuer,
            origins: mfa.webAuthnOrigins.isEmpty ? [publicURL] : mfa.webAuthnOrigins)
        return options
    }

    // MARK: Addresses

    /// Without a trailing slash.
    var publicURL: String {
        if let url = server.publicURL { return url.hasSuffix("/") ? String(url.dropLast()) : url }
        let scheme = tls.certificate == nil ? "http" : "https"
        return "\(scheme)://\(server.listen.first?.description ?? "localhost")"
    }

    private var publicHost: String {
        let authority = publicURL.split(separator: "/").dropFirst().first ?? "localhost"
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") { return String(authority[...end]) }
        return String(authority.prefix { $0 != ":" })
    }

    // MARK: HTTP

    var httpOptions: HTTPServer.Options {
        var options = HTTPServer.Options()
        options.limits.headerBytes = server.headerLimit
        options.connections = server.maxConnections
        options.connectionsPerAddress = server.maxConnectionsPerAddress
        options.backlog = Int32(server.backlog)
        options.headerTimeout = server.headerTimeout
        options.idleTimeout = server.idleTimeout
        options.bodyRate = server.bodyRate
        options.transport.writeStall = server.writeTimeout
        options.transport.handshake = tls.handshakeTimeout
        options.compressionThreshold = server.compression ? server.compressionMinSize : .max
        options.compressionLevel = server.compressionLevel
        if !server.trustedProxies.isEmpty { options.proxies = .networks(server.trustedProxies) }
        return options
    }

    func apiOptions(web: WebPages?) -> APIService.Options {
        var options = APIService.Options()
        options.bodyLimit = server.bodyLimit
        options.jsonLimits = JSONLimits(depth: limits.jsonDepth, values: limits.jsonValues)
        options.web = web
        options.cors = CORSPolicy(
            origins: cors.origins, allowsCredentials: cors.credentials, maximumAge: cors.maxAge)
        return options
    }

    var rateLimitPolicy: RateLimitPolicy {
        var policy = RateLimitPolicy()
        let rates = rateLimits
        policy.tiers = [
            .anonymous: rates.tiers.anonymous.limit, .user: rates.tiers.user.limit,
            .premium: rates.tiers.premium.limit, .admin: rates.tiers.admin.limit, .node: rates.tiers.node.limit,
        ].compactMapValues { $0 }
        policy.classes = [
            .reference: [
                .authentication: rates.reference.auth.limit, .messages: rates.reference.messages.limit,
                .upload: rates.reference.upload.limit, .search: rates.reference.search.limit,
                .admin: rates.reference.admin.limit,
            ],
            .design: [
                .authentication: rates.design.auth.limit, .standard: rates.design.api.limit,
                .upload: rates.design.upload.limit, .messages: rates.design.socketMessages.limit,
            ],
            .rooms: [.standard: rates.rooms.api.limit, .upload: rates.rooms.upload.limit],
            // How many calls somebody begins is counted where calls are, for all dialects together.
            .calls: [.messages: rates.calls.messages.limit],
            .media: [.callInitiation: rates.media.sessions.limit, .standard: rates.media.updates.limit],
        ].mapValues { $0.compactMapValues { $0 } }
        policy.unrouted = rates.unrouted.limit
        policy.scale = rates.scale
        policy.factorUnderLoad = rates.load.factor
        return policy
    }
}

extension Configuration.Accounts.Throttle {
    fileprivate func apply(to policy: inout ThrottlePolicy) {
        policy.free = free
        policy.firstDelay = firstDelay
        policy.longestDelay = longestDelay
        policy.forgetAfter = forgetAfter
    }
}

extension Rate {
    fileprivate var limit: RateLimit? { count.map { RateLimit($0, per: window) } }
}

// MARK: What a start needs besides

extension Configuration {
    var endpoints: [Endpoint] {
        server.listen.map { address in
            switch address {
            case .internet(let host, let port): .tcp(host, port: port)
            case .local(let path): .unix(path: path)
            }
        }
    }

    var loadMarks: LoadMonitor.Marks {
        LoadMonitor.Marks(
            cpu: Double(rateLimits.load.cpuPercent), memory: Double(rateLimits.load.memoryPercent))
    }

    /// Where the set-up step puts Swagger UI and ReDoc: beside the sources, or where a package would.
    private static let assetFolders = [".tools/docs-assets", "/usr/share/plexichat/docs-assets"]

    var documentation: DocumentationPages? {
        guard docs.enabled else { return nil }
        let folder = docs.assets ?? Self.assetFolders.first { access($0, R_OK | X_OK) == 0 }
        return DocumentationPages(assets: folder.flatMap { try? StaticFiles(folder: $0) })
    }

    /// Where an installation puts the client for browsers. Nothing relative: the folder that a server happens to be
    /// started in is not to be shown to the world. `make run` names that of the sources.
    private static let webFolders = ["/usr/local/share/plexichat/web", "/usr/share/plexichat/web"]

    func webPages() throws(StartFailure) -> WebPages? {
        guard web.enabled else { return nil }
        guard let folder = web.folder else {
            let found = Self.webFolders.first { access($0, R_OK | X_OK) == 0 }
            return WebPages(files: found.flatMap { try? StaticFiles(folder: $0) })
        }
        // One that was asked for by name and is not there is a mistake to be told, not a page that is missing later.
        do {
            return WebPages(files: try StaticFiles(folder: folder))
        } catch {
            throw StartFailure(
                "web", error, remedy: "Correct web.folder, or unset it; web.enabled=false serves no pages at all.")
        }
    }
}
