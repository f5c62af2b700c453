// Protecting what we send: RTP and RTCP of one transport in one direction, in place.
//
//     RTP    | header, clear | payload, encrypted | tag |
//     RTCP   | 8 bytes, clear | rest, encrypted | tag | E, index |      AEAD   (RFC 7714 §9)
//            | 8 bytes, clear | rest, encrypted | E, index | tag |      CM     (RFC 3711 §3.4)
//
// No MKI, no re-keying inside a session: DTLS makes new keys when there is need. Header extensions stay readable
// (neither RFC 6904 nor RFC 9335).

package import Base
import COpenSSL

package struct SRTPSender: ~Copyable {
    /// RFC 3711 §9.2: 31 bits, and never the same twice. At one report per millisecond, 24 days.
    private static let lastRTCPIndex: UInt32 = 0x7FFF_FFFF

    package let profile: SRTPProfile
    private let rtp: SRTPTransform
    private let rtcp: SRTPTransform
    private var nextRTCPIndex: UInt32

    /// `firstRTCPIndex` is for tests against vectors.
    package init(
        _ profile: SRTPProfile, key: Secret, salt: Secret, firstRTCPIndex: UInt32 = 1
    ) throws(CryptoError) {
        let rtpKeys = try SRTPKeyDerivation.derive(profile, key: key, salt: salt, forRTCP: false)
        let rtcpKeys = try SRTPKeyDerivation.derive(profile, key: key, salt: salt, forRTCP: true)
        let rtp = try SRTPTransform(profile, rtpKeys, encrypting: true)
        let rtcp = try SRTPTransform(profile, rtcpKeys, encrypting: true)
        self.profile = profile
        nextRTCPIndex = firstRTCPIndex
        self.rtp = rtp
        self.rtcp = rtcp
    }

    /// With session keys instead of master keys, as some vectors have them.
    init(_ profile: SRTPProfile, session keys: SRTPSessionKeys, firstRTCPIndex: UInt32) throws(CryptoError) {
        let rtp = try SRTPTransform(profile, keys, encrypting: true)
        let rtcp = try SRTPTransform(profile, keys, encrypting: true)
        self.profile = profile
        nextRTCPIndex = firstRTCPIndex
        self.rtp = rtp
        self.rtcp = rtcp
    }

    /// Where the memory is that `protectRTP` needs besides `self`.
    package var places: SRTPPlaces { rtp.places }

    /// Encrypts in place. `packet` is all the room there is, `count` the plain length, the first `headerLength` bytes
    /// stay clear. `index` is the rollover counter and the sequence number, 48 bits. Returns the new count, or `nil`
    /// when there is no room.
    ///
    /// One pair of `ssrc` and `index` must never be given twice with different bytes, be it only a header extension:
    /// two tags of one nonce give the authentication key of GCM away. A retransmission is the same bytes again, or
    /// has a stream of its own.
    package mutating func protectRTP(
        _ packet: UnsafeMutableRawBufferPointer, count: Int, headerLength: Int, ssrc: UInt32, index: UInt64
    ) -> Int? {
        let total = count &+ profile.rtpOverhead
        guard let start = packet.baseAddress, headerLength >= 12, headerLength <= count, total <= packet.count,
            total <= srtpPacketLimit
        else { return nil }
        let body = start + headerLength
        if rtp.isAEAD {
            let sealed = rtp.seal(
                body, count: count &- headerLength, header: start, headerCount: headerLength, more: nil,
                tagAt: start + count, ssrc: ssrc, index: index)
            return sealed ? total : nil
        }
        guard rtp.crypt(body, count: count &- headerLength, ssrc: ssrc, index: index) else { return nil }
        let rollover = UInt32(truncatingIfNeeded: index >> 16)
        let mac = rtp.authenticator(start, count: count, rollover: rollover)
        withUnsafeBytes(of: mac) { (start + count).copyMemory(from: $0.baseAddress!, byteCount: profile.tagCount) }
        return total
    }

    /// Encrypts a compound packet in place, under an index of its own. `nil` when there is no room, when it is no RTCP
    /// packet, or when the indexes are used up.
    package mutating func protectRTCP(_ packet: UnsafeMutableRawBufferPointer, count: Int) -> Int? {
        let total = count &+ profile.rtcpOverhead
        guard let start = packet.baseAddress, count >= 8, total <= packet.count, total <= srtpPacketLimit,
            nextRTCPIndex <= Self.lastRTCPIndex
        else { return nil }
        let index = nextRTCPIndex
        // Counted even if encryption should fail: an index is never tried twice.
        nextRTCPIndex &+= 1
        let ssrc = UInt32(bigEndian: start.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        let word = 0x8000_0000 | index
        if rtcp.isAEAD {
            let sealed = rtcp.seal(
                start + 8, count: count &- 8, header: start, headerCount: 8, more: word, tagAt: start + count,
                ssrc: ssrc, index: UInt64(index))
            start.storeBytes(of: word.bigEndian, toByteOffset: total &- 4, as: UInt32.self)
            return sealed ? total : nil
        }
        guard rtcp.crypt(start + 8, count: count &- 8, ssrc: ssrc, index: UInt64(index)) else { return nil }
        start.storeBytes(of: word.bigEndian, toByteOffset: count, as: UInt32.self)
        let mac = rtcp.authenticator(start, count: count &+ 4, rollover: nil)
        withUnsafeBytes(of: mac) { (start + count + 4).copyMemory(from: $0.baseAddress!, byteCount: profile.tagCount) }
        return total
    }
}
