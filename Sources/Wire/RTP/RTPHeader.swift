// The header of an RTP packet (RFC 3550 §5.1), read in one call into a struct that owns nothing.
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//     |                           timestamp                           |
//     |                             SSRC                              |
//     |                    CSRC, CC times 32 bits                     |
//     |  with X: profile of extension |   length in 32-bit words      |
//     |                      extension elements                       |
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The elements are read by `RTPExtensionReading`. What follows the header is encrypted when the header is read, and so
// is the padding; hence `paddingLength(in:)`, for later.

package typealias SSRC = UInt32
package typealias SequenceNumber = UInt16
/// A sequence number that does not wrap: how often it wrapped is in the upper 48 bits.
package typealias ExtendedSequence = UInt64

package struct RTPHeader: Sendable {
    /// Bytes of the header without CSRCs and extension.
    package static let fixedLength = 12

    package var timestamp: UInt32
    package var ssrc: SSRC
    package var sequenceNumber: SequenceNumber
    /// 0xBEDE for one-byte elements, 0x1000 with four bits of the application for two-byte ones, anything else for a
    /// block that is not ours to read; 0 when there is none.
    package var extensionProfile: UInt16
    /// Where the elements begin; 0 when there is no extension.
    package var extensionStart: UInt16
    /// Bytes of the elements, without the four that announce them.
    package var extensionLength: UInt16
    /// Where the payload begins.
    package var headerLength: UInt16
    package var payloadType: UInt8
    package var csrcCount: UInt8
    package var marker: Bool
    package var hasPadding: Bool

    package init(parsing packet: RawSpan) throws(WireError) {
        let count = packet.byteCount
        guard count >= Self.fixedLength else { throw .truncated }
        let first = unsafe packet.unsafeLoadUnaligned(fromUncheckedByteOffset: 0, as: UInt32.self).bigEndian
        guard first >> 30 == 2 else { throw .invalid("version of RTP") }
        csrcCount = UInt8(truncatingIfNeeded: first >> 24 & 15)
        hasPadding = first & 0x2000_0000 != 0
        marker = first & 0x0080_0000 != 0
        payloadType = UInt8(truncatingIfNeeded: first >> 16 & 127)
        sequenceNumber = UInt16(truncatingIfNeeded: first)
        timestamp = unsafe packet.unsafeLoadUnaligned(fromUncheckedByteOffset: 4, as: UInt32.self).bigEndian
        ssrc = unsafe packet.unsafeLoadUnaligned(fromUncheckedByteOffset: 8, as: UInt32.self).bigEndian
        var length = Self.fixedLength &+ Int(csrcCount) &* 4
        extensionProfile = 0
        extensionStart = 0
        extensionLength = 0
        if first & 0x1000_0000 != 0 {
            guard length &+ 4 <= count else { throw .truncated }
            extensionProfile = packet.uint16(length)
            let elements = Int(packet.uint16(length &+ 2)) &* 4
            length &+= 4
            // Such a header has no place in a datagram, and its offsets none in 16 bits.
            guard length &+ elements <= Int(UInt16.max) else { throw .invalid("length of the header extension") }
            extensionStart = UInt16(truncatingIfNeeded: length)
            extensionLength = UInt16(truncatingIfNeeded: elements)
            length &+= elements
        }
        guard length <= count else { throw .truncated }
        headerLength = UInt16(truncatingIfNeeded: length)
    }

    package var hasExtension: Bool { extensionStart != 0 }

    /// After decryption: bytes of padding at the end, with the one that counts them; nil when it says more than there
    /// is, or none. A packet may be all padding: probes are.
    package func paddingLength(in packet: RawSpan) -> Int? {
        guard hasPadding else { return 0 }
        let room = packet.byteCount &- Int(headerLength)
        guard room > 0 else { return nil }
        let padding = Int(packet.byte(packet.byteCount &- 1))
        return padding > 0 && padding <= room ? padding : nil
    }

    /// A contributing source, by its index below `csrcCount`. The packet is the one that was read.
    package func csrc(_ index: Int, in packet: RawSpan) -> SSRC? {
        guard index >= 0, index < Int(csrcCount) else { return nil }
        let offset = Self.fixedLength &+ index &* 4
        return offset &+ 4 <= packet.byteCount ? packet.uint32(offset) : nil
    }
}

/// Writing the twelve bytes that every RTP packet begins with. Public and inlinable: it runs once per packet and
/// subscriber, in another target.
public enum RTPFixedHeader {
    /// The span has room for twelve bytes. CSRCs are not written: what we forward and make has none.
    @inlinable @_lifetime(span: copy span)
    public static func write(
        marker: Bool, payloadType: UInt8, sequenceNumber: UInt16, timestamp: UInt32, ssrc: UInt32,
        hasExtension: Bool, hasPadding: Bool = false, into span: inout MutableRawSpan
    ) {
        let flags: UInt8 = 0x80 | (hasExtension ? 0x10 : 0) | (hasPadding ? 0x20 : 0)
        span.store(flags, at: 0)
        span.store(payloadType & 127 | (marker ? 0x80 : 0), at: 1)
        span.store(bigEndian: sequenceNumber, at: 2)
        span.store(bigEndian: timestamp, at: 4)
        span.store(bigEndian: ssrc, at: 8)
    }
}
