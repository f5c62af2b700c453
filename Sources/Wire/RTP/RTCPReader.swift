// Walking an RTCP datagram (RFC 3550 §6.1; reduced-size ones, RFC 5506, too).
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |V=2|P| RC/FMT  |      PT       |   length in words, minus one  |
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The heads of all blocks are checked before the first is given, so a datagram that is cut or glued has no effect at
// all. Each block is then read by the type of its kind, which checks its own body and may refuse it alone.

/// What a block is, of those that we read. The rest is `other`: APP, TMMBR, SLI and whatever else there is.
package enum RTCPKind: UInt8, Sendable {
    case senderReport
    case receiverReport
    case sourceDescription
    case goodbye
    case nack
    case transportFeedback
    case congestionFeedback
    case pictureLoss
    case fullIntraRequest
    case remb
    case extendedReport
    case other
}

/// The numbers of packet types and of feedback formats (IANA; RFC 3550 §12.1, 3611, 4585, 5104, 8888).
package enum RTCPNumber {
    package static let senderReport: UInt8 = 200
    package static let receiverReport: UInt8 = 201
    package static let sourceDescription: UInt8 = 202
    package static let goodbye: UInt8 = 203
    package static let transportLayerFeedback: UInt8 = 205
    package static let payloadSpecificFeedback: UInt8 = 206
    package static let extendedReport: UInt8 = 207

    package static let nack: UInt8 = 1
    package static let congestionFeedback: UInt8 = 11
    package static let transportFeedback: UInt8 = 15

    package static let pictureLoss: UInt8 = 1
    package static let fullIntraRequest: UInt8 = 4
    package static let applicationLayerFeedback: UInt8 = 15
}

/// One block of a datagram: numbers only, to be used with the datagram it was read from.
package struct RTCPBlock: Sendable, Equatable {
    package var kind: RTCPKind
    package var type: UInt8
    /// The number of reports or sources, or the format of feedback.
    package var count: UInt8
    /// Of the body, which is what lies after the head and before the padding.
    package var start: Int
    package var end: Int

    /// Empty when the packet is not the one that the block is of.
    @_lifetime(copy packet)
    package func body(in packet: RawSpan) -> RawSpan {
        guard start >= 0, start <= end, end <= packet.byteCount else { return packet.extracting(first: 0) }
        return packet.extracting(start..<end)
    }
}

package struct RTCPReader: ~Escapable {
    private static let headLength = 4

    private let packet: RawSpan
    private var position = 0

    /// Refuses the datagram as a whole when a block in it is not of version 2, goes past the end or has more padding
    /// than body. There are as many blocks as fit the datagram, at four bytes each.
    @_lifetime(copy packet)
    package init(_ packet: RawSpan) throws(WireError) {
        self.packet = packet
        guard packet.byteCount >= Self.headLength else { throw .truncated }
        var position = 0
        while position < packet.byteCount {
            guard position &+ Self.headLength <= packet.byteCount else { throw .truncated }
            let flags = packet.byte(position)
            guard flags >> 6 == 2 else { throw .invalid("version of RTCP") }
            let next = position &+ Self.headLength &+ Int(packet.uint16(position &+ 2)) &* 4
            guard next <= packet.byteCount else { throw .truncated }
            if flags & 0x20 != 0 {
                // RFC 3550 wants a multiple of four; libwebrtc pads its transport feedback by less.
                let padding = Int(packet.byte(next &- 1))
                guard padding > 0, padding <= next &- position &- Self.headLength else {
                    throw .invalid("padding of RTCP")
                }
            }
            position = next
        }
    }

    /// Whether bytes that came to a media port are RTCP and not RTP (RFC 5761 §4), provided that they are one of both.
    package static func isRTCP(_ packet: RawSpan) -> Bool {
        packet.byteCount >= headLength && packet.byte(1) >= 192 && packet.byte(1) <= 223
    }

    @_lifetime(self: copy self)
    package mutating func next() -> RTCPBlock? {
        guard position &+ Self.headLength <= packet.byteCount else { return nil }
        let flags = packet.byte(position)
        let type = packet.byte(position &+ 1)
        let start = position &+ Self.headLength
        position = start &+ Int(packet.uint16(position &+ 2)) &* 4
        let padding = flags & 0x20 != 0 ? Int(packet.byte(position &- 1)) : 0
        let end = position &- padding
        let kind = kind(type, flags & 31, start, end)
        return RTCPBlock(kind: kind, type: type, count: flags & 31, start: start, end: end)
    }

    private func kind(_ type: UInt8, _ format: UInt8, _ start: Int, _ end: Int) -> RTCPKind {
        switch (type, format) {
        case (RTCPNumber.senderReport, _): .senderReport
        case (RTCPNumber.receiverReport, _): .receiverReport
        case (RTCPNumber.sourceDescription, _): .sourceDescription
        case (RTCPNumber.goodbye, _): .goodbye
        case (RTCPNumber.extendedReport, _): .extendedReport
        case (RTCPNumber.transportLayerFeedback, RTCPNumber.nack): .nack
        case (RTCPNumber.transportLayerFeedback, RTCPNumber.transportFeedback): .transportFeedback
        case (RTCPNumber.transportLayerFeedback, RTCPNumber.congestionFeedback): .congestionFeedback
        case (RTCPNumber.payloadSpecificFeedback, RTCPNumber.pictureLoss): .pictureLoss
        case (RTCPNumber.payloadSpecificFeedback, RTCPNumber.fullIntraRequest): .fullIntraRequest
        case (RTCPNumber.payloadSpecificFeedback, RTCPNumber.applicationLayerFeedback):
            end &- start >= 12 && packet.uint32(start &+ 8) == RTCPReceiverEstimate.mark ? .remb : .other
        default: .other
        }
    }
}

/// Writing a block: the head first, its length when the body is there.
enum RTCPWriting {
    /// Gives the place of the head.
    static func begin(_ type: UInt8, _ count: UInt8, _ bytes: inout [UInt8]) -> Int {
        let start = bytes.count
        bytes.append(0x80 | count & 31)
        bytes.append(type)
        bytes.append(bigEndian: 0 as UInt16)
        return start
    }

    /// The body is a whole number of words.
    static func end(_ start: Int, _ bytes: inout [UInt8]) {
        let words = (bytes.count &- start) / 4 &- 1
        bytes.overwrite(bigEndian: UInt16(truncatingIfNeeded: words), at: start &+ 2)
    }
}
