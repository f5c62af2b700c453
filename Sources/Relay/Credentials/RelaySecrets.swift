// Passwords that the relay can check without a table of users: `password = Base64(HMAC(secret, name))`, where the name
// is `expiry:session` (coturn's `use-auth-secret`; draft-uberti-behave-turn-rest).

package import Base

package struct RelaySecrets: Sendable {
    /// While a secret is replaced, the one before counts too: credentials made with it live on until their time.
    package static let secretsMax = 2

    /// The first is the one that new credentials are made with.
    package let secrets: [Secret]

    package init(_ current: Secret, previous: Secret? = nil) {
        secrets = [current] + (previous.map { [$0] } ?? [])
    }
}
