// Crypto: what OpenSSL 3 and libargon2 do, behind values.
//
// Owns: hashes, MACs, key derivation, AES-256-GCM, Ed25519, signature checks for WebAuthn, Argon2id, ML-KEM-768 in Swift
// for where OpenSSL has none (`MLKEM/MLKEM768.swift`), HPKE with X25519 and X-Wing (`HPKE/HPKE.swift`), certificates for
// development, and TLS as a machine over bytes (`TLS/TLSSession.swift`). Opens no socket and keeps no key on disk:
// sockets are Net's, stored keys are Vault's. Algorithms are fetched once (`Algorithms.swift`), because OpenSSL 3 spends
// a microsecond and a lock on every implicit fetch. Keys come as `Secret`, and copies of them are wiped.

package import Base
import COpenSSL
import Glibc

package enum CryptoError: Error, Equatable, CustomStringConvertible {
    /// OpenSSL or libargon2 refused; the text is theirs.
    case failed(String)
    case badKey(String)
    case badParameters(String)
    /// The tag does not fit: wrong key, wrong context, or changed bytes. Never says which.
    case authenticationFailed

    package var description: String {
        switch self {
        case .failed(let reason), .badKey(let reason), .badParameters(let reason): reason
        case .authenticationFailed: "authentication failed"
        }
    }
}

/// Equal in content, without telling by the time taken where they differ. Lengths are not secret.
package func constantTimeEquals(_ left: Bytes, _ right: Bytes) -> Bool {
    left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}

/// OpenSSL's generator, seeded by the kernel.
package enum SecureRandom {
    package static func bytes(_ count: Int) -> Bytes {
        Bytes(unsafeUninitializedCapacity: count) { buffer, initialized in
            fill(UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }

    package static func secret(_ count: Int) -> Secret { Secret(count: count, filling: fill) }

    /// A process without randomness must not go on: there is no safe answer to give.
    private static func fill(_ buffer: UnsafeMutableRawBufferPointer) {
        var rest = buffer[...]
        while !rest.isEmpty {
            let part = rest.prefix(Int(Int32.max))
            let chunk = UnsafeMutableRawBufferPointer(rebasing: part)
            guard RAND_bytes(chunk.bindMemory(to: UInt8.self).baseAddress, Int32(chunk.count)) == 1 else {
                fatalError("no randomness: \(OpenSSLFailure.take())")
            }
            rest = rest.dropFirst(part.count)
        }
    }
}

extension Secret {
    /// A secret that is produced in place; the scratch memory is wiped.
    init<Failure: Error>(
        count: Int, filling fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 16)
        defer {
            OPENSSL_cleanse(scratch.baseAddress, scratch.count)
            scratch.deallocate()
        }
        let used = UnsafeMutableRawBufferPointer(rebasing: scratch[..<count])
        try fill(used)
        self.init(used)
    }
}

/// The error queue of this thread, as words.
enum OpenSSLFailure {
    /// The oldest entry (the cause; later ones are what became of it), and empties the queue.
    static func take() -> String {
        var data: UnsafePointer<CChar>?
        var flags: Int32 = 0
        let code = ERR_get_error_all(nil, nil, nil, &data, &flags)
        defer { ERR_clear_error() }
        guard code != 0 else { return "OpenSSL gave no reason" }
        var text = reason(of: code)
        if let data, flags & ERR_TXT_STRING != 0, data.pointee != 0 { text += " (\(String(cString: data)))" }
        return text
    }

    /// The kernel's errors pass through the same queue, but OpenSSL has no words for them.
    private static func reason(of code: UInt) -> String {
        if let words = ERR_reason_error_string(code) { return String(cString: words) }
        let number = ERR_GET_REASON(code)
        return ERR_GET_LIB(code) == ERR_LIB_SYS ? String(cString: strerror(number)) : "OpenSSL error \(code)"
    }

    static func error() -> CryptoError { .failed(take()) }

    /// For calls that fail only when memory is exhausted or OpenSSL is broken.
    static func require(_ condition: Bool, _ operation: StaticString) {
        guard condition else { fatalError("\(operation): \(take())") }
    }
}
