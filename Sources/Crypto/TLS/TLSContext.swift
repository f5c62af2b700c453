// What sessions of one endpoint have in common: certificate, key, trust, protocol versions.
//
// TLS 1.2 and 1.3; in 1.2 only forward-secret AEAD suites. No compression (CRIME), no renegotiation. No session
// tickets: with ephemeral key agreement a resumed handshake saves one signature and the certificate's bytes, but the
// ticket keys would have to be rotated, and shared by the nodes of a cluster, to keep forward secrecy.
//
// A context does not change after it was made. To reload a certificate, make another and give it to new sessions.

package import Base
import COpenSSL
import Glibc

/// `@unchecked`: OpenSSL's context is configured in `init` and only read afterwards, which is safe from any thread.
package final class TLSContext: @unchecked Sendable {
    package enum Role: Sendable { case server, client }

    /// Whom a client believes.
    package enum Trust: Sendable {
        /// The certificate authorities that the system trusts.
        case system
        /// Only those in this PEM file.
        case file(String)
        /// Only these, as PEM.
        case certificates(Bytes)
        /// Anyone. Hides an attacker in between; for load tests against oneself.
        case anyone
    }

    package enum Versions: Sendable { case tls12and13, tls12only, tls13only }

    let pointer: OpaquePointer
    package let role: Role
    private let applicationProtocols: [Bytes]
    let verifiesPeer: Bool

    /// A server's context. Names for ALPN in order of preference; none offers no ALPN.
    package static func server(
        _ identity: TLSIdentity, applicationProtocols: [String] = [], versions: Versions = .tls12and13
    ) throws(CryptoError) -> TLSContext {
        let context = try TLSContext(.server, applicationProtocols, versions, verifiesPeer: false)
        try context.use(identity)
        return context
    }

    /// A client's context: the chain is verified against `trust`, the name by each session.
    package static func client(
        trusting trust: Trust = .system, applicationProtocols: [String] = [], versions: Versions = .tls12and13
    ) throws(CryptoError) -> TLSContext {
        if case .anyone = trust {
            return try TLSContext(.client, applicationProtocols, versions, verifiesPeer: false)
        }
        let context = try TLSContext(.client, applicationProtocols, versions, verifiesPeer: true)
        try context.believe(trust)
        return context
    }

    private init(
        _ role: Role, _ protocols: [String], _ versions: Versions, verifiesPeer: Bool
    ) throws(CryptoError) {
        guard let pointer = SSL_CTX_new(role == .server ? TLS_server_method() : TLS_client_method()) else {
            throw OpenSSLFailure.error()
        }
        self.pointer = pointer
        self.role = role
        self.verifiesPeer = verifiesPeer
        applicationProtocols = protocols.map { Bytes($0.utf8) }
        SSL_CTX_set_verify(pointer, verifiesPeer ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        try restrict(versions)
        try offerApplicationProtocols()
    }

    deinit { SSL_CTX_free(pointer) }

    /// When a server's certificate runs out; `nil` for a client. For the operator's eyes.
    package var certificateExpires: Timestamp? {
        guard let certificate = SSL_CTX_get0_certificate(pointer) else { return nil }
        var time = tm()
        guard ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) == 1 else { return nil }
        return Timestamp(secondsSinceEpoch: Int64(timegm(&time)))
    }

    /// Forward secrecy and authenticated encryption; what TLS 1.3 defines is all good.
    private static let suites12 = "ECDHE+AESGCM:ECDHE+CHACHA20"
    /// The hybrid with ML-KEM comes with OpenSSL 3.5; an older one does not know the name.
    private static let groups = ["X25519MLKEM768:X25519:P-256:P-384", "X25519:P-256:P-384"]

    private func restrict(_ versions: Versions) throws(CryptoError) {
        _ = SSL_CTX_set_options(pointer, plexi_tls_options())
        _ = plexi_tls_set_mode(pointer, plexi_tls_mode())
        _ = plexi_tls_no_session_cache(pointer)
        var accepted = SSL_CTX_set_cipher_list(pointer, Self.suites12) == 1
        accepted = accepted && SSL_CTX_set_num_tickets(pointer, 0) == 1
        accepted = accepted && plexi_tls_minimum_1_2(pointer) == 1
        if versions == .tls12only { accepted = accepted && plexi_tls_maximum_1_2(pointer) == 1 }
        if versions == .tls13only { accepted = accepted && plexi_tls_minimum_1_3(pointer) == 1 }
        accepted = accepted && Self.groups.contains { plexi_tls_set_groups(pointer, $0) == 1 }
        guard accepted else { throw OpenSSLFailure.error() }
        ERR_clear_error()
    }

    private func offerApplicationProtocols() throws(CryptoError) {
        guard !applicationProtocols.isEmpty else { return }
        guard applicationProtocols.allSatisfy({ (1...255).contains($0.count) }) else {
            throw .badParameters("an ALPN name has 1 to 255 bytes")
        }
        if role == .client {
            // RFC 7301 §3.1: names, each after its length.
            let offer = applicationProtocols.flatMap { [UInt8(truncatingIfNeeded: $0.count)] + $0 }
            guard SSL_CTX_set_alpn_protos(pointer, offer, UInt32(offer.count)) == 0 else {
                throw OpenSSLFailure.error()
            }
            return
        }
        // Unretained: a session keeps its context, and only sessions call back.
        let this = Unmanaged.passUnretained(self).toOpaque()
        SSL_CTX_set_alpn_select_cb(
            pointer,
            { _, chosen, chosenCount, offered, offeredCount, this in
                guard let this else { return SSL_TLSEXT_ERR_ALERT_FATAL }
                let context = Unmanaged<TLSContext>.fromOpaque(this).takeUnretainedValue()
                let offer = UnsafeBufferPointer(start: offered, count: Int(offeredCount))
                return context.choose(from: offer, chosen, chosenCount)
            }, this)
    }

    /// Our first preference that the client offered. Nothing in common is an alert (RFC 7301 §3.2): to go on would let
    /// one protocol's bytes be taken for another's. The choice points into the offer, which OpenSSL keeps.
    private func choose(
        from offer: UnsafeBufferPointer<UInt8>, _ chosen: UnsafeMutablePointer<UnsafePointer<UInt8>?>?,
        _ chosenCount: UnsafeMutablePointer<UInt8>?
    ) -> Int32 {
        for name in applicationProtocols {
            var offset = 0
            while offset < offer.count {
                let end = offset + 1 + Int(offer[offset])
                guard end <= offer.count else { break }
                if offer[offset + 1..<end].elementsEqual(name) {
                    chosen?.pointee = offer.baseAddress.map { $0 + offset + 1 }
                    chosenCount?.pointee = offer[offset]
                    return SSL_TLSEXT_ERR_OK
                }
                offset = end
            }
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL
    }

    private func use(_ identity: TLSIdentity) throws(CryptoError) {
        let certificates = try PEM.certificates(in: identity.certificateChain)
        guard let leaf = certificates.first else {
            throw .badParameters("the certificate file holds no PEM certificate")
        }
        guard SSL_CTX_use_certificate(pointer, leaf.pointer) == 1 else {
            throw .badParameters("the certificate cannot be used: \(OpenSSLFailure.take())")
        }
        for issuer in certificates.dropFirst() {
            X509_up_ref(issuer.pointer)
            guard plexi_tls_add_chain(pointer, issuer.pointer) == 1 else { throw OpenSSLFailure.error() }
        }
        let key = try PEM.privateKey(in: identity.privateKey)
        guard X509_check_private_key(leaf.pointer, key.pointer) == 1 else {
            ERR_clear_error()
            throw .badKey("the private key does not belong to the first certificate of the chain")
        }
        guard SSL_CTX_use_PrivateKey(pointer, key.pointer) == 1 else {
            throw .badKey("the private key cannot be used: \(OpenSSLFailure.take())")
        }
    }

    private func believe(_ trust: Trust) throws(CryptoError) {
        switch trust {
        case .anyone: return
        case .system:
            guard SSL_CTX_set_default_verify_paths(pointer) == 1 else { throw OpenSSLFailure.error() }
        case .file(let path):
            guard SSL_CTX_load_verify_file(pointer, path) == 1 else {
                throw .badParameters("certificates to trust, \(path): \(OpenSSLFailure.take())")
            }
        case .certificates(let pem):
            let store = SSL_CTX_get_cert_store(pointer)
            for certificate in try PEM.certificates(in: pem) {
                guard X509_STORE_add_cert(store, certificate.pointer) == 1 else { throw OpenSSLFailure.error() }
            }
        }
    }
}
