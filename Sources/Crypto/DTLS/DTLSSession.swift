// One DTLS 1.2 association as a machine over datagrams (RFC 6347, RFC 5764). It owns no socket and no clock. A driver:
//
//   1. client: start(now)          -> takeDatagram() until nil, and send
//   2. datagram from the peer      -> receive(datagram, now), takeDatagram() and takeApplicationData() until nil
//   3. `deadline` reached          -> handleTimeout(now), takeDatagram() until nil
//   4. `.established`              -> compare the fingerprint before anything else, then `exportedKeys()`
//   5. end                         -> close(), takeDatagram() until nil
//
// The peer's certificate is not checked here beyond the proof of its key: whoever drives compares its fingerprint with
// the signaled ones. Retransmission follows the driver's clock: how, is said at `handleTimeout`. A server on a path that
// nobody has validated begins with `listen` (`DTLSSession+Listening.swift`). Out of scope: resumption, renegotiation,
// connection ids.

package import Base
import COpenSSL
import Glibc

package enum DTLSError: Error, Equatable {
    /// No version, suite or certificate in common, an alert of the peer: OpenSSL's words.
    case handshakeFailed(String)
    /// Twelve retransmissions of one flight stayed without an answer.
    case timedOut
    /// A fatal alert, or OpenSSL failed, after the handshake.
    case broken(String)
}

/// The keys of both directions, from our point of view.
package struct DTLSExportedKeys: Sendable {
    package let profile: SRTPProfile
    package let localKey: Secret
    package let localSalt: Secret
    package let remoteKey: Secret
    package let remoteSalt: Secret
}

package final class DTLSSession {
    package enum Role: Sendable { case client, server }

    package enum Phase: Sendable, Equatable {
        case handshaking
        case established
        /// One of the two said close_notify.
        case closed
        case failed(DTLSError)
    }

    /// Bytes of a datagram of ours. RFC 8834's neighbours all use 1,200: it fits IPv6 with room for tunnels.
    package static let datagramLimit = 1_200
    /// Datagrams that wait for `takeDatagram`. A flight has five at most; what is beyond is lost, as on any network.
    package static let unsentLimit = 32
    /// Messages that wait for `takeApplicationData`; what is beyond is lost. One datagram holds `recordLimit`.
    package static let unreadLimit = 64
    /// Encrypted records that are kept for after the handshake (a Finished that overtook its flight). OpenSSL keeps
    /// 17 KiB for each, and up to a hundred.
    package static let earlyLimit = 16
    /// The first wait for an answer. RFC 6347 says a second; a path that ICE just validated is known to be there, and
    /// a call should not wait so long for one lost datagram. Less would repeat flights to distant peers needlessly.
    package static let firstTimeout = Duration.milliseconds(250)
    /// Doubling stops here: with twelve retransmissions, the last is half a minute after the first flight.
    package static let longestTimeout = Duration.seconds(3)

    package let role: Role
    package private(set) var phase = Phase.handshaking
    /// When `handleTimeout` is to be called; `nil` when no answer is awaited.
    package private(set) var deadline: Instant?
    /// Datagrams that held no DTLS records, and messages beyond a limit.
    package private(set) var droppedCount = 0

    private let identity: DTLSIdentity
    let session: OpaquePointer
    private var now = Instant(nanoseconds: 0)
    private var incoming: UnsafeRawBufferPointer?
    /// Whose cookies are made and checked now, with which key: see `DTLSSession+Listening.swift`.
    var cookieMaker: (key: DTLSCookieKey, peer: Bytes)?
    private var unsent: [Bytes] = []
    private var unread: [Bytes] = []
    private var earlyCount = 0

    /// OpenSSL's own time of retransmission, within the session; `nil` where it gives only a copy.
    private var timer: UnsafeMutablePointer<timeval>?
    private let reachesTimer: Bool
    private var timeout = firstTimeout

    package convenience init(_ role: Role, _ identity: DTLSIdentity) throws(CryptoError) {
        try self.init(role, identity, reachesTimer: Self.timerIsReachable)
    }

    /// `reachesTimer` false tests the way of newer versions of OpenSSL.
    init(_ role: Role, _ identity: DTLSIdentity, reachesTimer: Bool) throws(CryptoError) {
        guard let session = SSL_new(role == .server ? identity.server : identity.client) else {
            throw OpenSSLFailure.error()
        }
        self.role = role
        self.identity = identity
        self.session = session
        self.reachesTimer = reachesTimer
        connectDatagrams()
        _ = plexi_dtls_set_mtu(session, Self.datagramLimit)
        if role == .server { SSL_set_accept_state(session) } else { SSL_set_connect_state(session) }
    }

    deinit { SSL_free(session) }

    // MARK: - Driving

    /// A client's first flight. A server waits for its peer's.
    package func start(now: Instant) {
        guard role == .client, phase == .handshaking else { return }
        self.now = now
        progress()
    }

    package func receive(_ datagram: UnsafeRawBufferPointer, now: Instant) {
        guard phase == .handshaking || phase == .established else { return }
        guard let records = DTLSDatagram(inspecting: datagram), mayEnter(records) else {
            droppedCount &+= 1
            return
        }
        self.now = now
        incoming = datagram
        progress()
        incoming = nil
    }

    /// The datagram as the first of a handshake: `listen` gives it to OpenSSL. True when the handshake goes on.
    func offer(_ datagram: UnsafeRawBufferPointer, now: Instant, _ listen: () -> Bool) -> Bool {
        self.now = now
        incoming = datagram
        let goesOn = listen()
        incoming = nil
        _ = plexi_dtls_set_mtu(session, Self.datagramLimit)
        if goesOn { progress() }
        return goesOn
    }

    package func receive(_ datagram: Bytes, now: Instant) {
        datagram.withUnsafeBytes { receive($0, now: now) }
    }

    /// Repeats the flight that got no answer.
    ///
    /// OpenSSL compares with the wall clock, in secret, on every read. It is told to wait for more than an hour
    /// instead, and its timer is set to long ago when ours runs out: up to version 3.1 it lends the timer's place to
    /// the BIO. Where it lends a copy only (3.2 and later), it gets our durations and keeps time itself; ours then
    /// runs out at the same moment, give or take a scheduler's delay.
    package func handleTimeout(now: Instant) {
        guard let deadline, deadline <= now, phase == .handshaking else { return }
        self.now = now
        timeout = min(timeout * 2, Self.longestTimeout)
        if reachesTimer { timer?.pointee = timeval(tv_sec: 0, tv_usec: 1) }
        ERR_clear_error()
        let result = plexi_dtls_handle_timeout(session)
        if result < 0 {
            fail(.timedOut)
        } else if result == 0 {
            // Its clock is behind ours.
            timeout = max(timeout / 2, Self.firstTimeout)
            self.deadline = now + .milliseconds(5)
        }
    }

    /// What is to be sent, one datagram after the other.
    package func takeDatagram() -> Bytes? { unsent.isEmpty ? nil : unsent.removeFirst() }

    /// What the peer said, one message after the other.
    package func takeApplicationData() -> Bytes? { unread.isEmpty ? nil : unread.removeFirst() }

    /// The longest message that `send` takes: what a datagram has left beside its record.
    package var longestMessage: Int { phase == .established ? Int(DTLS_get_data_mtu(session)) : 0 }

    /// Longer datagrams than `datagramLimit` from now on: for messages that were one datagram before they came here and
    /// would otherwise be lost. After the handshake, whose flights must not be fragmented.
    package func allowDatagrams(of count: Int) {
        if phase == .established { _ = plexi_dtls_set_mtu(session, count) }
    }

    /// One message in one datagram. False when it is too long, or nobody listens.
    package func send(_ message: UnsafeRawBufferPointer) -> Bool {
        guard phase == .established, !message.isEmpty, message.count <= longestMessage else { return false }
        takeBuffers()
        var count = 0
        let sent = SSL_write_ex(session, message.baseAddress, message.count, &count) == 1
        if !sent { fail(.broken(OpenSSLFailure.take())) }
        SSL_free_buffers(session)
        return sent
    }

    package func send(_ message: Bytes) -> Bool { message.withUnsafeBytes { send($0) } }

    /// Says close_notify and forgets what was received.
    package func close() {
        if phase == .established {
            takeBuffers()
            _ = SSL_shutdown(session)
            ERR_clear_error()
        }
        if phase == .established || phase == .handshaking { phase = .closed }
        deadline = nil
        unread = []
    }

    // MARK: - Asking

    /// Whether the peer's certificate is one of those signaled. Only the strongest algorithm among them counts, so
    /// that a weak hash beside a strong one does not help a forger (RFC 8122 §5).
    package func peerFingerprint(matches fingerprints: [DTLSFingerprint]) -> Bool {
        guard phase == .established, let strongest = fingerprints.map(\.algorithm).max(),
            let certificate = SSL_get1_peer_certificate(session)
        else { return false }
        defer { X509_free(certificate) }
        guard let actual = DTLSFingerprint(of: certificate, strongest) else { return false }
        return fingerprints.contains(actual)
    }

    package var profile: SRTPProfile? {
        SRTPProfile(rawValue: UInt16(truncatingIfNeeded: plexi_dtls_srtp_profile(session)))
    }

    /// Offers nothing but this profile; before `start`. For tests and load: a server takes what it likes best.
    package func offerOnly(_ profile: SRTPProfile) {
        let name =
            switch profile {
            case .aes128CMSHA1_80: "SRTP_AES128_CM_SHA1_80"
            case .aeadAES128GCM: "SRTP_AEAD_AES_128_GCM"
            case .aeadAES256GCM: "SRTP_AEAD_AES_256_GCM"
            }
        _ = SSL_set_tlsext_use_srtp(session, name)
    }

    /// `nil` before the end of the handshake, and when the peer offered none of our profiles (RFC 5764 §4.2).
    package func exportedKeys() -> DTLSExportedKeys? {
        guard phase == .established, let profile else { return nil }
        let (key, salt) = (profile.keyCount, profile.saltCount)
        let label = "EXTRACTOR-dtls_srtp"
        let total = 2 * (key + salt)
        let material = try? Secret(count: total) { buffer throws(CryptoError) in
            let bytes = buffer.bindMemory(to: UInt8.self).baseAddress
            guard SSL_export_keying_material(session, bytes, total, label, label.utf8.count, nil, 0, 0) == 1 else {
                throw OpenSSLFailure.error()
            }
        }
        guard let material else { return nil }
        return material.withExposedBytes { bytes in
            let clientKey = Secret(bytes[..<key])
            let serverKey = Secret(bytes[key..<2 * key])
            let clientSalt = Secret(bytes[2 * key..<2 * key + salt])
            let serverSalt = Secret(bytes[(2 * key + salt)...])
            return role == .client
                ? DTLSExportedKeys(
                    profile: profile, localKey: clientKey, localSalt: clientSalt, remoteKey: serverKey,
                    remoteSalt: serverSalt)
                : DTLSExportedKeys(
                    profile: profile, localKey: serverKey, localSalt: serverSalt, remoteKey: clientKey,
                    remoteSalt: clientSalt)
        }
    }

    /// `ECDHE-ECDSA-AES128-GCM-SHA256`, for logs and metrics.
    package var suite: String {
        SSL_get_current_cipher(session).map { String(cString: SSL_CIPHER_get_name($0)) } ?? "none"
    }

    // MARK: - OpenSSL

    /// Application data before the handshake is over would only be kept: SCTP says it again. A Finished beside its
    /// ChangeCipherSpec always enters, so that nobody uses up the limit for it.
    private func mayEnter(_ records: DTLSDatagram) -> Bool {
        guard phase == .handshaking, records.protectedCount == records.recordCount else { return true }
        guard records.applicationCount < records.recordCount else { return false }
        earlyCount = min(earlyCount + records.protectedCount, Self.earlyLimit + 1)
        return earlyCount <= Self.earlyLimit
    }

    /// Before anything that may write, an alert included: DTLS does not make them by itself as TLS does, and would
    /// write to address zero.
    private func takeBuffers() {
        ERR_clear_error()
        guard SSL_alloc_buffers(session) == 1 else { fatalError("SSL_alloc_buffers: out of memory") }
    }

    private func progress() {
        takeBuffers()
        if phase == .handshaking {
            let result = SSL_do_handshake(session)
            if result == 1 {
                phase = .established
                deadline = nil
            } else if !wantsMore(result) {
                return fail(.handshakeFailed(OpenSSLFailure.take()))
            }
        }
        if phase == .established { readApplicationData() }
        // 34 KiB of addresses, 9 of them resident, that the next datagram gets again; most sessions are idle.
        if phase == .established { SSL_free_buffers(session) }
    }

    private func wantsMore(_ result: Int32) -> Bool {
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: true
        default: false
        }
    }

    private func readApplicationData() {
        withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) { buffer in
            while phase == .established {
                var count = 0
                let result = SSL_read_ex(session, buffer.baseAddress, buffer.count, &count)
                guard result == 1 else { return stopReading(result) }
                if unread.count < Self.unreadLimit {
                    unread.append(Bytes(buffer[..<count]))
                } else {
                    droppedCount &+= 1
                }
            }
        }
    }

    private func stopReading(_ result: Int32) {
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: break
        case SSL_ERROR_ZERO_RETURN: phase = .closed
        default: fail(.broken(OpenSSLFailure.take()))
        }
    }

    private func fail(_ error: DTLSError) {
        ERR_clear_error()
        phase = .failed(error)
        deadline = nil
        unread = []
    }

    // MARK: - The BIO

    private func connectDatagrams() {
        guard let bio = BIO_new(Self.bioMethod.pointer) else { fatalError("BIO_new: out of memory") }
        // Unretained: the BIO is freed by `SSL_free` in our `deinit`.
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        SSL_set_bio(session, bio, bio)
        DTLS_set_timer_cb(session) { session, _ in
            let owner = DTLSSession.owner(of: SSL_get_rbio(session))
            // In microseconds; the longest that fits would be 71 minutes.
            return owner.reachesTimer
                ? 4_000_000_000 : UInt32(truncatingIfNeeded: owner.timeout.microseconds)
        }
    }

    private static let timerIsReachable = OpenSSL_version_num() < 0x3020_0000

    private static let bioMethod: Algorithms.Handle = {
        let method = BIO_meth_new(BIO_get_new_index() | plexi_bio_type_source_sink(), "DTLSSession")
        BIO_meth_set_read(method) { bio, buffer, count in
            DTLSSession.owner(of: bio).giveDatagram(bio, buffer, Int(count))
        }
        BIO_meth_set_write(method) { bio, bytes, count in
            DTLSSession.owner(of: bio).keepDatagram(bytes, Int(count))
            return count
        }
        BIO_meth_set_ctrl(method) { bio, operation, _, argument in
            if operation == plexi_bio_ctrl_flush() { return 1 }
            if operation == plexi_bio_ctrl_next_timeout(), let argument {
                DTLSSession.owner(of: bio).timerChanged(argument.assumingMemoryBound(to: timeval.self))
                return 1
            }
            return 0
        }
        return Algorithms.Handle(method, "BIO method")
    }()

    static func owner(of bio: OpaquePointer?) -> DTLSSession {
        guard let data = BIO_get_data(bio) else { preconditionFailure("a BIO without its session") }
        return Unmanaged<DTLSSession>.fromOpaque(data).takeUnretainedValue()
    }

    /// Zero: every message of the flight was answered.
    private func timerChanged(_ time: UnsafeMutablePointer<timeval>) {
        if time.pointee.tv_sec == 0 && time.pointee.tv_usec == 0 {
            deadline = nil
            timeout = Self.firstTimeout
        } else {
            timer = reachesTimer ? time : nil
            deadline = now + timeout
        }
    }

    private func giveDatagram(_ bio: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ room: Int) -> Int32 {
        plexi_bio_clear_retry(bio)
        guard let datagram = incoming, let buffer, datagram.count <= room else {
            plexi_bio_retry_read(bio)
            return -1
        }
        incoming = nil
        UnsafeMutableRawBufferPointer(start: buffer, count: room).copyMemory(from: datagram)
        return Int32(truncatingIfNeeded: datagram.count)
    }

    private func keepDatagram(_ bytes: UnsafePointer<CChar>?, _ count: Int) {
        guard count > 0, unsent.count < Self.unsentLimit else { return droppedCount &+= 1 }
        unsent.append(Bytes(UnsafeRawBufferPointer(start: bytes, count: count)))
    }
}
