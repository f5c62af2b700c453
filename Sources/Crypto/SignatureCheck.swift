// The two signatures that WebAuthn authenticators make besides EdDSA: ES256 and RS256 (RFC 8152, RFC 8812). Keys and
// signatures come from a client: everything that is wrong with them is `false`.

package import Base
import COpenSSL

package enum SignatureCheck {
    /// P-256 coordinates are 32 bytes each, as COSE writes them.
    private static let coordinateCount = 32
    /// Shorter RSA keys are not to be relied on, longer ones cost more per check than a client should be able to ask.
    private static let modulusBits = 2048...8192
    /// OpenSSL allows 64 bits for large moduli; every authenticator uses 65537.
    private static let longestExponent = 8

    /// ECDSA on P-256 with SHA-256; the signature in DER, canonical form only.
    package static func es256(publicX: Bytes, publicY: Bytes, derSignature: Bytes, message: Bytes) -> Bool {
        defer { ERR_clear_error() }
        guard publicX.count == coordinateCount, publicY.count == coordinateCount,
            let key = p256Key([4] + publicX + publicY)
        else { return false }
        return verifies(key, derSignature, message)
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256; modulus and exponent big-endian.
    package static func rs256(modulus: Bytes, exponent: Bytes, signature: Bytes, message: Bytes) -> Bool {
        defer { ERR_clear_error() }
        guard modulus.count <= modulusBits.upperBound / 8 + 1, exponent.count <= longestExponent,
            let key = rsaKey(modulus, exponent), modulusBits.contains(Int(EVP_PKEY_get_bits(key.pointer)))
        else { return false }
        return verifies(key, signature, message)
    }

    private static func verifies(_ key: KeyHandle, _ signature: Bytes, _ message: Bytes) -> Bool {
        let context = EVP_MD_CTX_new()
        defer { EVP_MD_CTX_free(context) }
        return EVP_DigestVerifyInit_ex(context, nil, "SHA256", nil, nil, key.pointer, nil) == 1
            && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    /// OpenSSL checks that the point is on the curve.
    private static func p256Key(_ point: Bytes) -> KeyHandle? {
        point.withUnsafeBytes { point in
            var parameters = [
                Parameter.text(plexi_pkey_param_group(), "prime256v1"),
                Parameter.bytes(plexi_pkey_param_public(), point), Parameter.end,
            ]
            return publicKey("EC", &parameters)
        }
    }

    private static func rsaKey(_ modulus: Bytes, _ exponent: Bytes) -> KeyHandle? {
        let builder = OSSL_PARAM_BLD_new()
        let n = BN_bin2bn(modulus, Int32(modulus.count), nil)
        let e = BN_bin2bn(exponent, Int32(exponent.count), nil)
        defer {
            OSSL_PARAM_BLD_free(builder)
            BN_free(n)
            BN_free(e)
        }
        guard OSSL_PARAM_BLD_push_BN(builder, plexi_pkey_param_rsa_n(), n) == 1,
            OSSL_PARAM_BLD_push_BN(builder, plexi_pkey_param_rsa_e(), e) == 1,
            let parameters = OSSL_PARAM_BLD_to_param(builder)
        else { return nil }
        defer { OSSL_PARAM_free(parameters) }
        return publicKey("RSA", parameters)
    }

    private static func publicKey(_ type: String, _ parameters: UnsafeMutablePointer<OSSL_PARAM>) -> KeyHandle? {
        let context = EVP_PKEY_CTX_new_from_name(nil, type, nil)
        defer { EVP_PKEY_CTX_free(context) }
        var key: OpaquePointer?
        guard EVP_PKEY_fromdata_init(context) == 1,
            EVP_PKEY_fromdata(context, &key, plexi_pkey_selection_public(), parameters) == 1
        else { return nil }
        return KeyHandle(key)
    }
}
