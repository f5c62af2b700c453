// 32 bytes of SHA-256 or HMAC-SHA256, as a value without an allocation: a repository of a TiB has four million.

import Base
import Crypto
import Wire

package struct Digest: Hashable, Comparable, Sendable, CustomStringConvertible {
    let first: UInt64
    let second: UInt64
    let third: UInt64
    let fourth: UInt64

    static let count = 32
    static let zero = Digest(0, 0, 0, 0)

    private init(_ first: UInt64, _ second: UInt64, _ third: UInt64, _ fourth: UInt64) {
        self.first = first
        self.second = second
        self.third = third
        self.fourth = fourth
    }

    init(parsing reader: inout ByteReader) throws(WireError) {
        self.init(
            try reader.readUInt64(), try reader.readUInt64(), try reader.readUInt64(), try reader.readUInt64())
    }

    /// `nil` for any other count than 32.
    init?(_ bytes: Bytes) {
        var reader = ByteReader(bytes.span.bytes)
        guard bytes.count == Self.count, let digest = try? Digest(parsing: &reader) else { return nil }
        self = digest
    }

    /// `nil` for anything but 64 lower-case hexadecimal digits.
    init?(hex: some StringProtocol) {
        guard hex.utf8.count == 2 * Self.count, let bytes = Hex.decode(hex), Hex.encode(bytes) == hex else {
            return nil
        }
        self.init(bytes)
    }

    /// Of a whole object.
    static func sha256(_ bytes: Bytes) -> Digest { of(SHA256.hash(bytes)) }

    /// A block's id.
    static func keyed(_ block: Bytes, _ key: Secret) -> Digest { of(HMAC.sha256(block, key: key)) }

    private static func of(_ bytes: Bytes) -> Digest {
        guard let digest = Digest(bytes) else { fatalError("a hash of \(bytes.count) bytes") }
        return digest
    }

    func write(into bytes: inout Bytes) {
        for word in [first, second, third, fourth] { bytes.append(bigEndian: word) }
    }

    var bytes: Bytes {
        var bytes = Bytes()
        bytes.reserveCapacity(Self.count)
        write(into: &bytes)
        return bytes
    }

    package var description: String { Hex.encode(bytes) }

    package static func < (left: Digest, right: Digest) -> Bool {
        (left.first, left.second, left.third, left.fourth) < (right.first, right.second, right.third, right.fourth)
    }
}
