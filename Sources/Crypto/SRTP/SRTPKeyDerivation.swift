// Session keys from a master key and salt (RFC 3711 §4.3, RFC 7714 §11), with a key derivation rate of zero: once.
//
//     IV = (master salt << 16) ⊕ (label << 64);  session key = AES-CTR(master key, IV) over zeros
//
// The 96-bit salts of AEAD count as 112-bit ones whose last 16 bits are zero.

import Base
import COpenSSL

/// The session keys of one kind of packet.
struct SRTPSessionKeys {
    let cipher: Secret
    let salt: Secret
    /// Empty for AEAD.
    let authentication: Secret
}

enum SRTPKeyDerivation {
    /// RFC 3711 §4.3.1; RTCP's labels follow RTP's.
    private enum Label: UInt8 { case cipher = 0, authentication = 1, salt = 2 }
    private static let rtcpLabels: UInt8 = 3
    private static let authenticationCount = 20

    static func derive(
        _ profile: SRTPProfile, key: Secret, salt: Secret, forRTCP: Bool
    ) throws(CryptoError) -> SRTPSessionKeys {
        guard key.count == profile.keyCount else {
            throw .badKey("a master key of this SRTP profile has \(profile.keyCount) bytes, not \(key.count)")
        }
        guard salt.count == profile.saltCount else {
            throw .badKey("a master salt of this SRTP profile has \(profile.saltCount) bytes, not \(salt.count)")
        }
        func expand(_ label: Label, _ count: Int) throws(CryptoError) -> Secret {
            try stream(profile, key, salt, label.rawValue + (forRTCP ? rtcpLabels : 0), count)
        }
        return SRTPSessionKeys(
            cipher: try expand(.cipher, profile.keyCount), salt: try expand(.salt, profile.saltCount),
            authentication: profile.isAEAD ? Secret([]) : try expand(.authentication, authenticationCount))
    }

    static func stream(
        _ profile: SRTPProfile, _ key: Secret, _ salt: Secret, _ label: UInt8, _ count: Int
    ) throws(CryptoError) -> Secret {
        var iv = Bytes(repeating: 0, count: 16)
        salt.withExposedBytes { iv.replaceSubrange(0..<$0.count, with: $0) }
        iv[7] ^= label
        defer { OPENSSL_cleanse(&iv, iv.count) }
        guard let context = EVP_CIPHER_CTX_new() else { throw OpenSSLFailure.error() }
        defer { EVP_CIPHER_CTX_free(context) }
        let cipher = key.count == 32 ? SRTPAlgorithms.aes256CTR : SRTPAlgorithms.aes128CTR
        let started = key.withExposedBytes {
            EVP_EncryptInit_ex2(context, cipher.pointer, $0.bindMemory(to: UInt8.self).baseAddress, iv, nil)
        }
        guard started == 1 else { throw OpenSSLFailure.error() }
        return try Secret(count: count) { buffer throws(CryptoError) in
            buffer.initializeMemory(as: UInt8.self, repeating: 0)
            let bytes = buffer.bindMemory(to: UInt8.self).baseAddress
            var written: Int32 = 0
            guard EVP_EncryptUpdate(context, bytes, &written, bytes, Int32(count)) == 1, written == count else {
                throw OpenSSLFailure.error()
            }
        }
    }
}

/// Fetched once: see `Algorithms`.
enum SRTPAlgorithms {
    static let aes128CTR = Algorithms.Handle(EVP_CIPHER_fetch(nil, "AES-128-CTR", nil), "AES-128-CTR")
    static let aes256CTR = Algorithms.Handle(EVP_CIPHER_fetch(nil, "AES-256-CTR", nil), "AES-256-CTR")
    static let aes128GCM = Algorithms.Handle(EVP_CIPHER_fetch(nil, "AES-128-GCM", nil), "AES-128-GCM")

    static func cipher(of profile: SRTPProfile) -> Algorithms.Handle {
        switch profile {
        case .aes128CMSHA1_80: aes128CTR
        case .aeadAES128GCM: aes128GCM
        case .aeadAES256GCM: Algorithms.aes256GCM
        }
    }
}
