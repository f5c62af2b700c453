// The user name fragment and password of an ICE agent (RFC 8839 §5.4), and our own fragments as numbers.

package import Base

/// What both sides tell each other in SDP. The password is a `Secret`: it does not reach a log by accident.
package struct ICECredentials: Equatable, Sendable {
    /// RFC 8839 §5.4: 4…256 and 22…256 characters of letters, digits, `+` and `/`. `-`, `_` and `=`, which base64 in its
    /// variants has, pass too: nothing is gained by refusing them.
    package static let ufragLengths = 4...256
    package static let passwordLengths = 22...256

    package let ufrag: String
    package let password: Secret

    /// What a peer wrote.
    package init(ufrag: String, password: String) throws(WireError) {
        guard Self.ufragLengths.contains(ufrag.utf8.count), ufrag.utf8.allSatisfy(Self.isAllowed) else {
            throw .invalid("`ice-ufrag` must be 4 to 256 letters, digits, `+` or `/`")
        }
        guard Self.passwordLengths.contains(password.utf8.count), password.utf8.allSatisfy(Self.isAllowed) else {
            throw .invalid("`ice-pwd` must be 22 to 256 letters, digits, `+` or `/`")
        }
        self.ufrag = ufrag
        self.password = Secret(text: password)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        isICECharacter(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "=")
    }

    package static func == (left: ICECredentials, right: ICECredentials) -> Bool {
        left.ufrag == right.ufrag && left.password.exposedBytes == right.password.exposedBytes
    }

    /// For a description, which is where the password is told to the peer.
    package var exposedPassword: String { String(decoding: password.exposedBytes, as: UTF8.self) }

    /// 48 bits for the fragment, which must not be guessed in order to be left alone, and 144 for the password. The
    /// RFC wants 24 and 128.
    package static let randomByteCount = 24

    /// Our own, from `randomByteCount` bytes of a generator for secrets.
    package init(randomBytes: Bytes) {
        precondition(randomBytes.count == Self.randomByteCount, "ICE credentials take 24 random bytes")
        let bits = randomBytes.prefix(6).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        ufrag = LocalUfrag(random: bits).description
        var password: Bytes = []
        for start in stride(from: 6, to: Self.randomByteCount, by: 3) {
            let group = randomBytes[start..<(start + 3)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            for shift in stride(from: UInt32(18), through: 0, by: -6) {
                password.append(iceCharacter(UInt8(truncatingIfNeeded: group >> shift)))
            }
        }
        self.password = Secret(password)
    }

    /// `nil` when the fragment is not one of ours.
    package var localUfrag: LocalUfrag? {
        let bytes = Bytes(ufrag.utf8)
        return unsafe LocalUfrag(bytes.span.bytes)
    }
}

/// A fragment of ours: always 8 characters, so that it is a number, and finding it takes neither a string nor a hash
/// of one.
package struct LocalUfrag: Hashable, Sendable, CustomStringConvertible {
    package static let length = 8

    /// The characters, the first in the highest byte.
    package let bits: UInt64

    /// From 48 random bits.
    package init(random: UInt64) {
        bits = (0..<8).reduce(UInt64(0)) { bits, index in
            bits << 8 | UInt64(iceCharacter(UInt8(truncatingIfNeeded: random >> UInt64(42 - 6 * index))))
        }
    }

    /// Any eight bytes: what is no fragment of ours is found in no table.
    package init?(_ text: RawSpan) {
        guard text.byteCount == Self.length else { return nil }
        bits = UInt64(text.uint32(0)) << 32 | UInt64(text.uint32(4))
    }

    package var description: String {
        String(decoding: (0..<8).map { UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * $0)) }, as: UTF8.self)
    }
}

extension STUNMessage {
    /// Which of our fragments a check is for: USERNAME is `ours:theirs` (RFC 8445 §7.2.2).
    package var localUfrag: LocalUfrag? {
        guard let username, username.length > LocalUfrag.length,
            span.byte(username.start &+ LocalUfrag.length) == UInt8(ascii: ":")
        else { return nil }
        return LocalUfrag(span.extracting(username.start..<(username.start &+ LocalUfrag.length)))
    }

    /// The fragment of the peer in a check that has a `localUfrag`.
    @_lifetime(copy self)
    package func remoteUfrag(of username: STUNAttribute) -> RawSpan {
        let skipped = min(username.length, LocalUfrag.length &+ 1)
        return span.extracting((username.start &+ skipped)..<(username.start &+ username.length))
    }
}

/// RFC 8839 §5.1: `ice-char`.
func isICECharacter(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
        true
    default: false
    }
}

/// Six bits as an `ice-char`, of which there are 64.
private func iceCharacter(_ bits: UInt8) -> UInt8 {
    switch bits & 0x3F {
    case let value where value < 26: UInt8(ascii: "A") &+ value
    case let value where value < 52: UInt8(ascii: "a") &+ (value &- 26)
    case let value where value < 62: UInt8(ascii: "0") &+ (value &- 52)
    case 62: UInt8(ascii: "+")
    default: UInt8(ascii: "/")
    }
}
