// SHA-1 and SHA-2. SHA-1 is here for what its standards fix: the WebSocket handshake (RFC 6455) and TOTP (RFC 6238);
// MD5 for the keys of TURN (RFC 8489 §9.2.2), which every browser makes with it.

package import Base
import COpenSSL

package enum SHA1 {
    package static let count = 20
    package static func hash(_ bytes: Bytes) -> Bytes { digest(bytes, Algorithms.sha1, count) }
}

package enum MD5 {
    package static let count = 16
    package static func hash(_ bytes: Bytes) -> Bytes { digest(bytes, Algorithms.md5, count) }
}

package enum SHA256 {
    package static let count = 32
    package static func hash(_ bytes: Bytes) -> Bytes { digest(bytes, Algorithms.sha256, count) }
}

package enum SHA512 {
    package static let count = 64
    package static func hash(_ bytes: Bytes) -> Bytes { digest(bytes, Algorithms.sha512, count) }
}

private func digest(_ bytes: Bytes, _ algorithm: Algorithms.Handle, _ count: Int) -> Bytes {
    Bytes(unsafeUninitializedCapacity: count) { buffer, initialized in
        let done = EVP_Digest(bytes, bytes.count, buffer.baseAddress, nil, algorithm.pointer, nil)
        OpenSSLFailure.require(done == 1, "digest")
        initialized = count
    }
}

/// SHA-256 of what comes in pieces (an upload).
package struct SHA256Stream: ~Copyable, Sendable {
    private var digest = DigestStream(Algorithms.sha256, SHA256.count)

    package init() {}

    package mutating func update(_ bytes: Bytes) { bytes.withUnsafeBytes { digest.update($0) } }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) { digest.update(bytes) }

    /// The hash of all updates; the stream is then as new.
    package mutating func finish() -> Bytes { digest.finish() }
}

/// SHA-1 of what comes in pieces; for protocols that have nothing else, and never for trust.
package struct SHA1Stream: ~Copyable, Sendable {
    private var digest = DigestStream(Algorithms.sha1, SHA1.count)

    package init() {}

    package mutating func update(_ bytes: Bytes) { bytes.withUnsafeBytes { digest.update($0) } }

    /// The hash of all updates; the stream is then as new.
    package mutating func finish() -> Bytes { digest.finish() }
}

/// What both are made of. Not private, though only they use it: an optimised build of another module refers to what a
/// noncopyable value holds by name, and a private name is not to be had there.
package struct DigestStream: ~Copyable, @unchecked Sendable {
    /// Owned: nobody else has the pointer, so moving the stream to another thread moves all of it.
    private let context: OpaquePointer
    private let algorithm: Algorithms.Handle
    private let count: Int

    fileprivate init(_ algorithm: Algorithms.Handle, _ count: Int) {
        guard let context = EVP_MD_CTX_new() else { fatalError("EVP_MD_CTX_new: out of memory") }
        self.context = context
        self.algorithm = algorithm
        self.count = count
        begin()
    }

    deinit { EVP_MD_CTX_free(context) }

    fileprivate mutating func update(_ bytes: UnsafeRawBufferPointer) {
        OpenSSLFailure.require(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1, "digest update")
    }

    fileprivate mutating func finish() -> Bytes {
        let hash = Bytes(unsafeUninitializedCapacity: count) { buffer, initialized in
            OpenSSLFailure.require(EVP_DigestFinal_ex(context, buffer.baseAddress, nil) == 1, "digest end")
            initialized = count
        }
        begin()
        return hash
    }

    private func begin() {
        OpenSSLFailure.require(EVP_DigestInit_ex2(context, algorithm.pointer, nil) == 1, "digest start")
    }
}
