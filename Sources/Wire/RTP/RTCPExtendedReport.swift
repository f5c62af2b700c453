// Extended reports (RFC 3611), of which the two for the round trip of a receiver that sends nothing are read and
// written: receiver reference time (§4.4) and delay since it (§4.5).
//
//     |                             SSRC                              |
//     |     BT=4      |   reserved    |       block length = 2        |
//     |              NTP timestamp, most significant word             |
//     |             NTP timestamp, least significant word             |
//     |     BT=5      |   reserved    |         block length          |
//     |                 SSRC of the receiver                          |   \
//     |                         last RR (LRR)                         |    | as often as fits
//     |                   delay since last RR (DLRR)                  |   /

/// The blocks that we know, each sub-block of a DLRR on its own; others are passed over.
package struct RTCPExtendedReport: ~Escapable {
    package struct Delay: Sendable, Equatable {
        /// Of the receiver to which this is the answer.
        package var ssrc: SSRC
        /// The middle 32 bits of the NTP time in its reference time.
        package var lastReferenceTime: UInt32
        /// Since that came, in units of 1/65536 s.
        package var delay: UInt32

        package init(ssrc: SSRC, lastReferenceTime: UInt32, delay: UInt32) {
            self.ssrc = ssrc
            self.lastReferenceTime = lastReferenceTime
            self.delay = delay
        }
    }

    package enum Item: Sendable, Equatable {
        case referenceTime(ntp: UInt64)
        case delay(Delay)
    }

    private static let referenceTimeType: UInt8 = 4
    private static let delayType: UInt8 = 5

    package let senderSSRC: SSRC
    private let body: RawSpan
    private var position = 4
    private var delaysEnd = 0

    @_lifetime(copy packet)
    package init(parsing block: RTCPBlock, in packet: RawSpan) throws(WireError) {
        body = block.body(in: packet)
        guard body.byteCount >= 4 else { throw .truncated }
        senderSSRC = body.uint32(0)
        var offset = 4
        while offset < body.byteCount {
            guard offset &+ 4 <= body.byteCount else { throw .truncated }
            let words = Int(body.uint16(offset &+ 2))
            switch body.byte(offset) {
            case Self.referenceTimeType where words != 2: throw .invalid("length of a reference time")
            case Self.delayType where words % 3 != 0: throw .invalid("length of a delay since the last report")
            default: break
            }
            offset &+= 4 &+ words &* 4
        }
        guard offset == body.byteCount else { throw .truncated }
    }

    @_lifetime(self: copy self)
    package mutating func next() -> Item? {
        while true {
            if position < delaysEnd {
                defer { position &+= 12 }
                return .delay(
                    Delay(
                        ssrc: body.uint32(position), lastReferenceTime: body.uint32(position &+ 4),
                        delay: body.uint32(position &+ 8)))
            }
            guard position &+ 4 <= body.byteCount else { return nil }
            let type = body.byte(position)
            let start = position &+ 4
            let end = start &+ Int(body.uint16(position &+ 2)) &* 4
            switch type {
            case Self.referenceTimeType:
                position = end
                return .referenceTime(ntp: UInt64(body.uint32(start)) << 32 | UInt64(body.uint32(start &+ 4)))
            case Self.delayType:
                position = start
                delaysEnd = end
            default: position = end
            }
        }
    }

    package static func writeReferenceTime(from sender: SSRC, ntp: UInt64, into bytes: inout [UInt8]) {
        let start = RTCPWriting.begin(RTCPNumber.extendedReport, 0, &bytes)
        bytes.append(bigEndian: sender)
        bytes.append(bigEndian: UInt32(referenceTimeType) << 24 | 2)
        bytes.append(bigEndian: ntp)
        RTCPWriting.end(start, &bytes)
    }

    /// Answers to as many receivers as are given; 100 would fill a datagram, and the caller keeps below.
    package static func writeDelays(from sender: SSRC, _ delays: Span<Delay>, into bytes: inout [UInt8]) {
        guard !delays.isEmpty else { return }
        let start = RTCPWriting.begin(RTCPNumber.extendedReport, 0, &bytes)
        bytes.append(bigEndian: sender)
        bytes.append(bigEndian: UInt32(delayType) << 24 | UInt32(truncatingIfNeeded: delays.count &* 3))
        for index in 0..<delays.count {
            bytes.append(bigEndian: delays[index].ssrc)
            bytes.append(bigEndian: delays[index].lastReferenceTime)
            bytes.append(bigEndian: delays[index].delay)
        }
        RTCPWriting.end(start, &bytes)
    }
}
