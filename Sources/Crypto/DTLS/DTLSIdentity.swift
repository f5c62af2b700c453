// Who we are in DTLS: a certificate that vouches for itself (ECDSA, P-256), its fingerprints, and the two contexts of
// OpenSSL that sessions are made from. Made once and shared by all sessions; to rotate, make another for new sessions.

package import Base
import COpenSSL

/// `@unchecked`: configured in `init` and only read afterwards, which OpenSSL allows from any thread.
package final class DTLSIdentity: @unchecked Sendable {
    /// Long enough for any call that was set up with it; short, because nothing but the fingerprint counts.
    package static let defaultValidity = Duration.days(30)
    /// For how long new sessions are made with one identity. A key that gets out lets somebody stand in for us in what is
    /// set up from then on until the next: longer gives him longer, and past the validity peers may refuse; shorter buys
    /// little, at a fraction of a millisecond each time. A session keeps its own, so it may last for the validity less this.
    package static let rotationPeriod = Duration.days(1)
    /// One that could not be made is tried again so much later.
    package static let rotationRetry = Duration.hours(1)
    /// The longest handshake message of a peer. Certificates of browsers have 300 to 900 bytes; OpenSSL reserves this
    /// much for a message in fragments, for up to eleven messages. Its own least value for DTLS is about as large.
    private static let longestMessage = 16_384

    /// RFC 8827 §6.5 asks for the first; the last two are for peers without AEAD.
    private static let suites =
        "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
        + "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
        + "ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"
    private static let groups = "X25519:P-256"
    /// In the order of `SRTPProfile`'s worth: GCM costs half of CM, and 128 bits less than 256.
    private static let profiles = "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80"

    let server: OpaquePointer
    let client: OpaquePointer
    /// One per algorithm, from SHA-256 to SHA-512.
    package let fingerprints: [DTLSFingerprint]

    package static func make(
        validFor duration: Duration = defaultValidity, now: Timestamp = .now(), offersSRTP: Bool = true
    ) throws(CryptoError) -> DTLSIdentity {
        let certificate = try SelfSignedCertificate.make(names: ["plexichat"], validFor: duration, now: now)
        return try DTLSIdentity(certificate, offersSRTP: offersSRTP)
    }

    /// A server for clients who know it by its certificate's name, and have none themselves (RFC 7350).
    package static func server(_ identity: TLSIdentity) throws(CryptoError) -> DTLSIdentity {
        try DTLSIdentity(identity, offersSRTP: false, asksForCertificate: false)
    }

    /// Another certificate and key, as a test's peer may have (RSA); without SRTP, as peers for data channels alone are.
    init(_ identity: TLSIdentity, offersSRTP: Bool = true, asksForCertificate: Bool = true) throws(CryptoError) {
        let certificates = try PEM.certificates(in: identity.certificateChain)
        guard let certificate = certificates.first else { throw .badParameters("no certificate in the identity") }
        let key = try PEM.privateKey(in: identity.privateKey)
        let server = try Self.context(DTLS_server_method(), certificates, key, offersSRTP, asksForCertificate)
        let client: OpaquePointer
        do throws(CryptoError) {
            client = try Self.context(DTLS_client_method(), certificates, key, offersSRTP, asksForCertificate)
        } catch {
            SSL_CTX_free(server)
            throw error
        }
        self.server = server
        self.client = client
        fingerprints = DTLSFingerprint.Algorithm.allCases.compactMap { DTLSFingerprint(of: certificate.pointer, $0) }
    }

    deinit {
        SSL_CTX_free(server)
        SSL_CTX_free(client)
    }

    private static func context(
        _ method: OpaquePointer?, _ chain: [CertificateHandle], _ key: KeyHandle, _ offersSRTP: Bool,
        _ asksForCertificate: Bool
    ) throws(CryptoError) -> OpaquePointer {
        guard let context = SSL_CTX_new(method) else { throw OpenSSLFailure.error() }
        _ = SSL_CTX_set_options(context, plexi_dtls_options())
        _ = plexi_tls_no_session_cache(context)
        _ = plexi_dtls_longest_message(context, longestMessage)
        SSL_CTX_set_security_level(context, 2)
        // A certificate must come; who it is, the fingerprint decides after the handshake, because the peer's answer
        // in SDP may be slower than its first flight (RFC 8842 §5.5).
        let verification = asksForCertificate ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT : SSL_VERIFY_NONE
        SSL_CTX_set_verify(context, verification, nil)
        SSL_CTX_set_cert_verify_callback(context, { _, _ in 1 }, nil)
        let accepted =
            plexi_dtls_only_1_2(context) == 1 && SSL_CTX_set_cipher_list(context, suites) == 1
            && plexi_tls_set_groups(context, groups) == 1
            && (!offersSRTP || SSL_CTX_set_tlsext_use_srtp(context, profiles) == 0)
            && chain.first.map { SSL_CTX_use_certificate(context, $0.pointer) == 1 } == true
            && chain.dropFirst().allSatisfy {
                X509_up_ref($0.pointer) == 1 && plexi_tls_add_chain(context, $0.pointer) == 1
            }
            && SSL_CTX_use_PrivateKey(context, key.pointer) == 1
        guard accepted else {
            SSL_CTX_free(context)
            throw OpenSSLFailure.error()
        }
        DTLSSession.setCookieCallbacks(context)
        ERR_clear_error()
        return context
    }
}
