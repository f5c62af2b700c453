// ML-KEM-768 by OpenSSL 3.5 or newer, found at run time: headers of 3.0 suffice, for all goes by names.

import Base
import COpenSSL

enum MLKEM768OpenSSL {
    private static let name = "ML-KEM-768"

    static let isAvailable: Bool = {
        let context = EVP_PKEY_CTX_new_from_name(nil, name, nil)
        let method = EVP_KEM_fetch(nil, name, nil)
        defer {
            EVP_KEM_free(method)
            EVP_PKEY_CTX_free(context)
            ERR_clear_error()
        }
        return context != nil && method != nil
    }()

    // MARK: - Keys

    static func publicKey(_ bytes: Bytes) throws(CryptoError) -> KeyHandle {
        let key = bytes.withUnsafeBytes { importing("pub", $0, plexi_pkey_selection_public()) }
        guard let key else { throw .badKey(OpenSSLFailure.take()) }
        return key
    }

    static func privateKey(seed: Secret) throws(CryptoError) -> (KeyHandle, Bytes) {
        let key = seed.withExposedBytes { importing("seed", $0, plexi_pkey_selection_pair()) }
        return try withPublicKey(key)
    }

    static func privateKey(expanded: Secret) throws(CryptoError) -> (KeyHandle, Bytes) {
        let key = expanded.withExposedBytes { importing("priv", $0, plexi_pkey_selection_pair()) }
        return try withPublicKey(key)
    }

    private static func importing(
        _ parameter: StaticString, _ bytes: UnsafeRawBufferPointer, _ selection: Int32
    ) -> KeyHandle? {
        let context = EVP_PKEY_CTX_new_from_name(nil, name, nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        var parameters = [self.parameter(parameter, bytes), Parameter.end]
        guard EVP_PKEY_fromdata_init(context) == 1,
            EVP_PKEY_fromdata(context, &key, selection, &parameters) == 1
        else { return nil }
        return KeyHandle(key)
    }

    private static func withPublicKey(_ key: KeyHandle?) throws(CryptoError) -> (KeyHandle, Bytes) {
        guard let key else { throw .badKey(OpenSSLFailure.take()) }
        var bytes = Bytes(repeating: 0, count: MLKEM768.publicKeyCount)
        var count = 0
        guard EVP_PKEY_get_octet_string_param(key.pointer, "pub", &bytes, bytes.count, &count) == 1,
            count == bytes.count
        else { throw OpenSSLFailure.error() }
        return (key, bytes)
    }

    static func expanded(_ key: KeyHandle) throws(CryptoError) -> Secret {
        try Secret(count: MLKEM768.expandedPrivateKeyCount) { bytes throws(CryptoError) in
            var count = 0
            let start = bytes.bindMemory(to: UInt8.self).baseAddress
            guard EVP_PKEY_get_octet_string_param(key.pointer, "priv", start, bytes.count, &count) == 1,
                count == bytes.count
            else { throw OpenSSLFailure.error() }
        }
    }

    // MARK: - Use

    static func encapsulate(
        _ message: Secret, to key: KeyHandle
    ) throws(CryptoError) -> (ciphertext: Bytes, sharedKey: Secret) {
        let context = EVP_PKEY_CTX_new_from_pkey(nil, key.pointer, nil)
        defer { EVP_PKEY_CTX_free(context) }
        let started = message.withExposedBytes { message in
            let parameters = [parameter("ikme", message), Parameter.end]
            return EVP_PKEY_encapsulate_init(context, parameters) == 1
        }
        guard started else { throw OpenSSLFailure.error() }
        var ciphertext = Bytes(repeating: 0, count: MLKEM768.ciphertextCount)
        var count = ciphertext.count
        let shared = try Secret(count: MLKEM768.sharedKeyCount) { shared throws(CryptoError) in
            var sharedCount = shared.count
            let start = shared.bindMemory(to: UInt8.self).baseAddress
            guard EVP_PKEY_encapsulate(context, &ciphertext, &count, start, &sharedCount) == 1,
                count == ciphertext.count, sharedCount == shared.count
            else { throw OpenSSLFailure.error() }
        }
        return (ciphertext, shared)
    }

    static func decapsulate(_ ciphertext: Bytes, with key: KeyHandle) throws(CryptoError) -> Secret {
        let context = EVP_PKEY_CTX_new_from_pkey(nil, key.pointer, nil)
        defer { EVP_PKEY_CTX_free(context) }
        guard EVP_PKEY_decapsulate_init(context, nil) == 1 else { throw OpenSSLFailure.error() }
        return try Secret(count: MLKEM768.sharedKeyCount) { shared throws(CryptoError) in
            var count = shared.count
            let start = shared.bindMemory(to: UInt8.self).baseAddress
            guard EVP_PKEY_decapsulate(context, start, &count, ciphertext, ciphertext.count) == 1,
                count == shared.count
            else { throw OpenSSLFailure.error() }
        }
    }

    /// The name is a literal, so it outlives the parameter.
    private static func parameter(_ name: StaticString, _ value: UnsafeRawBufferPointer) -> OSSL_PARAM {
        Parameter.bytes(UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self), value)
    }
}
