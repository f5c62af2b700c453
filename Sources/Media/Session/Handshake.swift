// From a validated path to keys: joins the DTLS association with what signaling said (fingerprints, setup role) and
// what ICE found (which paths are the peer's). How it is driven:
//
//   1. made by an offer and an answer             -> setPeer, when the fingerprints come later
//   2. ICE validated a path                       -> pathValidated(now), takeDatagram() until nil
//   3. a DTLS datagram                            -> receive(…, fromValidPath:, now), takeDatagram() until nil
//   4. `deadline`                                 -> handleTimeout(now), takeDatagram() until nil
//   5. after each of these                        -> nextEvent() until `.nothing`
//   6. the first authentic packet of the peer     -> peerHasKeys(…)
//
// Before ICE validated a path nothing is kept and nothing answered: a ClientHello that overtook its connectivity check
// is dropped, and its sender repeats it. After that, only paths that ICE vouches for are listened to, so nobody else
// can race a ClientHello of their own into the association (RFC 8445 §7.3, RFC 8827 §6.5). No keys are given out before the
// certificate was compared with the signaled fingerprints.
//
// The seam for another handshake (a DTLS 1.3 of our own): `Association` is the only place that names one. What it
// must do is what `DTLSSession` does: datagrams in and out, a deadline, the peer's certificate hash, exported keys.

package import Base
package import Crypto

package enum HandshakeError: Error, Equatable, Sendable {
    case dtls(DTLSError)
    /// The certificate is not the one that was signaled: somebody else answered.
    case fingerprintMismatch
    /// No profile of SRTP in common; there would be no media.
    case noCommonProfile
    /// `Handshake.timeLimit` went by.
    case timedOut
    /// OpenSSL could not take the keys.
    case crypto(CryptoError)
}

/// Both directions of a transport, keyed.
package struct MediaProtection: ~Copyable {
    package let profile: SRTPProfile
    package var sender: SRTPSender
    package var receiver: SRTPReceiver

    init(_ keys: DTLSExportedKeys) throws(CryptoError) {
        let sender = try SRTPSender(keys.profile, key: keys.localKey, salt: keys.localSalt)
        let receiver = try SRTPReceiver(keys.profile, key: keys.remoteKey, salt: keys.remoteSalt)
        profile = keys.profile
        self.sender = sender
        self.receiver = receiver
    }

    /// For whoever keeps the two apart.
    package consuming func take(_ body: (consuming SRTPSender, consuming SRTPReceiver) -> Void) {
        body(sender, receiver)
    }
}

package enum HandshakeEvent: ~Copyable {
    case nothing
    /// The peer is who signaling said. Comes once.
    case connected(MediaProtection)
    /// The same without a profile of SRTP in common: there are data channels and nothing else. Comes once.
    case connectedForData
    /// Comes once; the participant is to be removed.
    case failed(HandshakeError)
    /// The peer said close_notify. Comes once.
    case closed
}

package struct Handshake: ~Copyable {
    /// From the first validated path to keys. A peer that needs more is not coming; less would cut off those whose
    /// flights are lost five times over.
    package static let timeLimit = Duration.seconds(30)

    package enum Phase: Equatable, Sendable {
        case awaitingPath
        case handshaking
        /// DTLS is done; the fingerprints have not come yet.
        case awaitingFingerprints
        case connected
        case failed(HandshakeError)
        case closed
    }

    private enum Association {
        case dtls12(DTLSSession)
        /// Freed after the handshake: see `peerHasKeys`.
        case released
    }

    package private(set) var phase = Phase.awaitingPath
    /// DTLS datagrams that came from anywhere but a path of the peer, or too early.
    package private(set) var strayCount = 0
    /// Nothing but data channels is agreed: a peer that knows no SRTP is welcome.
    package var isForDataOnly = false

    /// Whose fingerprint our descriptions tell; `nil` without a transport.
    let identity: DTLSIdentity?
    private var association: Association
    private var peer: [DTLSFingerprint]
    private var limit: Instant?
    private var unreported = false
    private var isVerified = false

    /// `peer` may be empty as long as the answer has not come.
    package init(
        _ role: DTLSSession.Role, identity: DTLSIdentity, peer: [DTLSFingerprint] = []
    ) throws(CryptoError) {
        association = .dtls12(try DTLSSession(role, identity))
        self.identity = identity
        self.peer = peer
    }

    /// Of a participant without a transport: nothing ever happens.
    init() {
        association = .released
        identity = nil
        peer = []
        phase = .closed
    }

    // MARK: - Driving

    package mutating func pathValidated(now: Instant) {
        guard phase == .awaitingPath, case .dtls12(let session) = association else { return }
        phase = .handshaking
        limit = now + Self.timeLimit
        session.start(now: now)
        settle()
    }

    package mutating func receive(_ datagram: UnsafeRawBufferPointer, fromValidPath isValid: Bool, now: Instant) {
        guard isValid, phase != .awaitingPath, case .dtls12(let session) = association else {
            strayCount &+= 1
            return
        }
        session.receive(datagram, now: now)
        settle()
    }

    /// Fingerprints from a later answer; only the latest count. New ones that no longer fit end a connection: a peer
    /// that changes its certificate needs a new `Handshake` (RFC 8842 §5.1).
    package mutating func setPeer(_ fingerprints: [DTLSFingerprint]) {
        peer = fingerprints
        if phase == .connected, case .dtls12(let session) = association,
            !session.peerFingerprint(matches: fingerprints)
        {
            end(.failed(.fingerprintMismatch))
        }
        settle()
    }

    package var deadline: Instant? {
        guard phase == .handshaking || phase == .awaitingFingerprints, case .dtls12(let session) = association else {
            return nil
        }
        guard let limit, let next = session.deadline else { return limit }
        return min(limit, next)
    }

    package mutating func handleTimeout(now: Instant) {
        guard phase == .handshaking || phase == .awaitingFingerprints, case .dtls12(let session) = association else {
            return
        }
        if let limit, limit <= now { return end(.failed(.timedOut)) }
        session.handleTimeout(now: now)
        settle()
    }

    /// To the selected path, one after the other. Also after an end: it may hold an alert for the peer.
    package mutating func takeDatagram() -> Bytes? {
        if case .dtls12(let session) = association { session.takeDatagram() } else { nil }
    }

    package mutating func nextEvent() -> HandshakeEvent {
        guard unreported else { return .nothing }
        unreported = false
        switch phase {
        case .connected: return protect()
        case .failed(let error): return .failed(error)
        case .closed: return .closed
        case .awaitingPath, .handshaking, .awaitingFingerprints: return .nothing
        }
    }

    /// The peer's first authentic packet proves that it has our last flight, which would otherwise be kept for it.
    /// Without data channels the association is of no more use then, and its memory is given back; what is lost is
    /// close_notify, and media has other ways to end.
    package mutating func peerHasKeys(usesData: Bool) {
        guard phase == .connected, !usesData else { return }
        association = .released
    }

    package mutating func close() {
        if case .dtls12(let session) = association { session.close() }
        if phase != .closed, !isFailed { phase = .closed }
        unreported = false
    }

    // MARK: - Data channels

    /// One message of SCTP (RFC 8261); `nil` before the certificate was compared.
    package mutating func takeApplicationData() -> Bytes? {
        guard isVerified, case .dtls12(let session) = association else { return nil }
        return session.takeApplicationData()
    }

    package mutating func send(_ message: UnsafeRawBufferPointer) -> Bool {
        guard phase == .connected, case .dtls12(let session) = association else { return false }
        return session.send(message)
    }

    package var longestMessage: Int {
        if case .dtls12(let session) = association { session.longestMessage } else { 0 }
    }

    package var isReleased: Bool { if case .released = association { true } else { false } }

    // MARK: - Inside

    private var isFailed: Bool { if case .failed = phase { true } else { false } }

    private mutating func settle() {
        guard case .dtls12(let session) = association, phase != .closed, !isFailed else { return }
        switch session.phase {
        case .handshaking: return
        case .failed(let error): end(.failed(.dtls(error)))
        case .closed: end(.closed)
        case .established: if !isVerified { verify(session) }
        }
    }

    private mutating func verify(_ session: DTLSSession) {
        guard !peer.isEmpty else {
            phase = .awaitingFingerprints
            return
        }
        guard session.peerFingerprint(matches: peer) else { return end(.failed(.fingerprintMismatch)) }
        isVerified = true
        phase = .connected
        unreported = true
        limit = nil
    }

    private mutating func end(_ phase: Phase) {
        self.phase = phase
        unreported = true
        limit = nil
        if case .dtls12(let session) = association { session.close() }
    }

    private mutating func protect() -> HandshakeEvent {
        guard case .dtls12(let session) = association, let keys = session.exportedKeys() else {
            if isForDataOnly { return .connectedForData }
            phase = .failed(.noCommonProfile)
            return .failed(.noCommonProfile)
        }
        do throws(CryptoError) {
            return .connected(try MediaProtection(keys))
        } catch {
            phase = .failed(.crypto(error))
            return .failed(.crypto(error))
        }
    }
}
