// The cookie exchange of DTLS (RFC 6347 §4.2.1), before a server keeps anything of a client: a hello without the right
// cookie is answered with the cookie, 60 bytes at most for a hello that is longer, and forgotten. So nobody who forges
// his source gets a handshake's flight sent there, and none takes a place.

package import Base
import COpenSSL

/// What cookies are made with: random, for the life of the process.
package struct DTLSCookieKey: Sendable {
    fileprivate let key = SecureRandom.secret(32)

    package init() {}

    /// Of an HMAC-SHA256, as RFC 6347 suggests.
    fileprivate func cookie(for peer: Bytes) -> Bytes { HMAC.sha256(peer, key: key) }
}

extension DTLSSession {
    /// A server's first datagram of a client whose path nobody has validated; `peer` names the path. False: the client
    /// has not shown the cookie yet, and the session is as new for whoever comes next; what `takeDatagram` gives is for
    /// this one. True: the handshake has begun, go on with `receive`.
    package func listen(
        _ datagram: UnsafeRawBufferPointer, from peer: Bytes, cookies key: DTLSCookieKey, now: Instant
    ) -> Bool {
        precondition(role == .server, "only a server listens")
        guard phase == .handshaking, let records = DTLSDatagram(inspecting: datagram), records.startsWithClientHello
        else {
            return false
        }
        cookieMaker = (key, peer)
        return offer(datagram, now: now) {
            guard let address = BIO_ADDR_new() else { return false }
            defer { BIO_ADDR_free(address) }
            let result = DTLSv1_listen(session, address)
            ERR_clear_error()
            return result == 1
        }
    }

    /// Whether the datagram is the hello of another handshake than the one that this session went through: its client
    /// has forgotten us (RFC 6347 §4.2.8). It is to be listened to beside this session, which ends when the hello has
    /// shown its cookie. A repeated hello of this handshake has its random.
    package func isBegunAnew(by datagram: UnsafeRawBufferPointer) -> Bool {
        guard role == .server, phase == .established, datagram.first == DTLSDatagram.handshakeType,
            DTLSDatagram(inspecting: datagram)?.startsWithClientHello == true,
            let random = DTLSDatagram.clientRandom(ofHello: datagram)
        else { return false }
        return withUnsafeTemporaryAllocation(byteCount: random.count, alignment: 1) { own in
            SSL_get_client_random(session, own.baseAddress, own.count) != random.count || !own.elementsEqual(random)
        }
    }

    static func setCookieCallbacks(_ context: OpaquePointer) {
        SSL_CTX_set_cookie_generate_cb(context) { session, bytes, count in
            guard let cookie = DTLSSession.cookie(session), let bytes, let count else { return 0 }
            UnsafeMutableRawPointer(bytes).copyMemory(from: cookie, byteCount: cookie.count)
            count.pointee = UInt32(cookie.count)
            return 1
        }
        SSL_CTX_set_cookie_verify_cb(context) { session, bytes, count in
            guard let cookie = DTLSSession.cookie(session), let bytes, Int(count) == cookie.count else { return 0 }
            return CRYPTO_memcmp(cookie, bytes, cookie.count) == 0 ? 1 : 0
        }
    }

    private static func cookie(_ session: OpaquePointer?) -> Bytes? {
        let owner = DTLSSession.owner(of: SSL_get_rbio(session))
        return owner.cookieMaker.map { $0.key.cookie(for: $0.peer) }
    }
}
