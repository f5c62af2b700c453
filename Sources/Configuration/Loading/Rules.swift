// What must hold between keys.

struct Rule: Sendable {
    /// The keys that it speaks of; the problem is reported at the first that was given.
    let keys: [String]
    let requirement: String
    let holds: @Sendable (Configuration) -> Bool

    private init(_ keys: [String], _ requirement: String, _ holds: @escaping @Sendable (Configuration) -> Bool) {
        self.keys = keys
        self.requirement = requirement
        self.holds = holds
    }

    static let all: [Rule] = [
        Rule(["tls.certificate", "tls.key"], "needs the other one too: tls.certificate and tls.key go together") {
            ($0.tls.certificate == nil) == ($0.tls.key == nil)
        },
        Rule(
            ["server.max_connections_per_address", "server.max_connections"],
            "does not fit: server.max_connections_per_address is larger than server.max_connections"
        ) {
            $0.server.maxConnectionsPerAddress <= $0.server.maxConnections
        },
        Rule(["mail.url", "mail.from"], "needs mail.from, the sender's address") {
            $0.mail.url == nil || $0.mail.from != nil
        },
        Rule(
            ["mail.username", "mail.password"], "needs the other one too: mail.username and mail.password go together"
        ) {
            ($0.mail.username == nil) == ($0.mail.password == nil)
        },
        Rule(["sms.webhook_url", "sms.secret"], "needs sms.secret, which signs the calls") {
            $0.sms.webhookURL == nil || $0.sms.secret != nil
        },
        Rule(
            ["accounts.tokens.access_lifetime", "accounts.tokens.refresh_lifetime"],
            "does not fit: an access token may not outlive the refresh token"
        ) {
            $0.accounts.tokens.accessLifetime <= $0.accounts.tokens.refreshLifetime
        },
        Rule(
            ["accounts.tokens.remember_me_lifetime", "accounts.tokens.refresh_lifetime"],
            "does not fit: a remembered login is shorter than one that is not"
        ) {
            $0.accounts.tokens.refreshLifetime <= $0.accounts.tokens.rememberMeLifetime
        },
        Rule(
            ["accounts.tokens.session_lifetime", "accounts.tokens.remember_me_lifetime"],
            "does not fit: a login ends before it may be left unused"
        ) {
            $0.accounts.tokens.rememberMeLifetime <= $0.accounts.tokens.sessionLifetime
        },
        Rule(
            ["accounts.argon2.memory", "accounts.argon2.parallelism"],
            "does not fit: Argon2 needs 8KiB of memory for each lane"
        ) {
            $0.accounts.argon2.memory >= $0.accounts.argon2.parallelism << 13
        },
        Rule(
            ["calls.relays", "calls.relay_secret"],
            "needs calls.relay_secret, which credentials of TURN servers are made with"
        ) {
            $0.calls.relaySecret != nil || !$0.calls.relays.contains { $0.hasPrefix("turn") }
        },
        Rule(
            ["chat.room_members", "chat.members_per_conversation"],
            "does not fit: chat.room_members is larger than chat.members_per_conversation"
        ) {
            $0.chat.roomMembers <= $0.chat.membersPerConversation
        },
        Rule(
            ["chat.invitation_lifetime", "chat.longest_invitation"],
            "does not fit: chat.invitation_lifetime is longer than chat.longest_invitation"
        ) {
            $0.chat.invitationLifetime <= $0.chat.longestInvitation
        },
        Rule(["relay.first_port", "relay.last_port"], "does not fit: the relay needs four ports from first to last") {
            $0.relay.firstPort + 3 <= $0.relay.lastPort
        },
        Rule(
            ["files.store", "files.s3.endpoint", "files.s3.bucket", "files.s3.access_key", "files.s3.secret_key"],
            "needs files.s3.endpoint, files.s3.bucket, files.s3.access_key and files.s3.secret_key"
        ) {
            let s3 = $0.files.s3
            return $0.files.store == .folder
                || s3.endpoint != nil && s3.bucket != nil && s3.accessKey != nil && s3.secretKey != nil
        },
        Rule(
            ["files.rooms_max_size", "files.max_size"],
            "does not fit: files.rooms_max_size is larger than files.max_size"
        ) {
            $0.files.roomsMaxSize <= $0.files.maxSize
        },
        Rule(
            ["backup.places", "backup.s3.endpoint", "backup.s3.access_key", "backup.s3.secret_key"],
            "needs backup.s3.endpoint, backup.s3.access_key and backup.s3.secret_key for places in buckets"
        ) {
            let s3 = $0.backup.s3
            return !$0.backup.places.contains { $0.hasPrefix("s3://") }
                || s3.endpoint != nil && s3.accessKey != nil && s3.secretKey != nil
        },
        Rule(
            ["backup.protection", "backup.places"],
            "does not fit: backup.protection spreads over more places than backup.places names"
        ) {
            guard let protection = $0.backup.protection, !$0.backup.places.isEmpty else { return true }
            return protection.split(separator: "+").reduce(0) { $0 + (Int($1) ?? 0) } <= $0.backup.places.count
        },
        Rule(
            ["relay.share_https", "relay.host"],
            "needs relay.host where there is a certificate, for a certificate is for a name"
        ) {
            !$0.relay.sharesHTTPS || $0.tls.certificate == nil || $0.relay.host != nil
        },
        Rule(["cors.credentials", "cors.origins"], "does not go with the origin `*`: browsers refuse it") {
            !$0.cors.credentials || !$0.cors.origins.contains("*")
        },
    ]
}
