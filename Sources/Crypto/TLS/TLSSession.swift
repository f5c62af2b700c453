// One TLS connection as a machine over bytes (RFC 8446, RFC 5246): ciphertext in, plaintext out, and back. It owns no
// socket. How a driver uses it:
//
//   1. made                   -> takeCiphertext() and send (a client's first flight)
//   2. bytes from the socket  -> receive, then read until `.needsMore`, then takeCiphertext() and send
//   3. end of the stream      -> receiveEnd(), which tells a proper end from a cut
//   4. bytes to say           -> write (which may take less than all), takeCiphertext() and send
//   5. done                   -> close(), takeCiphertext() and send, close the socket
//   After an error            -> takeCiphertext() once more: it holds the alert that tells the peer; close the socket
//
// Used on one thread at a time. An idle session keeps no buffers: OpenSSL releases its own
// (SSL_MODE_RELEASE_BUFFERS), and a BIO of our own leaves the bytes in two arrays that are empty between calls.

package import Base
import COpenSSL

package enum TLSError: Error, Equatable {
    /// The peer's certificate is not trusted, not valid now, or for another name.
    case certificateRejected(String)
    /// No TLS, no version or suite in common, an alert of the peer: OpenSSL's words.
    case handshakeFailed(String)
    /// An established connection received something that is not its continuation.
    case broken(String)
    /// The stream ended without close_notify: what was read may lack its end.
    case truncated
    /// More ciphertext than `TLSSession.unreadLimit` was fed without reading. The driver's mistake.
    case unreadLimitExceeded
}

package final class TLSSession {
    package enum Phase: Sendable, Equatable {
        case handshaking
        case established
        /// The peer said close_notify: nothing more to read.
        case ended
        case failed(TLSError)
    }

    package enum Reading: Sendable, Equatable {
        case plaintext(Int)
        /// Nothing until more is received (or, rarely, until `takeCiphertext` made room for an answer).
        case needsMore
        case ended
    }

    /// Ciphertext fed but not yet read. Two reads of 64 KiB; a driver that reads after each feed never comes near.
    package static let unreadLimit = 128 << 10
    /// `write` stops taking when this much waits to be sent: four records. More would only move the queue from the
    /// driver, which bounds it, to here.
    package static let unsentLimit = 64 << 10
    /// Beyond the limit for what a record and an alert may add, and for a handshake with a long chain. At it, OpenSSL
    /// is told to wait, so that a peer that asks for key updates and reads nothing gets no more memory.
    private static let unsentRoom = 64 << 10
    /// RFC 8446 §5.1.
    private static let recordLimit = 16_384

    package private(set) var phase = Phase.handshaking

    private let context: TLSContext
    private let session: OpaquePointer
    private var unread = Bytes()
    private var unreadStart = 0
    private var unsent = Bytes()
    private var closing = false

    package init(server context: TLSContext) throws(CryptoError) {
        precondition(context.role == .server, "a client's context serves no session")
        self.context = context
        session = try Self.make(context)
        connectBytes()
        SSL_set_accept_state(session)
    }

    /// `host` is the name (sent as SNI) or address that the server's certificate must be for.
    package init(client context: TLSContext, host: String) throws(CryptoError) {
        precondition(context.role == .client, "a server's context calls nobody")
        self.context = context
        session = try Self.make(context)
        connectBytes()
        SSL_set_connect_state(session)
        try expect(host)
        // A first flight cannot fail: nothing was received.
        try? progress()
    }

    deinit { SSL_free(session) }

    // MARK: - Driving

    /// Takes ciphertext from the peer; goes on with the handshake while there is one.
    package func receive(_ ciphertext: UnsafeRawBufferPointer) throws(TLSError) {
        if case .failed(let error) = phase { throw error }
        guard phase != .ended else { return }
        guard unread.count - unreadStart + ciphertext.count <= Self.unreadLimit else {
            throw fail(.unreadLimitExceeded)
        }
        if unreadStart > 0 {
            unread.removeFirst(unreadStart)
            unreadStart = 0
        }
        unread.append(contentsOf: ciphertext)
        if phase == .handshaking { try progress() }
    }

    package func receive(_ ciphertext: Bytes) throws(TLSError) {
        let result = ciphertext.withUnsafeBytes { bytes in
            Result { () throws(TLSError) in try receive(bytes) }
        }
        try result.get()
    }

    /// The transport ended.
    package func receiveEnd() throws(TLSError) {
        switch phase {
        case .ended: return
        case .failed(let error): throw error
        case .handshaking, .established: throw fail(.truncated)
        }
    }

    /// Decrypts what was received, at most one record per call.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(TLSError) -> Reading {
        switch phase {
        case .handshaking: return .needsMore
        case .ended: return .ended
        case .failed(let error): throw error
        case .established: break
        }
        ERR_clear_error()
        var count = 0
        let result = SSL_read_ex(session, buffer.baseAddress, buffer.count, &count)
        if result == 1 { return .plaintext(count) }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .needsMore
        case SSL_ERROR_ZERO_RETURN:
            phase = .ended
            return .ended
        default: throw fail(.broken(OpenSSLFailure.take()))
        }
    }

    /// Encrypts; the number of bytes taken. Less than all: call again when `takeCiphertext` was sent.
    package func write(_ plaintext: UnsafeRawBufferPointer) throws(TLSError) -> Int {
        if case .failed(let error) = phase { throw error }
        guard phase != .handshaking, !closing else { return 0 }
        var taken = 0
        while taken < plaintext.count, unsent.count < Self.unsentLimit {
            let chunk = min(plaintext.count - taken, Self.recordLimit)
            guard let count = try encrypt(UnsafeRawBufferPointer(rebasing: plaintext[taken..<taken + chunk])) else {
                break
            }
            taken += count
        }
        return taken
    }

    package func write(_ plaintext: Bytes) throws(TLSError) -> Int {
        let result = plaintext.withUnsafeBytes { bytes in
            Result { () throws(TLSError) in try write(bytes) }
        }
        return try result.get()
    }

    /// What is to be sent to the peer, in order. Once taken it is the driver's.
    package func takeCiphertext() -> Bytes {
        defer { unsent = [] }
        return unsent
    }

    package var hasCiphertext: Bool { !unsent.isEmpty }
    package var ciphertextCount: Int { unsent.count }

    /// Says close_notify. Reading goes on until the peer's; nothing more can be written.
    package func close() {
        guard phase == .established || phase == .ended, !closing else { return }
        closing = true
        ERR_clear_error()
        _ = SSL_shutdown(session)
        ERR_clear_error()
    }

    // MARK: - Asking

    package var isEstablished: Bool { phase == .established }

    /// What ALPN agreed on; `nil` where it was not used.
    package var applicationProtocol: String? {
        var start: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(session, &start, &count)
        guard let start else { return nil }
        return String(decoding: UnsafeBufferPointer(start: start, count: Int(count)), as: UTF8.self)
    }

    /// `TLSv1.3`, for logs and metrics.
    package var version: String { String(cString: SSL_get_version(session)) }

    /// `TLS_AES_256_GCM_SHA384`, for logs and metrics.
    package var suite: String {
        SSL_get_current_cipher(session).map { String(cString: SSL_CIPHER_get_name($0)) } ?? "none"
    }

    // MARK: - OpenSSL

    private static func make(_ context: TLSContext) throws(CryptoError) -> OpaquePointer {
        guard let session = SSL_new(context.pointer) else { throw OpenSSLFailure.error() }
        return session
    }

    private func expect(_ host: String) throws(CryptoError) {
        let parameters = SSL_get0_param(session)
        // An address is matched as one, and never sent as a server name (RFC 6066 §3).
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, host) == 1 { return }
        ERR_clear_error()
        X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        guard X509_VERIFY_PARAM_set1_host(parameters, host, host.utf8.count) == 1,
            plexi_tls_server_name(session, host) == 1
        else { throw .badParameters("\(host) is no host name") }
    }

    private func progress() throws(TLSError) {
        ERR_clear_error()
        let result = SSL_do_handshake(session)
        if result == 1 {
            phase = .established
            return
        }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return
        default: throw fail(handshakeError())
        }
    }

    private func handshakeError() -> TLSError {
        let verdict = SSL_get_verify_result(session)
        guard context.verifiesPeer, verdict != Int(X509_V_OK) else { return .handshakeFailed(OpenSSLFailure.take()) }
        ERR_clear_error()
        return .certificateRejected(String(cString: X509_verify_cert_error_string(verdict)))
    }

    private func fail(_ error: TLSError) -> TLSError {
        phase = .failed(error)
        unread = []
        unreadStart = 0
        return error
    }

    /// `nil` when OpenSSL wants to wait.
    private func encrypt(_ plaintext: UnsafeRawBufferPointer) throws(TLSError) -> Int? {
        ERR_clear_error()
        var count = 0
        let result = SSL_write_ex(session, plaintext.baseAddress, plaintext.count, &count)
        if result == 1 { return count }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return nil
        default: throw fail(.broken(OpenSSLFailure.take()))
        }
    }

    // MARK: - The BIO

    private func connectBytes() {
        guard let bio = BIO_new(Self.bioMethod.pointer) else { fatalError("BIO_new: out of memory") }
        // Unretained: the BIO is freed by `SSL_free` in our `deinit`.
        BIO_set_data(bio, Unmanaged.passUnretained(self).toOpaque())
        BIO_set_init(bio, 1)
        SSL_set_bio(session, bio, bio)
    }

    private static let bioMethod: Algorithms.Handle = {
        let method = BIO_meth_new(BIO_get_new_index() | plexi_bio_type_source_sink(), "TLSSession")
        BIO_meth_set_read(method) { bio, buffer, count in
            TLSSession.owner(of: bio).giveUnread(bio, buffer, Int(count))
        }
        BIO_meth_set_write(method) { bio, bytes, count in
            TLSSession.owner(of: bio).keepUnsent(bio, bytes, Int(count))
        }
        BIO_meth_set_ctrl(method) { _, operation, _, _ in operation == plexi_bio_ctrl_flush() ? 1 : 0 }
        return Algorithms.Handle(method, "BIO method")
    }()

    private static func owner(of bio: OpaquePointer?) -> TLSSession {
        guard let data = BIO_get_data(bio) else { preconditionFailure("a BIO without its session") }
        return Unmanaged<TLSSession>.fromOpaque(data).takeUnretainedValue()
    }

    private func giveUnread(_ bio: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ wanted: Int) -> Int32 {
        plexi_bio_clear_retry(bio)
        let count = min(wanted, unread.count - unreadStart)
        guard count > 0, let buffer else {
            plexi_bio_retry_read(bio)
            return -1
        }
        unread.withUnsafeBytes { bytes in
            let part = UnsafeRawBufferPointer(rebasing: bytes[unreadStart..<unreadStart + count])
            UnsafeMutableRawBufferPointer(start: buffer, count: count).copyMemory(from: part)
        }
        unreadStart += count
        if unreadStart == unread.count {
            unread = []
            unreadStart = 0
        }
        return Int32(count)
    }

    private func keepUnsent(_ bio: OpaquePointer?, _ bytes: UnsafePointer<CChar>?, _ count: Int) -> Int32 {
        plexi_bio_clear_retry(bio)
        guard unsent.count + count <= Self.unsentLimit + Self.unsentRoom else {
            plexi_bio_retry_write(bio)
            return -1
        }
        unsent.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: count))
        return Int32(count)
    }
}
