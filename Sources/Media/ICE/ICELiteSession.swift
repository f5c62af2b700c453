// The lite agent of one participant (RFC 8445 §2.5, RFC 7675): it answers the checks of a full agent, and knows over
// which paths the participant may be reached.
//
// We are always controlled and never send a check, so the remote password and the remote candidates are not needed:
// who knows our password, and names our fragment, is the participant, from wherever (a peer-reflexive candidate is
// nothing special). Nothing changes before MESSAGE-INTEGRITY is right; a flood of other requests costs time only.
//
// A restart is made before the old connection breaks: the new credentials are a second generation, checks of both are
// answered, and media stays on the old path until the peer nominates one with the new credentials. docs/media/ice.md
// has the answers, the bounds and what a lite agent cannot know.

package import Base
import Crypto
package import Wire

/// Why a message got no answer. Each is a counter.
package enum ICEIgnoreReason: UInt8, Sendable, CaseIterable {
    /// An indication (a keep-alive), or a response: we ask nothing.
    case notARequest
    /// A method of TURN, or an unknown one.
    case otherMethod
    /// FINGERPRINT is missing or wrong (RFC 8445 §7.1 wants it).
    case fingerprint
    /// A request without credentials that is too short for any answer: see `ICELiteSession.refuse`.
    case answerWouldAmplify
    /// The authenticated transaction of another path: somebody repeats what he saw.
    case repeatedFromElsewhere
}

package struct ICEOutcome: Equatable, Sendable {
    package enum Action: Equatable, Sendable {
        /// Send the response; the path is valid.
        case respond
        /// Send the response; media goes to this path from now on.
        case respondAndSelect(MediaPath)
        /// Send the response, which says why not. Nothing has changed.
        case reject(STUNErrorCode)
        /// Send nothing.
        case ignore(ICEIgnoreReason)
    }

    package var action: Action
    /// The path is new: it goes into the `PathTable`.
    package var isNewPath = false
    /// A path to take out of the `PathTable`.
    package var evictedPath: MediaPath?
    /// A fragment to take out of the `UfragTable`: the restart is complete.
    package var retiredUfrag: LocalUfrag?

    package init(_ action: Action) { self.action = action }
}

package enum ICETimeout: Equatable, Sendable {
    case nothing
    /// A path other than the selected one was silent: take it out of the `PathTable`, and ask again.
    case pathExpired(MediaPath)
    /// The selected path was: take it out, send no more media, and ask again. The next valid check selects anew.
    case consentExpired(MediaPath)
}

package struct ICELiteSession: Sendable {
    /// Paths of one participant. A phone has two networks, each with IPv4, IPv6, a temporary address and TCP: eight.
    /// Fewer would evict paths that are in use, more would let one participant fill the table of all. The one that
    /// was silent longest gives way, never the selected one.
    package static let pathsMax = 16

    /// Without an authenticated check for this long we have no consent to send (RFC 7675 §5.1). Peers check every 4
    /// to 6 s. Shorter would take a burst of losses for an end; longer goes on sending to who has left.
    package static let consentLifetime = Duration.seconds(30)

    /// Transactions remembered against repetition from elsewhere: those of 40 s of a peer that is connected.
    package static let transactionsMax = 16

    private struct Path {
        var path: MediaPath
        var lastCheck: Instant
    }

    private struct Transaction {
        var id: STUNTransactionID
        var path: MediaPath
    }

    /// Credentials, and what the peer says its own are.
    private struct Generation {
        let ufrag: LocalUfrag
        let key: MessageIntegrityKey
        /// `nil` until it is known: checks may be faster than signaling.
        var remoteUfrag: Bytes?
    }

    private var current: Generation
    private var pending: Generation?

    private var paths: InlineArray<16, Path>
    package private(set) var pathCount = 0
    private var transactions: InlineArray<16, Transaction>
    private var transactionCount = 0

    /// Where media goes.
    package private(set) var selectedPath: MediaPath?
    /// Whether the peer has chosen the selected path, or we have for want of a choice.
    package private(set) var isNominated = false
    /// Call `handleTimeout` then, at the latest. May be early, never late.
    package private(set) var deadline: Instant?

    /// `local` is from `ICECredentials.init(randomBytes:)`.
    package init(local: ICECredentials, remoteUfrag: String?) {
        current = Self.generation(local, remoteUfrag)
        let never = Instant(nanoseconds: 0)
        paths = InlineArray(repeating: Path(path: .none, lastCheck: never))
        transactions = InlineArray(repeating: Transaction(id: STUNTransactionID(0, 0), path: .none))
    }

    private static func generation(_ local: ICECredentials, _ remoteUfrag: String?) -> Generation {
        guard let ufrag = local.localUfrag else { preconditionFailure("our fragments have 8 characters") }
        return Generation(
            ufrag: ufrag, key: MessageIntegrityKey(local.password), remoteUfrag: remoteUfrag.map { Bytes($0.utf8) })
    }
}

// MARK: - Signaling

extension ICELiteSession {
    /// The fragments to have in the `UfragTable`.
    package var localUfrag: LocalUfrag { current.ufrag }
    package var pendingUfrag: LocalUfrag? { pending?.ufrag }

    /// The peer's fragment, from its description: of the restart under way if there is one.
    package mutating func setRemoteUfrag(_ ufrag: String) {
        if pending != nil {
            pending?.remoteUfrag = Bytes(ufrag.utf8)
        } else {
            current.remoteUfrag = Bytes(ufrag.utf8)
        }
    }

    /// Begins a restart. A restart that is under way gives way; its fragment is returned, to be taken out of the table.
    package mutating func restart(local: ICECredentials, remoteUfrag: String?) -> LocalUfrag? {
        let replaced = pending?.ufrag
        pending = Self.generation(local, remoteUfrag)
        return replaced
    }

    /// The offer of the restart was rolled back. Returns its fragment, to be taken out of the table.
    package mutating func abandonRestart() -> LocalUfrag? {
        defer { pending = nil }
        return pending?.ufrag
    }
}

// MARK: - Checks

extension ICELiteSession {
    private enum Authentication {
        case current
        case pending
        case failed(STUNErrorCode)
    }

    /// A message for this session: its path is one of ours, or it names one of our fragments. What is to be sent is
    /// left in `response`, which is empty when there is nothing.
    package mutating func handle(
        _ message: STUNMessage, on path: MediaPath, now: Instant, into response: inout STUNWriter
    ) -> ICEOutcome {
        response.clear()
        if let reason = Self.reasonToIgnore(message) { return ICEOutcome(.ignore(reason)) }
        let isPending: Bool
        switch authenticate(message) {
        case .current: isPending = false
        case .pending: isPending = true
        case .failed(let code): return Self.refuse(message, code, into: &response)
        }
        let key = isPending ? pending?.key ?? current.key : current.key
        if let code = Self.objection(to: message) {
            Self.write(code, to: message, key, into: &response)
            return ICEOutcome(.reject(code))
        }
        guard note(message.transactionID, on: path) else { return ICEOutcome(.ignore(.repeatedFromElsewhere)) }

        var outcome = ICEOutcome(.respond)
        touch(path, now, &outcome)
        if message.usesCandidate || selectedPath == nil { select(path, message.usesCandidate, isPending, &outcome) }
        response.begin(.success, .binding, message.transactionID)
        response.add(.xorMappedAddress, xor: path.remote)
        response.addIntegrity(key)
        response.addFingerprint()
        return outcome
    }

    /// For a check that names no fragment of ours: 401, or 400 if it has no credentials at all.
    package static func handleStranger(_ message: STUNMessage, into response: inout STUNWriter) -> ICEOutcome {
        response.clear()
        if let reason = reasonToIgnore(message) { return ICEOutcome(.ignore(reason)) }
        let hasCredentials = message.username != nil && message.integrity != nil
        return refuse(message, hasCredentials ? .unauthenticated : .badRequest, into: &response)
    }

    private static func reasonToIgnore(_ message: STUNMessage) -> ICEIgnoreReason? {
        guard message.kind == .request else { return .notARequest }
        guard message.method == .binding else { return .otherMethod }
        return message.fingerprint == .valid ? nil : .fingerprint
    }

    /// RFC 8489 §9.1.3. Of the two generations the fragment says which; the HMAC is computed once at most.
    private func authenticate(_ message: STUNMessage) -> Authentication {
        guard let username = message.username, message.integrity != nil else { return .failed(.badRequest) }
        guard let ufrag = message.localUfrag else { return .failed(.unauthenticated) }
        if ufrag == current.ufrag {
            return Self.proves(message, username, current) ? .current : .failed(.unauthenticated)
        }
        if let pending, ufrag == pending.ufrag {
            return Self.proves(message, username, pending) ? .pending : .failed(.unauthenticated)
        }
        return .failed(.unauthenticated)
    }

    private static func proves(
        _ message: STUNMessage, _ username: STUNAttribute, _ generation: Generation
    ) -> Bool {
        if let expected = generation.remoteUfrag {
            let remote = message.remoteUfrag(of: username)
            guard remote.byteCount == expected.count,
                expected.indices.allSatisfy({ expected[$0] == remote.byte($0) })
            else { return false }
        }
        return generation.key.authenticates(message)
    }

    /// What an authenticated request may still have wrong.
    private static func objection(to message: STUNMessage) -> STUNErrorCode? {
        if message.unknownAttributeCount > 0 { return .unknownAttribute }
        // A full agent that met a lite one is controlling (RFC 8445 §6.1.1). We cannot be, whatever the tie-breakers
        // say, so the peer has to change its mind (§7.3.1.1).
        if message.iceControlled != nil { return .roleConflict }
        return message.priority == nil ? .badRequest : nil
    }

    private static func write(
        _ code: STUNErrorCode, to message: STUNMessage, _ key: MessageIntegrityKey, into response: inout STUNWriter
    ) {
        response.begin(.error, message.method, message.transactionID)
        response.add(error: code)
        if code == .unknownAttribute { response.add(unknownAttributesOf: message) }
        response.addIntegrity(key)
        response.addFingerprint()
    }

    /// An answer to somebody unknown, whose address may be another's: never longer than the request, so that nobody
    /// gains by sending it in a victim's name.
    private static func refuse(
        _ message: STUNMessage, _ code: STUNErrorCode, into response: inout STUNWriter
    ) -> ICEOutcome {
        response.begin(.error, message.method, message.transactionID)
        response.add(error: code)
        response.addFingerprint()
        guard response.bytes.count <= message.span.byteCount else {
            response.clear()
            return ICEOutcome(.ignore(.answerWouldAmplify))
        }
        return ICEOutcome(.reject(code))
    }

    /// `false` for a transaction that was first seen on another path. A lite agent does not check back, so a check that
    /// somebody on the way records and sends again from elsewhere would otherwise move the media there.
    private mutating func note(_ id: STUNTransactionID, on path: MediaPath) -> Bool {
        for index in 0..<min(transactionCount, Self.transactionsMax) where transactions[index].id == id {
            return transactions[index].path == path
        }
        transactions[transactionCount % Self.transactionsMax] = Transaction(id: id, path: path)
        transactionCount &+= 1
        // Stays where the remainder goes on and "all are used" stays true.
        if transactionCount == 2 &* Self.transactionsMax { transactionCount = Self.transactionsMax }
        return true
    }
}

// MARK: - Paths

extension ICELiteSession {
    private mutating func touch(_ path: MediaPath, _ now: Instant, _ outcome: inout ICEOutcome) {
        if deadline == nil { deadline = now + Self.consentLifetime }
        for index in 0..<pathCount where paths[index].path == path {
            paths[index].lastCheck = now
            return
        }
        outcome.isNewPath = true
        if pathCount < Self.pathsMax {
            paths[pathCount] = Path(path: path, lastCheck: now)
            pathCount &+= 1
            return
        }
        var oldest: Int?
        for index in 0..<pathCount where paths[index].path != selectedPath {
            if let candidate = oldest, paths[candidate].lastCheck <= paths[index].lastCheck { continue }
            oldest = index
        }
        guard let oldest else { return }
        outcome.evictedPath = paths[oldest].path
        paths[oldest] = Path(path: path, lastCheck: now)
    }

    private mutating func select(
        _ path: MediaPath, _ isNomination: Bool, _ isPending: Bool, _ outcome: inout ICEOutcome
    ) {
        if isPending, let next = pending {
            outcome.retiredUfrag = current.ufrag
            current = next
            pending = nil
        }
        isNominated = isNomination
        guard selectedPath != path else { return }
        selectedPath = path
        outcome.action = .respondAndSelect(path)
    }

    /// Whether datagrams from this path are the participant's.
    package func isValid(_ path: MediaPath) -> Bool {
        for index in 0..<pathCount where paths[index].path == path { return true }
        return false
    }

    /// A path without a check for this long is somebody else's as soon as he proves himself on it. Peers check every
    /// 4 to 6 s: shorter would let a stranger who writes our peer's address take the path between two checks, longer
    /// keeps out who got the address after him.
    package static let pathClaim = Duration.seconds(15)

    /// Whether the participant has shown lately that the path is its own.
    package func isInUse(_ path: MediaPath, now: Instant) -> Bool {
        for index in 0..<pathCount where paths[index].path == path {
            return now - paths[index].lastCheck < Self.pathClaim
        }
        return false
    }

    /// One path at a time; again until it is `.nothing`.
    package mutating func handleTimeout(now: Instant) -> ICETimeout {
        guard let due = deadline, due <= now else { return .nothing }
        var earliest: Instant?
        for index in 0..<pathCount {
            let end = paths[index].lastCheck + Self.consentLifetime
            if end <= now { return remove(index) }
            earliest = min(earliest ?? end, end)
        }
        deadline = earliest
        return .nothing
    }

    private mutating func remove(_ index: Int) -> ICETimeout {
        let path = paths[index].path
        pathCount &-= 1
        paths[index] = paths[pathCount]
        guard path == selectedPath else { return .pathExpired(path) }
        selectedPath = nil
        isNominated = false
        return .consentExpired(path)
    }

    /// For who ends: a path to take out of the `PathTable`; again until there is none.
    package mutating func removeAnyPath() -> MediaPath? {
        guard pathCount > 0 else { return nil }
        let path = paths[pathCount &- 1].path
        _ = remove(pathCount &- 1)
        return path
    }

    /// A TCP connection has ended: its path is gone at once. The answer is that of `handleTimeout`.
    package mutating func close(_ path: MediaPath) -> ICETimeout {
        for index in 0..<pathCount where paths[index].path == path { return remove(index) }
        return .nothing
    }
}
