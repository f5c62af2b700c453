// Reading the elements of an RTP header extension (RFC 8285 §4), all of them in one pass.
//
//     one byte:   +-+-+-+-+-+-+-+-+           two bytes:  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//                 |  ID   | len-1 | data …                |      ID       |     length    | data …
//                 +-+-+-+-+-+-+-+-+                       +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// A damaged element ends the pass; what was read before it counts (RFC 8285 §4.2 says so for the reserved numbers, and
// a packet whose tail of extensions is damaged still carries media). Of elements with the same number the first counts.

/// Where the elements that a session has agreed on lie in a packet, and the values of those that are read for every
/// packet. Owns nothing; the packet must be the one that was read.
package struct RTPExtensionReading: Sendable {
    /// An element's data within the packet.
    package struct Element: Sendable, Equatable {
        package var offset: UInt16
        package var length: UInt8

        package var range: Range<Int> { Int(offset)..<Int(offset) &+ Int(length) }
    }

    /// By raw kind: where the data begins, times 256, plus its length; 0 when the element is absent, for no element
    /// begins at 0.
    private var places = InlineArray<16, UInt32>(repeating: 0)

    /// RFC 6464: −dBov, 0 the loudest and 127 silence, and whether the sender heard voice. Meaningful with
    /// `hasAudioLevel`.
    package private(set) var audioLevel: UInt8 = 127
    package private(set) var hasVoice = false
    package private(set) var hasAudioLevel = false
    package private(set) var hasTransportSequence = false
    package private(set) var hasAbsoluteSendTime = false
    /// The elements ended before the block did.
    package private(set) var isDamaged = false
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01 §2.
    package private(set) var transportSequence: UInt16 = 0
    /// 24 bits: seconds modulo 64 in units of 2^-18 s.
    package private(set) var absoluteSendTime: UInt32 = 0

    /// Nothing is there.
    package init() {}

    package init(reading packet: RawSpan, header: RTPHeader, map: borrowing RTPExtensionMap) {
        let start = Int(header.extensionStart)
        let end = start &+ Int(header.extensionLength)
        guard start != 0, end <= packet.byteCount else { return }
        if header.extensionProfile == RTPExtensionProfile.oneByte {
            readOneByteElements(of: packet, start, end, map)
        } else if header.extensionProfile & 0xFFF0 == RTPExtensionProfile.twoByte {
            readTwoByteElements(of: packet, start, end, map)
        }
    }

    /// Nil when the packet has no such element.
    package subscript(kind: RTPExtensionKind) -> Element? {
        let place = places[Int(kind.rawValue)]
        guard place != 0 else { return nil }
        return Element(offset: UInt16(truncatingIfNeeded: place >> 8), length: UInt8(truncatingIfNeeded: place))
    }

    private mutating func readOneByteElements(
        of packet: RawSpan, _ start: Int, _ end: Int, _ map: borrowing RTPExtensionMap
    ) {
        var position = start
        while position < end {
            let first = packet.byte(position)
            position &+= 1
            if first == 0 { continue }
            let id = first >> 4
            let length = Int(first & 15) &+ 1
            // 0 with a length and 15 end the processing (§4.2).
            guard id != 0, id != 15, position &+ length <= end else {
                isDamaged = true
                return
            }
            take(map.rawKind(for: id), packet, position, length)
            position &+= length
        }
    }

    private mutating func readTwoByteElements(
        of packet: RawSpan, _ start: Int, _ end: Int, _ map: borrowing RTPExtensionMap
    ) {
        var position = start
        while position < end {
            let id = packet.byte(position)
            position &+= 1
            if id == 0 { continue }
            guard position < end else {
                isDamaged = true
                return
            }
            let length = Int(packet.byte(position))
            position &+= 1
            guard position &+ length <= end else {
                isDamaged = true
                return
            }
            take(map.rawKind(for: id), packet, position, length)
            position &+= length
        }
    }

    /// The data lies within the packet.
    @inline(__always)
    private mutating func take(_ kind: UInt8, _ packet: RawSpan, _ offset: Int, _ length: Int) {
        let index = Int(kind & 15)
        guard kind != 0, places[index] == 0 else { return }
        places[index] = UInt32(truncatingIfNeeded: offset << 8 | length)
        switch kind {
        case RTPExtensionKind.transportSequenceNumber.rawValue where length >= 2:
            transportSequence = packet.uint16(offset)
            hasTransportSequence = true
        case RTPExtensionKind.audioLevel.rawValue where length >= 1:
            let byte = packet.byte(offset)
            audioLevel = byte & 127
            hasVoice = byte & 128 != 0
            hasAudioLevel = true
        case RTPExtensionKind.absoluteSendTime.rawValue where length == 3:
            absoluteSendTime = UInt32(packet.uint16(offset)) << 8 | UInt32(packet.byte(offset &+ 2))
            hasAbsoluteSendTime = true
        default: break
        }
    }
}
