// A certificate that vouches for itself (ECDSA, P-256): TLS while developing, tests, and the DTLS of calls, whose
// fingerprint goes through the signaling channel instead.

package import Base
import COpenSSL

package enum SelfSignedCertificate {
    /// Certificates are dated back a little, for clients whose clock is behind.
    private static let backdating = Duration.hours(24)
    private static let nameLimit = 64

    /// `names` are host names and addresses; the first is also the common name.
    package static func make(
        names: [String], validFor duration: Duration, now: Timestamp = .now()
    ) throws(CryptoError) -> TLSIdentity {
        guard let first = names.first, names.count <= nameLimit else {
            throw .badParameters("a certificate needs one to \(nameLimit) names")
        }
        guard let key = KeyHandle(plexi_p256_generate()), let pointer = X509_new() else {
            throw OpenSSLFailure.error()
        }
        let certificate = CertificateHandle(pointer)
        try fill(pointer, key, commonName: first, from: now - backdating, to: now + duration)
        try extend(pointer, names)
        guard X509_sign(pointer, key.pointer, Algorithms.sha256.pointer) > 0 else { throw OpenSSLFailure.error() }
        let chain = try PEM.write { PEM_write_bio_X509($0, certificate.pointer) == 1 }
        let privateKey = try PEM.write { PEM_write_bio_PrivateKey($0, key.pointer, nil, nil, 0, nil, nil) == 1 }
        return TLSIdentity(certificateChain: chain.exposedBytes, privateKey: privateKey)
    }

    private static func fill(
        _ certificate: OpaquePointer, _ key: KeyHandle, commonName: String, from: Timestamp, to: Timestamp
    ) throws(CryptoError) {
        let name = X509_get_subject_name(certificate)
        // RFC 5280 bounds the common name to 64 characters; verifiers look at the alternative names anyway.
        let text = Array(commonName.utf8.prefix(64))
        guard X509_set_version(certificate, 2) == 1, setSerial(certificate),
            ASN1_TIME_set(X509_getm_notBefore(certificate), Int(from.secondsSinceEpoch)) != nil,
            ASN1_TIME_set(X509_getm_notAfter(certificate), Int(to.secondsSinceEpoch)) != nil,
            X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, text, Int32(text.count), -1, 0) == 1,
            X509_set_issuer_name(certificate, name) == 1, X509_set_pubkey(certificate, key.pointer) == 1
        else { throw OpenSSLFailure.error() }
    }

    /// RFC 5280 §4.1.2.2: positive, at most 20 octets, and not to be guessed.
    private static func setSerial(_ certificate: OpaquePointer) -> Bool {
        var bytes = SecureRandom.bytes(16)
        bytes[0] = bytes[0] & 0x7F | 0x40
        let number = BN_bin2bn(bytes, Int32(bytes.count), nil)
        defer { BN_free(number) }
        return BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nil
    }

    private static func extend(_ certificate: OpaquePointer, _ names: [String]) throws(CryptoError) {
        var alternatives: [String] = []
        for name in names { alternatives.append(try alternative(name)) }
        try add(NID_basic_constraints, "critical,CA:FALSE", certificate)
        try add(NID_key_usage, "critical,digitalSignature", certificate)
        try add(NID_ext_key_usage, "serverAuth,clientAuth", certificate)
        try add(NID_subject_alt_name, alternatives.joined(separator: ","), certificate)
    }

    /// OpenSSL reads the names from a text with commas and colons: only what cannot be mistaken is let in.
    private static func alternative(_ name: String) throws(CryptoError) -> String {
        if let address = a2i_IPADDRESS(name) {
            ASN1_OCTET_STRING_free(address)
            return "IP:\(name)"
        }
        ERR_clear_error()
        let valid = name.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "*"):
                true
            default: false
            }
        }
        guard valid, (1...253).contains(name.utf8.count) else {
            throw .badParameters("\(name) is neither a host name nor an address")
        }
        return "DNS:\(name)"
    }

    private static func add(_ kind: Int32, _ value: String, _ certificate: OpaquePointer) throws(CryptoError) {
        guard let piece = X509V3_EXT_conf_nid(nil, nil, kind, value) else { throw OpenSSLFailure.error() }
        defer { X509_EXTENSION_free(piece) }
        guard X509_add_ext(certificate, piece, -1) == 1 else { throw OpenSSLFailure.error() }
    }
}
