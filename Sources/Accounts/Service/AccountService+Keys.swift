// Named keys, for who manages the server: who may, what follows from it for logins, and when it is noted.

package import Base
package import Vault

/// Why something could not be done to a key.
package enum KeyFault: Error, Equatable {
    case key(KeyError)
    case account(AccountError)
}

extension AccountService {
    /// May look at keys and change them.
    private func requireKeyRights(_ actor: Actor) throws(KeyFault) {
        if case .principal(let principal) = actor, principal.scopes.contains(.securityAdmin) { return }
        do throws(AccountError) { try actor.requireAdmin() } catch { throw .account(error) }
    }

    /// Does something to keys; `endsTokens`: tokens that were good may be so no more.
    private func changing<Value>(
        _ actor: Actor, endsTokens: Bool = false, _ body: () async throws(KeyError) -> Value
    ) async throws(KeyFault) -> Value {
        try requireKeyRights(actor)
        let value: Value
        do throws(KeyError) { value = try await body() } catch { throw .key(error) }
        audit.sealSoon()
        if endsTokens { await announce(.credentialsDiscarded) }
        return value
    }

    /// As it is kept at this moment; without anything secret.
    package func keyBook(by actor: Actor) async throws(KeyFault) -> KeyBook {
        try requireKeyRights(actor)
        do throws(KeyError) {
            try await keys.reload()
            return try keys.book()
        } catch { throw .key(error) }
    }

    /// How many things need each of these versions.
    package func keyUses(_ name: String, _ versions: [UInt32]) async throws(KeyFault) -> [UInt32: Int] {
        var uses: [UInt32: Int] = [:]
        for version in versions {
            do throws(KeyError) {
                uses[version] = try await keys.uses(of: name, version).reduce(0) { $0 + $1.count }
            } catch { throw .key(error) }
        }
        return uses
    }

    /// Makes a new version. What older ones sealed is sealed anew in the background.
    @discardableResult
    package func rotateKey(_ name: String, by actor: Actor, origin: RequestOrigin) async throws(KeyFault) -> UInt32 {
        let by = KeyChangeOrigin(actor, origin)
        let number = try await changing(actor) { () async throws(KeyError) in try await keys.rotate(name, by: by) }
        rewrapSoon(name)
        return number
    }

    package func scheduleKey(
        _ name: String, _ schedule: String?, first: Timestamp?, by actor: Actor, origin: RequestOrigin
    ) async throws(KeyFault) {
        let by = KeyChangeOrigin(actor, origin)
        try await changing(actor) { () async throws(KeyError) in
            try await keys.schedule(name, schedule, first: first, by: by)
        }
    }

    package func disableKey(
        _ name: String, _ version: UInt32, by actor: Actor, origin: RequestOrigin
    ) async throws(KeyFault) {
        let by = KeyChangeOrigin(actor, origin)
        try await changing(actor, endsTokens: name == KeyNames.tokens) { () async throws(KeyError) in
            try await keys.disable(name, version, by: by)
        }
    }

    package func enableKey(
        _ name: String, _ version: UInt32, by actor: Actor, origin: RequestOrigin
    ) async throws(KeyFault) {
        let by = KeyChangeOrigin(actor, origin)
        try await changing(actor) { () async throws(KeyError) in try await keys.enable(name, version, by: by) }
    }

    /// It opens nothing from now on and is destroyed after the waiting time, unless that is cancelled.
    @discardableResult
    package func destroyKey(
        _ name: String, _ version: UInt32, force: Bool, after wait: Duration? = nil, by actor: Actor,
        origin: RequestOrigin
    ) async throws(KeyFault) -> Timestamp {
        let by = KeyChangeOrigin(actor, origin)
        return try await changing(actor, endsTokens: name == KeyNames.tokens) { () async throws(KeyError) in
            try await keys.destroy(name, version, force: force, after: wait, by: by)
        }
    }

    package func cancelKeyDestruction(
        _ name: String, _ version: UInt32, by actor: Actor, origin: RequestOrigin
    ) async throws(KeyFault) {
        let by = KeyChangeOrigin(actor, origin)
        try await changing(actor) { () async throws(KeyError) in
            try await keys.cancelDestruction(name, version, by: by)
        }
    }

    /// Has what older versions sealed sealed by the active one, now.
    @discardableResult
    package func rewrapKey(
        _ name: String, by actor: Actor, origin: RequestOrigin,
        progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws(KeyFault) -> Int {
        let by = KeyChangeOrigin(actor, origin)
        return try await changing(actor) { () async throws(KeyError) in
            try await keys.rewrap(name, by: by, progress: progress)
        }
    }

    /// The root key in parts. They are told once; that they were made is noted.
    package func recoveryShares(
        needed: Int, of count: Int, by actor: Actor, origin: RequestOrigin
    ) async throws(KeyFault) -> [RecoveryShare] {
        let by = KeyChangeOrigin(actor, origin)
        return try await changing(actor) { () async throws(KeyError) in
            try await keys.recoveryShares(needed: needed, of: count, by: by)
        }
    }

    /// Wraps all keys anew under another root key. Returns where it comes from.
    package func replaceRootKey(
        by next: VaultKeys.NextRoot, actor: Actor, origin: RequestOrigin
    ) async throws(KeyFault) -> Vault.RootKeySource {
        let by = KeyChangeOrigin(actor, origin)
        return try await changing(actor) { () async throws(KeyError) in
            try await keys.replaceRoot(by: next, actor: by)
        }
    }

    /// `rewrapKey` for nobody who waits; what is left when the server stops is done after the next start.
    func rewrapSoon(_ name: String) {
        jobs.start { [self] in
            do {
                let count = try await keys.rewrap(name)
                if count > 0 { Self.log.info("sealed anew", [.text("key", name), .count("values", count)]) }
            } catch {
                Self.log.warning("values wait to be sealed anew", [.text("key", name), .error(error)])
            }
            audit.sealSoon()
        }
    }

    /// What time has brought to keys. Called every minute or so.
    package func advanceKeys() async throws(AccountError) {
        let before = try keyed { () throws(KeyError) in try keys.book() }
        try await keyed { () async throws(KeyError) in try await self.keys.advance() }
        let after = try keyed { () throws(KeyError) in try keys.book() }
        guard before != after else { return }
        audit.sealSoon()
        for key in after.keys.values where before.keys[key.name]?.active?.number != key.active?.number {
            rewrapSoon(key.name)
        }
    }

    // MARK: The key that signs tokens

    /// All versions that are not gone, newest first.
    package func signingKeys(by actor: Actor) async throws(AccountError) -> [SigningKeyInfo] {
        try actor.requireAdmin()
        let book = try await keyed { () async throws(KeyError) in
            try await self.keys.reload()
            return try self.keys.book()
        }
        let versions = book.keys[KeyNames.tokens]?.versions ?? []
        return versions.reversed().filter { $0.state != .destroyed }.map {
            SigningKeyInfo(
                kid: $0.fingerprint, version: $0.number, createdAt: $0.createdAt,
                retiredAt: $0.state == .active ? nil : $0.changedAt, verifyUntil: $0.opensUntil)
        }
    }

    /// Tokens of the old key stay valid until they expire. Returns the new key's `kid`.
    package func rotateSigningKey(by actor: Actor, origin: RequestOrigin) async throws(AccountError) -> String {
        try actor.requireAdmin()
        let by = KeyChangeOrigin(actor, origin)
        let kid = try await keyed { () async throws(KeyError) in
            try await self.keys.rotate(KeyNames.tokens, by: by)
            return try self.keys.signer(of: KeyNames.tokens).fingerprint
        }
        audit.sealSoon()
        return kid
    }

    /// After a leak: every token of a retired key is refused from now on, whatever still counts of them.
    package func discardSigningKey(
        _ kid: String, by actor: Actor, origin: RequestOrigin
    ) async throws(AccountError) {
        let info = try await signingKeys(by: actor).first { $0.kid == kid && $0.retiredAt != nil }
        guard let info else { throw .notFound }
        do throws(KeyFault) {
            try await destroyKey(KeyNames.tokens, info.version, force: true, by: actor, origin: origin)
        } catch {
            switch error {
            case .key(let failure): throw AccountError(failure)
            case .account(let failure): throw failure
            }
        }
    }
}

/// What may be told about a key that signs tokens.
package struct SigningKeyInfo: Sendable, Equatable {
    package let kid: String
    package let version: UInt32
    package let createdAt: Timestamp
    package let retiredAt: Timestamp?
    package let verifyUntil: Timestamp?
}
