// accounts, mfa, mail, sms: who may come in, and how they prove it.

package import Base

extension Configuration {
    package struct Accounts: Sendable {
        package enum Registration: String, Sendable, CaseIterable { case open, closed }

        package struct Argon2: Sendable {
            package var memory = 19 << 20
            package var iterations = 2
            package var parallelism = 1
            package var concurrency = 2
            package var queueLimit = 256
        }

        package struct Tokens: Sendable {
            package var accessLifetime = Duration.minutes(30)
            package var refreshLifetime = Duration.days(7)
            package var rememberMeLifetime = Duration.days(30)
            package var sessionLifetime = Duration.days(90)
            package var refreshGrace = Duration.seconds(10)
            package var nodeLifetime = Duration.hours(1)
            package var serviceLifetime = Duration.days(90)
            package var adminLifetime = Duration.hours(12)
            package var longestLifetime = Duration.days(365)
            package var signingKeyRotation = Duration.days(30)
        }

        package struct Throttle: Sendable {
            package var free: Int
            package var firstDelay = Duration.seconds(1)
            package var longestDelay: Duration
            package var forgetAfter = Duration.hours(24)
        }

        package struct LoginThrottle: Sendable {
            package var account = Throttle(free: 5, longestDelay: .minutes(5))
            package var address = Throttle(free: 50, longestDelay: .minutes(15))
        }

        package var issuer = "plexichat"
        package var registration = Registration.open
        package var passwordMinLength = 8
        package var sessionsPerUser = 50
        package var apiKeysPerUser = 50
        package var passwordResetLifetime = Duration.hours(1)
        package var argon2 = Argon2()
        package var tokens = Tokens()
        package var loginThrottle = LoginThrottle()
    }

    static let accountsSection = Section(
        "accounts", "Registration, passwords, tokens.", accountKeys + argon2Keys + tokenKeys + loginThrottleKeys)

    private static let accountKeys = [
        Key(
            "accounts.issuer", \.accounts.issuer, .text(1...128),
            "The `iss` of every token. Servers that do not share a database must not share it."),
        Key(
            "accounts.registration", \.accounts.registration, .choice,
            "Whether anybody may register, or nobody. An administrator can always add users."),
        Key(
            "accounts.password_min_length", \.accounts.passwordMinLength, .integer(6...128),
            "The shortest password, in characters."),
        Key(
            "accounts.sessions_per_user", \.accounts.sessionsPerUser, .integer(1...10_000),
            "Logins of one user at one time; a further one ends the oldest."),
        Key(
            "accounts.api_keys_per_user", \.accounts.apiKeysPerUser, .integer(0...10_000),
            "API keys that one user may hold."),
        Key(
            "accounts.password_reset_lifetime", \.accounts.passwordResetLifetime,
            .duration(.minutes(5) ... .days(7)), "How long the link to set a new password works."),
    ]

    private static let argon2Keys = [
        Key(
            "accounts.argon2.memory", \.accounts.argon2.memory, .size((8 << 10)...(4 << 30)),
            "Memory for hashing one password with Argon2id. More makes guessing dearer, and every login too."),
        Key(
            "accounts.argon2.iterations", \.accounts.argon2.iterations, .integer(1...100),
            "Passes over that memory."),
        Key(
            "accounts.argon2.parallelism", \.accounts.argon2.parallelism, .integer(1...64),
            "Lanes of one hash."),
        Key(
            "accounts.argon2.concurrency", \.accounts.argon2.concurrency, .integer(1...256),
            "Hashes that are computed at one time; each takes a thread and its memory."),
        Key(
            "accounts.argon2.queue_limit", \.accounts.argon2.queueLimit, .integer(1...100_000),
            "Logins that may wait for their turn; further ones are answered 503."),
    ]

    private static let tokenKeys = [
        Key(
            "accounts.tokens.access_lifetime", \.accounts.tokens.accessLifetime,
            .duration(.minutes(1) ... .days(1)),
            "How long an access token works. A logout takes effect on other servers after at most this time."),
        Key(
            "accounts.tokens.refresh_lifetime", \.accounts.tokens.refreshLifetime,
            .duration(.minutes(5) ... .days(365)), "How long a login lasts without being used."),
        Key(
            "accounts.tokens.remember_me_lifetime", \.accounts.tokens.rememberMeLifetime,
            .duration(.minutes(5) ... .days(365)), "The same for a login with \"remember me\"."),
        Key(
            "accounts.tokens.session_lifetime", \.accounts.tokens.sessionLifetime,
            .duration(.hours(1) ... .days(3_650)),
            "However much it is used, a login ends after this: a stolen one does not live for ever."),
        Key(
            "accounts.tokens.refresh_grace", \.accounts.tokens.refreshGrace, .duration(.zero ... .minutes(1)),
            "How long a client may repeat a refresh whose answer it did not get."),
        Key(
            "accounts.tokens.node_lifetime", \.accounts.tokens.nodeLifetime, .duration(.minutes(1) ... .days(30)),
            "How long a cluster node's token works."),
        Key(
            "accounts.tokens.service_lifetime", \.accounts.tokens.serviceLifetime,
            .duration(.minutes(1) ... .days(3_650)), "How long a service account's token works."),
        Key(
            "accounts.tokens.admin_lifetime", \.accounts.tokens.adminLifetime,
            .duration(.minutes(1) ... .days(30)), "How long a token of kind admin works."),
        Key(
            "accounts.tokens.longest_lifetime", \.accounts.tokens.longestLifetime,
            .duration(.hours(1) ... .days(3_650)),
            "No issued token works longer, whoever asks; retired signing keys are kept for as long."),
        Key(
            "accounts.tokens.signing_key_rotation", \.accounts.tokens.signingKeyRotation,
            .duration(.hours(1) ... .days(365)),
            "How often a new key signs the tokens; the old ones verify until the last token has expired."),
    ]

    private static let loginThrottleKeys = [
        Key(
            "accounts.login_throttle.account.free", \.accounts.loginThrottle.account.free, .integer(0...1_000),
            "Failed logins of one account that cost nothing: people mistype."),
        Key(
            "accounts.login_throttle.account.first_delay", \.accounts.loginThrottle.account.firstDelay, throttleDelay,
            "The wait after the first failure beyond those. It doubles with each further one."),
        Key(
            "accounts.login_throttle.account.longest_delay", \.accounts.loginThrottle.account.longestDelay,
            throttleDelay, "The longest wait. More slows a guesser down, and lets a stranger keep the owner out longer."
        ),
        Key(
            "accounts.login_throttle.account.forget_after", \.accounts.loginThrottle.account.forgetAfter,
            throttleMemory, "After so long without a failure the count begins again."),
        Key(
            "accounts.login_throttle.address.free", \.accounts.loginThrottle.address.free, .integer(0...100_000),
            "The same for one client address over all accounts; it may be a whole office."),
        Key(
            "accounts.login_throttle.address.first_delay", \.accounts.loginThrottle.address.firstDelay, throttleDelay,
            "The same for one client address."),
        Key(
            "accounts.login_throttle.address.longest_delay", \.accounts.loginThrottle.address.longestDelay,
            throttleDelay, "The same for one client address."),
        Key(
            "accounts.login_throttle.address.forget_after", \.accounts.loginThrottle.address.forgetAfter,
            throttleMemory, "The same for one client address."),
    ]

    private static let throttleDelay = Codec.duration(.milliseconds(1) ... .days(1))
    private static let throttleMemory = Codec.duration(.minutes(1) ... .days(30))

    package struct MFA: Sendable {
        package var issuer = "PlexiChat"
        package var webAuthnRelyingParty: String?
        package var webAuthnOrigins: [String] = []
        package var challengeLifetime = Duration.minutes(5)
        package var factorsPerUser = 20
    }

    static let mfaSection = Section(
        "mfa", "The second factor: authenticator apps, hardware keys, codes by e-mail and SMS.",
        [
            Key("mfa.issuer", \.mfa.issuer, .text(1...64), "The name that authenticator apps show."),
            Key(
                "mfa.webauthn_rp_id", \.mfa.webAuthnRelyingParty, .optional(.text(1...253)),
                "The domain that passkeys belong to. Unset: the host of `server.public_url`. Changing it makes "
                    + "registered passkeys useless."),
            Key(
                "mfa.webauthn_origins", \.mfa.webAuthnOrigins, .list(of: .origin),
                "Origins from which passkeys are accepted. Empty: that of `server.public_url` only."),
            Key(
                "mfa.challenge_lifetime", \.mfa.challengeLifetime, .duration(.seconds(30) ... .hours(1)),
                "How long a login may wait for its second factor, and a code sent by e-mail or SMS works."),
            Key("mfa.factors_per_user", \.mfa.factorsPerUser, .integer(1...1_000), "Second factors of one user."),
        ])

    package struct Mail: Sendable {
        package enum Encryption: String, Sendable, CaseIterable { case required, off }

        package var url: String?
        package var from: String?
        package var username: String?
        package var password: Secret?
        package var encryption = Encryption.required
        package var timeout = Duration.seconds(60)
    }

    static let mailSection = Section(
        "mail", "Outgoing e-mail. Without a server, what needs an e-mail says that it is not available.",
        [
            Key("mail.url", \.mail.url, .optional(.url("smtp", "smtps")), "The mail server that takes our mail."),
            Key("mail.from", \.mail.from, .optional(.text(3...320)), "The sender's address."),
            Key("mail.username", \.mail.username, .optional(.text(1...320)), "The user at the mail server."),
            Key("mail.password", \.mail.password, .optional(.secret), "That user's password."),
            Key(
                "mail.encryption", \.mail.encryption, .choice,
                "For smtp:// URLs: insist on STARTTLS, or do without (a mail server on this machine)."),
            Key(
                "mail.timeout", \.mail.timeout, .duration(.seconds(1) ... .minutes(10)),
                "How long handing over one mail may take."),
        ])

    package struct SMS: Sendable {
        package var webhookURL: String?
        package var secret: Secret?
        package var timeout = Duration.seconds(15)
    }

    static let smsSection = Section(
        "sms", "Text messages, sent by a service of yours that we call.",
        [
            Key(
                "sms.webhook_url", \.sms.webhookURL, .optional(.url("http", "https")),
                "Gets a POST with the number and the text for every message."),
            Key(
                "sms.secret", \.sms.secret, .optional(.secret),
                "Signs those calls (HMAC-SHA256), so that it can tell ours."),
            Key(
                "sms.timeout", \.sms.timeout, .duration(.seconds(1) ... .minutes(2)),
                "How long one call may take."),
        ])
}
