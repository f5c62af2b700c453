// The keys that the program has: docs/formats/vault.md lists them. They are made at the first start that knows them.

import Base

package struct KeyDefinition: Sendable {
    package let name: String
    package let kind: KeyKind
    /// What it is for, in words.
    package let use: String
    /// How old an active version becomes where its key has no schedule of its own. `nil`: it is not replaced by time.
    package var lifetime: Duration?
    /// How long what a replaced version made counts; `nil`: until somebody destroys the version.
    package var verifiesFor: Duration?

    package init(
        _ name: String, _ kind: KeyKind, _ use: String, lifetime: Duration? = nil, verifiesFor: Duration? = nil
    ) {
        self.name = name
        self.kind = kind
        self.use = use
        self.lifetime = lifetime
        self.verifiesFor = verifiesFor
    }
}

package enum KeyNames {
    package static let tokens = "accounts.tokens"
    package static let factors = "accounts.factors"
    package static let relayCredentials = "relay.credentials"
    package static let relayTokens = "relay.tokens"
    package static let backup = "backup"
    package static let recording = "recording"
    package static let manifest = "manifest"
}

extension KeyDefinition {
    /// `lifetime`: of keys that nothing else says it of.
    package static func ofThisVersion(lifetime: Duration, tokens: Duration, tokensCount: Duration) -> [KeyDefinition] {
        [
            KeyDefinition(
                KeyNames.tokens, .ed25519, "signs access tokens", lifetime: tokens, verifiesFor: tokensCount),
            KeyDefinition(KeyNames.factors, .data, "seals second factors", lifetime: lifetime),
            KeyDefinition(
                KeyNames.relayCredentials, .hmac, "makes the credentials of the relay's clients", lifetime: lifetime),
            KeyDefinition(KeyNames.relayTokens, .hmac, "makes the relay's nonces and tokens", lifetime: lifetime),
            KeyDefinition(KeyNames.backup, .hybrid, "receives backups", lifetime: lifetime),
            KeyDefinition(KeyNames.recording, .hybrid, "receives recordings", lifetime: lifetime),
            KeyDefinition(KeyNames.manifest, .ed25519, "signs recordings and manifests of backups", lifetime: lifetime),
        ]
    }
}
