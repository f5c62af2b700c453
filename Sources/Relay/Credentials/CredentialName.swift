// The user name of a credential: `expiry:session`, or `expiry` alone. The expiry is in seconds since 1970, in decimal.
//
// The relay reads nothing else from it. The session is what may be revoked; whoever issues credentials chooses it at
// random, so that a relay's log tells neither person nor call.

package import Base
import Wire

package struct CredentialName: Equatable, Sendable {
    /// RFC 8489 §14.3: fewer than 509 bytes.
    package static let bytesMax = 508
    /// Seconds with more digits are no date; the bound keeps the arithmetic in range.
    static let digitsMax = 12

    /// In seconds since 1970.
    package let expiry: Int64
    /// What follows the first colon; empty when there is none.
    package let session: Bytes

    /// `nil` for what is no name of this scheme. Control characters are refused, NUL among them: a name that ends early
    /// in somebody else's log or database is another name there.
    package init?(parsing name: RawSpan) {
        guard (1...Self.bytesMax).contains(name.byteCount) else { return nil }
        var expiry: Int64 = 0
        var offset = 0
        while offset < name.byteCount, name.byte(offset) != UInt8(ascii: ":") {
            let digit = name.byte(offset) &- UInt8(ascii: "0")
            guard digit < 10, offset < Self.digitsMax else { return nil }
            expiry = expiry &* 10 &+ Int64(digit)
            offset &+= 1
        }
        guard offset > 0 else { return nil }
        var session: Bytes = []
        for place in min(offset &+ 1, name.byteCount)..<name.byteCount {
            guard name.byte(place) >= 0x20, name.byte(place) != 0x7F else { return nil }
            session.append(name.byte(place))
        }
        self.expiry = expiry
        self.session = session
    }
}
