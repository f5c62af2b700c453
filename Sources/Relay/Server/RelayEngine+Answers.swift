// Writing what is answered: with the asker's key when he has shown it, within the source's budget when he has not.

import Base
import Wire

extension RelayEngine {
    func begin(_ kind: STUNClass, _ ask: Ask) {
        writer.begin(kind, ask.message.method, ask.message.transactionID)
    }

    /// With the code of the kind that the request had (RFC 8489 §9.2.4).
    func finish(_ ask: Ask, _ proof: Proof) {
        finish(to: ask.client, proof.key, proof.integrity, fingerprint: ask.message.fingerprint == .valid)
    }

    func finish(to client: ClientPath, _ key: RelayKey, _ kind: IntegrityKind, fingerprint: Bool) {
        key.sign(&writer, kind)
        if fingerprint { writer.addFingerprint() }
        send(to: client)
    }

    /// Without a code: to who has shown no key. Whether it was sent.
    @discardableResult
    func finishUnproven(_ ask: Ask, to client: ClientPath? = nil) -> Bool {
        if ask.message.fingerprint == .valid { writer.addFingerprint() }
        if ask.client.transport.isSpoofable {
            let isAllowed = budgets.allowsAnswer(
                ask.client.remote.ip, received: ask.message.span.byteCount, sent: writer.bytes.count, now: ask.now)
            guard isAllowed else {
                count(.rateLimited)
                return false
            }
        }
        send(to: client ?? ask.client)
        return true
    }

    private func send(to client: ClientPath) {
        let bytes = writer.bytes
        outbox.append(answer: bytes.span.bytes, to: client)
    }

    func refuse(
        _ ask: Ask, _ code: STUNErrorCode, _ refusal: RelayRefusal, _ proof: Proof, _ reason: StaticString
    ) {
        count(refusal)
        begin(.error, ask)
        writer.add(error: code, reason: reason)
        finish(ask, proof)
    }

    func refuseUnknown(_ ask: Ask, _ proof: Proof) {
        count(.unknownAttribute)
        begin(.error, ask)
        writer.add(error: .unknownAttribute)
        writer.add(unknownAttributes: ask.request.unknown, count: ask.request.unknownCount)
        finish(ask, proof)
    }

    /// Of a request without a right password: no reason phrase, for the answer should be short.
    func refuseUnproven(_ ask: Ask, _ code: STUNErrorCode, _ refusal: RelayRefusal) {
        count(refusal)
        begin(.error, ask)
        writer.add(error: code)
        if code == .unknownAttribute {
            writer.add(unknownAttributes: ask.request.unknown, count: ask.request.unknownCount)
        }
        finishUnproven(ask)
    }

    /// 401 and 438: what the next attempt needs.
    func challenge(_ ask: Ask, _ code: STUNErrorCode, _ refusal: RelayRefusal) {
        count(refusal)
        begin(.error, ask)
        writer.add(error: code)
        writer.add(.realm, text: settings.realm)
        let nonce = tokens.nonce(for: ask.client, now: ask.now)
        writer.add(.nonce, nonce.span.bytes)
        let offered = PasswordAlgorithm.offered
        writer.add(.passwordAlgorithms, offered.span.bytes)
        finishUnproven(ask)
    }
}
