// The protection profiles that we agree to, and what each one measures (RFC 3711, RFC 5764 §4.1.2, RFC 7714 §14.2).

package enum SRTPProfile: UInt16, Sendable, CaseIterable {
    case aes128CMSHA1_80 = 0x0001
    case aeadAES128GCM = 0x0007
    case aeadAES256GCM = 0x0008

    /// Bytes of the master key; a session key of the cipher has as many.
    package var keyCount: Int { self == .aeadAES256GCM ? 32 : 16 }
    /// Bytes of the master salt; a session salt has as many.
    package var saltCount: Int { isAEAD ? 12 : 14 }
    package var tagCount: Int { isAEAD ? 16 : 10 }
    /// What protection adds to an RTP packet.
    package var rtpOverhead: Int { tagCount }
    /// What protection adds to a compound RTCP packet: the tag, and the word of index and E bit.
    package var rtcpOverhead: Int { tagCount + 4 }

    var isAEAD: Bool { self != .aes128CMSHA1_80 }
}

/// What a receiver says to a packet. Only the first has bytes worth reading.
package enum SRTPVerdict: Equatable, Sendable {
    /// Authentic and not seen before; the count is that of the plain packet, at the same place.
    case plain(Int)
    /// Seen before, or older than the replay window remembers.
    case replayed
    /// The tag does not fit. The bytes may have been changed by the attempt.
    case forged
    /// Not even room for a header and a tag.
    case tooShort
}

/// Larger than any UDP datagram; keeps every length within OpenSSL's `int`.
let srtpPacketLimit = 65_536
