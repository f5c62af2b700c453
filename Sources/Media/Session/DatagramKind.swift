// What a datagram on a media port is, from its first two bytes (RFC 7983 §7, RFC 9443 §3, RFC 5761 §4).
//
//     first byte      0…3  STUN        16…19  ZRTP (unknown here)     20…63  DTLS      64…79  TURN channel
//                     80…127  QUIC (unknown here)                     128…191  RTP and RTCP
//                     4…15 and 192…255  nobody's, or QUIC's (unknown here)
//     second byte     192…223  RTCP, otherwise RTP

import Wire

package enum DatagramKind: UInt8, Sendable {
    case rtp
    case rtcp
    case stun
    case dtls
    case turnChannel
    /// Dropped and counted.
    case unknown

    /// The commonest first.
    package init(first: UInt8, second: UInt8) {
        switch first {
        case 128...191: self = 192...223 ~= second ? .rtcp : .rtp
        case 0...3: self = .stun
        case 20...63: self = .dtls
        case 64...79: self = .turnChannel
        default: self = .unknown
        }
    }

    /// A datagram of less than two bytes is nothing.
    package init(_ datagram: RawSpan) {
        guard datagram.byteCount >= 2 else {
            self = .unknown
            return
        }
        self.init(first: datagram.byte(0), second: datagram.byte(1))
    }
}
