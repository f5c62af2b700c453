// Opening what we receive: RTP and RTCP of one transport in one direction, in place. The layouts are in
// `SRTPSender.swift`.
//
// Replay windows are the caller's, one per SSRC and kind. For an SSRC that it does not know it lends a fresh one, and
// keeps it only when the packet was authentic: a forger cannot fill its table.

package import Base
import COpenSSL

package struct SRTPReceiver: ~Copyable {
    package let profile: SRTPProfile
    private let rtp: SRTPTransform
    private let rtcp: SRTPTransform

    package init(_ profile: SRTPProfile, key: Secret, salt: Secret) throws(CryptoError) {
        let rtpKeys = try SRTPKeyDerivation.derive(profile, key: key, salt: salt, forRTCP: false)
        let rtcpKeys = try SRTPKeyDerivation.derive(profile, key: key, salt: salt, forRTCP: true)
        let rtp = try SRTPTransform(profile, rtpKeys, encrypting: false)
        let rtcp = try SRTPTransform(profile, rtcpKeys, encrypting: false)
        self.profile = profile
        self.rtp = rtp
        self.rtcp = rtcp
    }

    init(_ profile: SRTPProfile, session keys: SRTPSessionKeys) throws(CryptoError) {
        let rtp = try SRTPTransform(profile, keys, encrypting: false)
        let rtcp = try SRTPTransform(profile, keys, encrypting: false)
        self.profile = profile
        self.rtp = rtp
        self.rtcp = rtcp
    }

    /// Guesses the rollover counter from `window`, authenticates, decrypts in place, and only then moves the window.
    /// `headerLength` comes from the parsed header: fixed part, CSRCs, extensions.
    package mutating func unprotectRTP(
        _ packet: UnsafeMutableRawBufferPointer, count: Int, headerLength: Int, ssrc: UInt32, sequenceNumber: UInt16,
        window: inout SRTPReplayWindow
    ) -> SRTPVerdict {
        let plain = count &- profile.rtpOverhead
        guard let start = packet.baseAddress, headerLength >= 12, headerLength <= plain, count <= packet.count,
            count <= srtpPacketLimit
        else { return .tooShort }
        let index = window.index(of: sequenceNumber)
        guard window.check(index) else { return .replayed }
        let body = start + headerLength
        let authentic: Bool
        if rtp.isAEAD {
            authentic = rtp.open(
                body, count: plain &- headerLength, header: start, headerCount: headerLength, more: nil,
                tagAt: start + plain, ssrc: ssrc, index: index)
        } else {
            let rollover = UInt32(truncatingIfNeeded: index >> 16)
            authentic =
                tagFits(start + plain, rtp.authenticator(start, count: plain, rollover: rollover))
                && rtp.crypt(body, count: plain &- headerLength, ssrc: ssrc, index: index)
        }
        guard authentic else { return .forged }
        window.accept(index)
        return .plain(plain)
    }

    /// The same for a compound RTCP packet, whose index is written in it. Packets that are authentic but not
    /// encrypted (E bit clear) count as forged: RFC 8827 §6.5 has media encrypted, without exception.
    package mutating func unprotectRTCP(
        _ packet: UnsafeMutableRawBufferPointer, count: Int, window: inout SRTPReplayWindow
    ) -> SRTPVerdict {
        let plain = count &- profile.rtcpOverhead
        guard let start = packet.baseAddress, plain >= 8, count <= packet.count, count <= srtpPacketLimit else {
            return .tooShort
        }
        let place = rtcp.isAEAD ? count &- 4 : plain
        let word = UInt32(bigEndian: start.loadUnaligned(fromByteOffset: place, as: UInt32.self))
        guard word & 0x8000_0000 != 0 else { return .forged }
        let index = UInt64(word & 0x7FFF_FFFF)
        guard window.check(index) else { return .replayed }
        let ssrc = UInt32(bigEndian: start.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        let authentic: Bool
        if rtcp.isAEAD {
            authentic = rtcp.open(
                start + 8, count: plain &- 8, header: start, headerCount: 8, more: word, tagAt: start + plain,
                ssrc: ssrc, index: index)
        } else {
            authentic =
                tagFits(start + plain + 4, rtcp.authenticator(start, count: plain &+ 4, rollover: nil))
                && rtcp.crypt(start + 8, count: plain &- 8, ssrc: ssrc, index: index)
        }
        guard authentic else { return .forged }
        window.accept(index)
        return .plain(plain)
    }

    /// Takes the same time wherever they differ.
    private func tagFits(_ received: UnsafeRawPointer, _ mac: InlineArray<20, UInt8>) -> Bool {
        withUnsafeBytes(of: mac) { CRYPTO_memcmp($0.baseAddress, received, profile.tagCount) == 0 }
    }
}
