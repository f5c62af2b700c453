// The OpenSSL that this process runs with: what operators are told of it.

import COpenSSL

package enum OpenSSLLibrary {
    /// `OpenSSL 3.0.17 1 Jul 2025`
    package static let version = String(cString: OpenSSL_version(0))
    /// It has ML-KEM itself (3.5 and newer); else ours is used.
    package static var hasMLKEM: Bool { MLKEM768.Implementation.openSSL.isAvailable }
    /// TLS agrees on X25519MLKEM768 with clients that offer it: OpenSSL's own list of groups has it where it has ML-KEM.
    package static var negotiatesHybridTLS: Bool { hasMLKEM }
}
