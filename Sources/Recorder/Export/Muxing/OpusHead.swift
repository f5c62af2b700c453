// The header of Opus in files (RFC 7845 §5.1), the same in Ogg and WebM.

import Base

enum OpusHead {
    /// Decoders upmix what was sent as one channel; nothing in a call says beforehand which it will be.
    static let channels = 2
    /// The encoder's delay in libopus at 48 kHz: sound at a packet's time is heard that much behind its beginning.
    static let preSkip = 312
    static let preSkipNanoseconds: UInt64 = 6_500_000

    static var bytes: Bytes {
        var bytes = Bytes("OpusHead".utf8)
        bytes += [1, UInt8(channels), UInt8(preSkip & 0xFF), UInt8(preSkip >> 8)]
        // 48,000 Hz, no gain, mapping family 0.
        bytes += [0x80, 0xBB, 0, 0, 0, 0, 0]
        return bytes
    }

    /// With one comment, which says who wrote it (§5.2).
    static func tags(_ name: String) -> Bytes {
        var bytes = Bytes("OpusTags".utf8)
        let comments = ["ENCODER=PlexiChat"] + (name.isEmpty ? [] : ["TITLE=\(name)"])
        append("PlexiChat", to: &bytes)
        append(count: comments.count, to: &bytes)
        for comment in comments { append(comment, to: &bytes) }
        return bytes
    }

    private static func append(count: Int, to bytes: inout Bytes) {
        for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
    }

    private static func append(_ text: String, to bytes: inout Bytes) {
        append(count: text.utf8.count, to: &bytes)
        bytes += Bytes(text.utf8)
    }
}
