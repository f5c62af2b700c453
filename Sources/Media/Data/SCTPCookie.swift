// The state cookie (RFC 9260 §5.1.3): what an INIT said and what we answered, authenticated, so that an INIT leaves
// nothing behind on our side. Only a cookie that comes back makes an association.

import Base
import Crypto
import Wire

/// What the handshake found out about the peer.
struct SCTPPeer: Equatable {
    var tag: UInt32
    var initialTSN: UInt32
    var window: UInt32
    /// What it sends on and what it receives on.
    var outboundStreams: UInt16
    var inboundStreams: UInt16
    var knowsForwardTSN = false
    var knowsReconfiguration = false
    var takesZeroChecksum = false
}

struct SCTPCookieJar {
    private static let macSize = 16
    private static let size = 48

    enum Verdict: Equatable {
        case valid(SCTPPeer)
        /// Ours, but older than its life by this much.
        case stale(Duration)
        case foreign
    }

    private let key: Secret

    init(key: Bytes) { self.key = Secret(key) }

    func cookie(for peer: SCTPPeer, localTag: UInt32, now: Instant) -> Bytes {
        var bytes: Bytes = []
        bytes.reserveCapacity(Self.size)
        bytes.append(bigEndian: now.nanoseconds)
        bytes.append(bigEndian: localTag)
        bytes.append(bigEndian: peer.tag)
        bytes.append(bigEndian: peer.initialTSN)
        bytes.append(bigEndian: peer.window)
        bytes.append(bigEndian: peer.outboundStreams)
        bytes.append(bigEndian: peer.inboundStreams)
        bytes.append(bigEndian: Self.flags(of: peer))
        bytes += mac(bytes)
        return bytes
    }

    func verdict(on cookie: RawSpan, localTag: UInt32, now: Instant) -> Verdict {
        guard cookie.byteCount == Self.size else { return .foreign }
        let bytes = Bytes(sctpPayload: cookie)
        let content = Bytes(bytes.dropLast(Self.macSize))
        guard constantTimeEquals(mac(content), Bytes(bytes.suffix(Self.macSize))) else { return .foreign }
        var reader = ByteReader(cookie)
        do throws(WireError) {
            let made = Instant(nanoseconds: try reader.readUInt64())
            guard try reader.readUInt32() == localTag else { return .foreign }
            var peer = SCTPPeer(
                tag: try reader.readUInt32(), initialTSN: try reader.readUInt32(), window: try reader.readUInt32(),
                outboundStreams: try reader.readUInt16(), inboundStreams: try reader.readUInt16())
            let flags = try reader.readUInt32()
            peer.knowsForwardTSN = flags & 1 != 0
            peer.knowsReconfiguration = flags & 2 != 0
            peer.takesZeroChecksum = flags & 4 != 0
            let age = now - made
            return age > SCTPLimits.cookieLife ? .stale(age - SCTPLimits.cookieLife) : .valid(peer)
        } catch {
            return .foreign
        }
    }

    private static func flags(of peer: SCTPPeer) -> UInt32 {
        (peer.knowsForwardTSN ? 1 : 0) | (peer.knowsReconfiguration ? 2 : 0) | (peer.takesZeroChecksum ? 4 : 0)
    }

    private func mac(_ content: Bytes) -> Bytes { Bytes(HMAC.sha256(content, key: key).prefix(Self.macSize)) }
}
