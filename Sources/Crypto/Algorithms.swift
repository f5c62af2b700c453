// Algorithms fetched once for the life of the process. They are immutable, reference-counted and safe from any thread.

import COpenSSL

enum Algorithms {
    static let md5 = digest("MD5")
    static let sha1 = digest("SHA1")
    static let sha256 = digest("SHA256")
    static let sha512 = digest("SHA512")
    static let aes256GCM = Handle(EVP_CIPHER_fetch(nil, "AES-256-GCM", nil), "AES-256-GCM")
    static let hmac = Handle(EVP_MAC_fetch(nil, "HMAC", nil), "HMAC")
    static let hkdf = Handle(EVP_KDF_fetch(nil, "HKDF", nil), "HKDF")

    private static func digest(_ name: StaticString) -> Handle {
        Handle(EVP_MD_fetch(nil, "\(name)", nil), name)
    }

    /// `@unchecked`: OpenSSL guarantees that fetched algorithms may be used from all threads at once. Never freed.
    struct Handle: @unchecked Sendable {
        let pointer: OpaquePointer

        init(_ pointer: OpaquePointer?, _ name: StaticString) {
            guard let pointer else { fatalError("OpenSSL has no \(name): \(OpenSSLFailure.take())") }
            self.pointer = pointer
        }
    }
}

/// Parameters of OpenSSL 3 point into memory that must outlive them: literals always do, buffers while they are lent.
enum Parameter {
    static var end: OSSL_PARAM { OSSL_PARAM_construct_end() }

    static func text(_ name: UnsafePointer<CChar>?, _ value: StaticString) -> OSSL_PARAM {
        let start = UnsafeMutableRawPointer(mutating: value.utf8Start).assumingMemoryBound(to: CChar.self)
        return OSSL_PARAM_construct_utf8_string(name, start, value.utf8CodeUnitCount)
    }

    static func bytes(_ name: UnsafePointer<CChar>?, _ value: UnsafeRawBufferPointer) -> OSSL_PARAM {
        OSSL_PARAM_construct_octet_string(name, UnsafeMutableRawPointer(mutating: value.baseAddress), value.count)
    }
}
