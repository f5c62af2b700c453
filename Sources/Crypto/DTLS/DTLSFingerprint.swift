// The hash of a certificate, as SDP carries it (RFC 8122 §5): the only thing by which a peer of WebRTC is known.

package import Base
import COpenSSL

package struct DTLSFingerprint: Hashable, Sendable, CustomStringConvertible {
    /// From weak to strong. SHA-1 and MD5 are not accepted: whoever can forge a certificate can be anyone.
    package enum Algorithm: String, Sendable, CaseIterable, Comparable {
        case sha256 = "sha-256"
        case sha384 = "sha-384"
        case sha512 = "sha-512"

        package var count: Int {
            switch self {
            case .sha256: 32
            case .sha384: 48
            case .sha512: 64
            }
        }

        package static func < (left: Algorithm, right: Algorithm) -> Bool { left.count < right.count }

        var digest: OpaquePointer? {
            switch self {
            case .sha256: EVP_sha256()
            case .sha384: EVP_sha384()
            case .sha512: EVP_sha512()
            }
        }
    }

    package let algorithm: Algorithm
    package let bytes: Bytes

    /// `sha-256` and `AA:BB:…`, in either case; `nil` for an algorithm that is not accepted, and for anything but
    /// pairs of hexadecimal digits between colons, as many as the hash has bytes.
    package init?(algorithm: String, value: String) {
        guard let algorithm = Algorithm(rawValue: algorithm.lowercased()) else { return nil }
        let text = Array(value.utf8)
        guard text.count == algorithm.count * 3 - 1 else { return nil }
        var bytes: [UInt8] = []
        for place in stride(from: 0, to: text.count, by: 3) {
            guard let high = Self.digit(text[place]), let low = Self.digit(text[place + 1]),
                place + 2 == text.count || text[place + 2] == UInt8(ascii: ":")
            else { return nil }
            bytes.append(high << 4 | low)
        }
        self.algorithm = algorithm
        self.bytes = bytes
    }

    /// `nil` unless there are as many bytes as the hash has.
    package init?(_ algorithm: Algorithm, bytes: Bytes) {
        guard bytes.count == algorithm.count else { return nil }
        self.algorithm = algorithm
        self.bytes = bytes
    }

    init?(of certificate: OpaquePointer, _ algorithm: Algorithm) {
        var bytes = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        guard X509_digest(certificate, algorithm.digest, &bytes, &count) == 1, count == algorithm.count else {
            ERR_clear_error()
            return nil
        }
        self.algorithm = algorithm
        self.bytes = Array(bytes.prefix(Int(count)))
    }

    /// `AA:BB:…`
    package var value: String {
        let digits = Array("0123456789ABCDEF".utf8)
        let text = bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)], UInt8(ascii: ":")] }
        return String(decoding: text.dropLast(), as: UTF8.self)
    }

    /// `sha-256 AA:BB:…`
    package var description: String { "\(algorithm.rawValue) \(value)" }

    private static func digit(_ letter: UInt8) -> UInt8? {
        switch letter {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): letter - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): letter - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): letter - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
