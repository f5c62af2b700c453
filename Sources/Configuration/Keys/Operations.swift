// outgoing, cors, logging, metrics, audit, idempotency, docs, web: what surrounds the requests.

package import Base

extension Configuration {
    package struct Outgoing: Sendable {
        package var proxy: String?
        package var trustedCertificates: String?
        package var connectTimeout = Duration.seconds(10)
    }

    static let outgoingSection = Section(
        "outgoing", "Calls that the server makes itself: object storage, mail, webhooks.",
        [
            Key(
                "outgoing.proxy", \.outgoing.proxy, .optional(.url("http")),
                "The proxy to go through. Unset: none; the environment is not asked."),
            Key(
                "outgoing.trusted_certificates", \.outgoing.trustedCertificates, .optional(.path),
                "PEM file of authorities to trust instead of the system's."),
            Key(
                "outgoing.connect_timeout", \.outgoing.connectTimeout, .duration(.seconds(1) ... .minutes(2)),
                "At most this for name, connection and TLS."),
        ])

    package struct CORS: Sendable {
        package var origins: [String] = []
        package var credentials = false
        package var maxAge = Duration.minutes(10)
    }

    static let corsSection = Section(
        "cors", "Which web pages of other origins may call the API from a browser.",
        [
            Key(
                "cors.origins", \.cors.origins, .list(of: .originPattern),
                "The origins; `*` for any. Empty: none."),
            Key(
                "cors.credentials", \.cors.credentials, .flag,
                "Let those pages use the session cookie. Not together with `*`."),
            Key(
                "cors.max_age", \.cors.maxAge, .duration(.zero ... .hours(24)),
                "How long a browser may remember the answer to its preflight."),
        ])

    package struct Logging: Sendable {
        package enum Format: String, Sendable, CaseIterable { case auto, human, json }

        package var level = LogLevel.info
        package var format = Format.auto
    }

    static let loggingSection = Section(
        "logging", "The log, on standard error.",
        [
            Key(
                "logging.level", \.logging.level, .logLevel,
                "The least important lines that are written. `trace` shows personal data."),
            Key(
                "logging.format", \.logging.format, .choice,
                "Lines for people, or one JSON object a line; `auto` is the former on a terminal only."),
        ])

    package struct Metrics: Sendable {
        package var isPublic = true
    }

    static let metricsSection = Section(
        "metrics", "Figures for Prometheus at `/metrics`.",
        [
            Key("metrics.public", \.metrics.isPublic, .flag, "Show them to anybody, or to administrators only.")
        ])

    package struct Idempotency: Sendable {
        package var lifetime = Duration.hours(24)
    }

    static let idempotencySection = Section(
        "idempotency", "Answers to requests that came with an `Idempotency-Key`.",
        [
            Key(
                "idempotency.lifetime", \.idempotency.lifetime, .duration(.minutes(1) ... .days(30)),
                "How long the answer is repeated to the same key.")
        ])

    package struct Docs: Sendable {
        package var enabled = true
        package var assets: String?
    }

    static let docsSection = Section(
        "docs", "The API's description for people at `/docs` and `/redoc`.",
        [
            Key("docs.enabled", \.docs.enabled, .flag, "Serve them, and `/openapi.json`."),
            Key(
                "docs.assets", \.docs.assets, .optional(.path),
                "The folder with Swagger UI and ReDoc. Unset: where `scripts/install` put them, if it did."),
        ])

    package struct Web: Sendable {
        package var enabled = true
        package var folder: String?
    }

    static let webSection = Section(
        "web", "The client for browsers at `/`.",
        [
            Key("web.enabled", \.web.enabled, .flag, "Serve it."),
            Key(
                "web.folder", \.web.folder, .optional(.path),
                "The folder with its files, or with pages of your own. Unset: `/usr/local/share/plexichat/web` or `/usr/share/plexichat/web`, whichever is there."
            ),
        ])
}
