// Configuration: what an operator may set, and the command line.
//
// `Configuration` is plain nested values; the code that needs a setting is handed its part. Next to each part stands
// its table of keys (`Keys/`), one row a key: path, property, type with its range, one sentence. A property's initial
// value is the default. Everything else is made from those rows: reading a YAML file, the environment and `--set`
// (`Loading/`), `config check`, `config print`, and the reference in `docs/operate/configuration.md`.
//
// To add a key: a stored property with its default, and a row in the table of its section. The tests fail until the
// reference is written again (`make docs`).
//
// `CommandLine/` is the table of commands and what follows from it: parsing, help, completions. Nothing here starts
// a server or opens a database.

/// All settings, with their defaults.
package struct Configuration: Sendable {
    package var server = Server()
    package var tls = TLS()
    package var data = DataFolder()
    package var vault = Vault()
    package var store = Store()
    package var accounts = Accounts()
    package var clientSettings = ClientSettings()
    package var mfa = MFA()
    package var mail = Mail()
    package var sms = SMS()
    package var outgoing = Outgoing()
    package var media = Media()
    package var calls = Calls()
    package var chat = Chat()
    package var relay = Relay()
    package var files = Files()
    package var backup = Backup()
    package var limits = Limits()
    package var rateLimits = RateLimits()
    package var webhooks = Webhooks()
    package var cors = CORS()
    package var logging = Logging()
    package var metrics = Metrics()
    package var idempotency = Idempotency()
    package var docs = Docs()
    package var web = Web()

    package init() {}

    /// Every key, grouped as in the file and in the reference.
    package static let sections: [Section] = [
        serverSection, tlsSection, dataSection, vaultSection, storeSection, accountsSection, clientSettingsSection,
        mfaSection, mailSection, smsSection, outgoingSection, mediaSection, callsSection, chatSection, relaySection,
        filesSection, backupSection, limitsSection, rateLimitsSection, webhooksSection, corsSection, loggingSection,
        metricsSection, idempotencySection, docsSection, webSection,
    ]

    package static let keys: [Key] = sections.flatMap(\.keys)

    static let keysByPath = Dictionary(uniqueKeysWithValues: keys.map { ($0.path, $0) })
}
