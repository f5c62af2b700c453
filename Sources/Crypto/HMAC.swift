// HMAC (RFC 2104) and HKDF (RFC 5869).

package import Base
import COpenSSL

package enum HMAC {
    package static func sha1(_ message: Bytes, key: Secret) -> Bytes {
        authenticate(message, key, sha1Template, SHA1.count)
    }

    package static func sha256(_ message: Bytes, key: Secret) -> Bytes {
        authenticate(message, key, sha256Template, SHA256.count)
    }

    package static func sha512(_ message: Bytes, key: Secret) -> Bytes {
        authenticate(message, key, sha512Template, SHA512.count)
    }

    // Naming the digest makes OpenSSL search for it, which costs more than the MAC of a token. A context that has it
    // already is copied instead. It gets a key at once, because 3.0.2 refuses to copy one that has none.
    private static let sha1Template = template("SHA1")
    private static let sha256Template = template("SHA256")
    private static let sha512Template = template("SHA512")

    private static func template(_ digest: StaticString) -> Algorithms.Handle {
        let context = EVP_MAC_CTX_new(Algorithms.hmac.pointer)
        let parameters = [Parameter.text(plexi_mac_param_digest(), digest), Parameter.end]
        let key = Bytes(repeating: 0, count: 32)
        OpenSSLFailure.require(EVP_MAC_init(context, key, key.count, parameters) == 1, "HMAC set-up")
        return Algorithms.Handle(context, "HMAC")
    }

    private static func authenticate(
        _ message: Bytes, _ key: Secret, _ template: Algorithms.Handle, _ count: Int
    ) -> Bytes {
        let context = EVP_MAC_CTX_dup(template.pointer)
        defer { EVP_MAC_CTX_free(context) }
        return Bytes(unsafeUninitializedCapacity: count) { buffer, initialized in
            let started = key.withExposedBytes { EVP_MAC_init(context, nonNull($0), $0.count, nil) }
            OpenSSLFailure.require(
                started == 1 && EVP_MAC_update(context, message, message.count) == 1
                    && EVP_MAC_final(context, buffer.baseAddress, &initialized, count) == 1, "HMAC")
        }
    }

    /// A null key pointer means "the key that you have", so an empty key needs an address of its own.
    private static func nonNull(_ key: UnsafeRawBufferPointer) -> UnsafePointer<UInt8> {
        key.bindMemory(to: UInt8.self).baseAddress ?? UnsafePointer(bitPattern: 1)!
    }
}

package enum HKDF {
    /// RFC 5869 §2.3.
    package static let longest = 255 * SHA256.count

    /// Both steps, extract and expand. `count` is chosen by the program, never by a peer.
    package static func sha256(_ input: Secret, salt: Bytes, info: Bytes, count: Int) -> Secret {
        precondition(count > 0 && count <= longest, "HKDF-SHA256 gives 1 to \(longest) bytes")
        return Secret(count: count) { output in
            let done = input.withExposedBytes { key in
                salt.withUnsafeBytes { salt in
                    info.withUnsafeBytes { info in derive(key, salt, info, into: output) }
                }
            }
            OpenSSLFailure.require(done, "HKDF")
        }
    }

    private static func derive(
        _ key: UnsafeRawBufferPointer, _ salt: UnsafeRawBufferPointer, _ info: UnsafeRawBufferPointer,
        into output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let context = EVP_KDF_CTX_new(Algorithms.hkdf.pointer)
        defer { EVP_KDF_CTX_free(context) }
        let parameters = [
            Parameter.text(plexi_kdf_param_digest(), "SHA256"), Parameter.bytes(plexi_kdf_param_key(), key),
            Parameter.bytes(plexi_kdf_param_salt(), salt), Parameter.bytes(plexi_kdf_param_info(), info),
            Parameter.end,
        ]
        let start = output.bindMemory(to: UInt8.self).baseAddress
        return EVP_KDF_derive(context, start, output.count, parameters) == 1
    }
}
