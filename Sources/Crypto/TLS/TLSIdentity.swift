// Who a server is: its certificate chain and private key, both PEM.

package import Base
import COpenSSL

package struct TLSIdentity: Sendable {
    /// The server's certificate first, then its issuers.
    package let certificateChain: Bytes
    package let privateKey: Secret

    package init(certificateChain: Bytes, privateKey: Secret) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }

    /// Far above any real chain; a wrong path (a database, a device) is not read into memory.
    private static let fileLimit = 1 << 20

    /// Reads both; the error names the file.
    package init(certificateChainFile: String, privateKeyFile: String) throws(CryptoError) {
        certificateChain = try Self.read(certificateChainFile, "certificate chain").exposedBytes
        privateKey = try Self.read(privateKeyFile, "private key")
    }

    private static func read(_ path: String, _ what: String) throws(CryptoError) -> Secret {
        guard let file = BIO_new_file(path, "r") else {
            throw .badParameters("\(what) \(path): \(OpenSSLFailure.take())")
        }
        defer { BIO_free(file) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: fileLimit + 1, alignment: 16)
        defer {
            OPENSSL_cleanse(buffer.baseAddress, buffer.count)
            buffer.deallocate()
        }
        var count = 0
        while count <= fileLimit {
            let read = BIO_read(file, buffer.baseAddress.map { $0 + count }, Int32(buffer.count - count))
            guard read > 0 else { break }
            count += Int(read)
        }
        guard count > 0, count <= fileLimit else {
            let problem = count == 0 ? "nothing to read" : "larger than \(fileLimit) bytes"
            throw .badParameters("\(what) \(path): \(problem)")
        }
        return Secret(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
}

/// A certificate that is freed with its last owner. `@unchecked`: read only once it is here.
final class CertificateHandle: @unchecked Sendable {
    let pointer: OpaquePointer
    init(_ pointer: OpaquePointer) { self.pointer = pointer }
    deinit { X509_free(pointer) }
}

enum PEM {
    /// Everything else between the certificates (comments, keys) is passed over, as OpenSSL does.
    static func certificates(in text: Bytes) throws(CryptoError) -> [CertificateHandle] {
        var certificates: [CertificateHandle] = []
        text.withUnsafeBytes { bytes in
            let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count))
            defer { BIO_free(bio) }
            while let certificate = PEM_read_bio_X509(bio, nil, refusePassphrase, nil) {
                certificates.append(CertificateHandle(certificate))
            }
        }
        let reachedEnd = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE
        guard reachedEnd else { throw .badParameters("a certificate cannot be read: \(OpenSSLFailure.take())") }
        ERR_clear_error()
        return certificates
    }

    static func privateKey(in text: Secret) throws(CryptoError) -> KeyHandle {
        let key = text.withExposedBytes { bytes in
            let bio = BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count))
            defer { BIO_free(bio) }
            return PEM_read_bio_PrivateKey(bio, nil, refusePassphrase, nil)
        }
        guard let handle = KeyHandle(key) else {
            let reason = OpenSSLFailure.take()
            throw .badKey("the private key cannot be read (it must be PEM, without a passphrase): \(reason)")
        }
        return handle
    }

    static func write(_ body: (OpaquePointer) -> Bool) throws(CryptoError) -> Secret {
        guard let bio = BIO_new(BIO_s_secmem()) else { throw OpenSSLFailure.error() }
        defer { BIO_free(bio) }
        guard body(bio) else { throw OpenSSLFailure.error() }
        var start: UnsafeMutablePointer<CChar>?
        let count = plexi_bio_memory(bio, &start)
        return Secret(UnsafeRawBufferPointer(start: start, count: count))
    }
}

/// Without it, OpenSSL would ask on the terminal and wait.
private func refusePassphrase(
    _ buffer: UnsafeMutablePointer<CChar>?, _ count: Int32, _ writing: Int32, _ context: UnsafeMutableRawPointer?
) -> Int32 { -1 }
