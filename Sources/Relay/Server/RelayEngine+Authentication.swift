// Who asks: the long-term mechanism of RFC 8489 §9.2, for clients of RFC 5389 too, which know MD5 and SHA-1 only.
//
// The order is the RFC's, with the nonce before the password (as in RFC 5389): it is one HMAC, and it shows that the
// source is not forged, so passwords are guessed from real addresses only, and those have a budget of guesses.

import Base
import Wire

/// What was shown with a request.
struct Proof {
    let key: RelayKey
    let integrity: IntegrityKind
    let name: Bytes
    let credential: CredentialName
    /// A name that has allocations; `nowhere` for one that has none yet.
    var user: UInt32
}

extension RelayEngine {
    /// `nil`: the answer, if there is one, has been written.
    func authenticate(_ ask: Ask) -> Proof? {
        let message = ask.message
        let request = ask.request
        let hasSHA256 = message.integritySHA256 != nil
        guard hasSHA256 || message.integrity != nil else {
            challenge(ask, .unauthenticated, .challenged)
            return nil
        }
        guard request.username.isThere != request.userhash.isThere, request.realm.isThere, request.nonce.isThere,
            let algorithm = algorithm(ask, hasSHA256: hasSHA256)
        else {
            refuseUnproven(ask, .badRequest, .badRequest)
            return nil
        }
        guard tokens.isCurrent(ask.value(request.nonce), of: ask.client, now: ask.now) else {
            challenge(ask, .staleNonce, .staleNonce)
            return nil
        }
        guard let name = name(ask), let credential = CredentialName(parsing: name.span.bytes),
            String(decoding: Bytes(copying: ask.value(request.realm)), as: UTF8.self) == settings.realm
        else {
            budgets.noteFailure(ask.client.remote.ip, now: ask.now)
            challenge(ask, .unauthenticated, .wrongPassword)
            return nil
        }
        guard let proof = prove(ask, name, credential, algorithm, hasSHA256 ? .sha256 : .sha1) else { return nil }
        return isValid(ask, proof) ? proof : nil
    }

    /// PASSWORD-ALGORITHMS has to be what we offered, PASSWORD-ALGORITHM one of it, and the code SHA-256's: otherwise
    /// somebody between has lowered what both can do (RFC 8489 §9.2.3.2, §9.2.4). A request with neither is of RFC 5389.
    private func algorithm(_ ask: Ask, hasSHA256: Bool) -> PasswordAlgorithm? {
        let request = ask.request
        guard request.passwordAlgorithm.isThere || request.passwordAlgorithms.isThere else { return .md5 }
        let offered = PasswordAlgorithm.offered
        guard request.passwordAlgorithms.isThere, hasSHA256,
            ask.value(request.passwordAlgorithms).isEqual(to: offered.span.bytes),
            let chosen = ask.uint32(request.passwordAlgorithm), chosen & 0xFFFF == 0
        else { return nil }
        return PasswordAlgorithm(rawValue: UInt16(chosen >> 16))
    }

    private func name(_ ask: Ask) -> Bytes? {
        let request = ask.request
        if request.username.isThere {
            return request.username.length <= CredentialName.bytesMax
                ? Bytes(copying: ask.value(request.username)) : nil
        }
        guard settings.understandsUserhash, request.userhash.length == 32 else { return nil }
        let hash = Bytes(copying: ask.value(request.userhash))
        if let name = announced.name(of: hash) { return name }
        return tables.user(withHash: hash).flatMap { tables.user($0)?.name }
    }

    /// With the key that the name had before, or else with one that the secrets make.
    private func prove(
        _ ask: Ask, _ name: Bytes, _ credential: CredentialName, _ algorithm: PasswordAlgorithm, _ kind: IntegrityKind
    ) -> Proof? {
        let user = tables.user(named: name.span.bytes)
        if let user, let key = tables.user(user)?.key, key.algorithm == algorithm,
            key.authenticates(ask.message, kind)
        {
            return Proof(key: key, integrity: kind, name: name, credential: credential, user: user)
        }
        let source = ask.client.remote.ip
        guard budgets.allowsGuess(source, now: ask.now) else {
            count(.rateLimited)
            return nil
        }
        guard let key = derive(ask, name, algorithm, kind) else {
            budgets.noteFailure(source, now: ask.now)
            challenge(ask, .unauthenticated, .wrongPassword)
            return nil
        }
        if let user { tables.setKey(key, of: user) }
        return Proof(key: key, integrity: kind, name: name, credential: credential, user: user ?? nowhere)
    }

    private func derive(
        _ ask: Ask, _ name: Bytes, _ algorithm: PasswordAlgorithm, _ kind: IntegrityKind
    ) -> RelayKey? {
        for candidate in 0..<secrets.candidateCount {
            let key = secrets.key(candidate, of: name, realm: settings.realm, algorithm)
            if key.authenticates(ask.message, kind) { return key }
        }
        return nil
    }

    /// What the name says is looked at when something begins or goes on; what is there may be used, and ended.
    private func isValid(_ ask: Ask, _ proof: Proof) -> Bool {
        if !proof.credential.session.isEmpty, revoked.contains(proof.credential.session) {
            challenge(ask, .unauthenticated, .revoked)
            return false
        }
        let begins = ask.message.method == .allocate
        let goesOn = ask.message.method == .refresh && ask.uint32(ask.request.lifetime) != 0
        guard begins || goesOn else { return true }
        let seconds = ask.wallClock.secondsSinceEpoch
        let horizon = seconds + settings.limits.credentialLifetimeMax.components.seconds
        if proof.credential.expiry > seconds, proof.credential.expiry <= horizon { return true }
        challenge(ask, .unauthenticated, .expired)
        return false
    }
}
