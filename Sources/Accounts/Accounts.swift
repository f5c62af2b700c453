// Accounts: who may do what.
//
// Owns: users, roles and scopes, passwords, sessions, tokens, API keys, second factors, throttling of failed logins,
// and the audit log. Knows no HTTP and no dialect; JSON appears only where it is the stored or signed form itself
// (token claims, preferences, WebAuthn client data, audit details).
//
// Start with `Service/AccountService.swift` (what can be done) and `Tokens/Authenticator.swift` (who is asking, the
// hot path). The tables are in `Store/Schema.swift`; the forms of all tokens are normative in `docs/protocol/tokens.md`.
