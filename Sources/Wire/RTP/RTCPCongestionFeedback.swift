// Congestion control feedback (RFC 8888 §3.1): which packets of each stream came, when, and how they were marked.
//
//     |                 SSRC of RTCP packet sender                    |
//     |                   SSRC of a media source                      |   \
//     |          begin_seq            |          num_reports          |    | once per source; an odd
//     |R|ECN|  arrival time offset    |R|ECN|  arrival time offset    |    | number of reports is padded
//     |                  report timestamp, 32 bits                    |

/// The packets of all sources, one after the other. Checked at the start, so the reading does not fail halfway.
package struct RTCPCongestionFeedback: ~Escapable {
    package struct Item: Sendable, Equatable {
        package var ssrc: SSRC
        package var sequence: SequenceNumber
        package var isReceived: Bool
        /// Two bits of RFC 3168; 0 for a packet that did not come.
        package var ecn: UInt8
        /// Before the report timestamp, in units of 1/1024 s. See the two constants for values without a time.
        package var arrivalOffset: UInt16
    }

    /// The packet came longer ago than can be told.
    package static let offsetTooLong: UInt16 = 0x1FFE
    /// The packet came at a time not told.
    package static let offsetUnknown: UInt16 = 0x1FFF
    /// RFC 8888 allows no more for a source.
    package static let reportLimit = 16_384

    private static let firstBlock = 4

    package let senderSSRC: SSRC
    /// The middle 32 bits of the receiver's NTP time when it wrote.
    package let reportTimestamp: UInt32
    private let body: RawSpan
    private let end: Int
    private var position = Self.firstBlock
    private var ssrc: SSRC = 0
    private var sequence: SequenceNumber = 0
    private var remaining = 0
    private var isOdd = false

    @_lifetime(copy packet)
    package init(parsing block: RTCPBlock, in packet: RawSpan) throws(WireError) {
        body = block.body(in: packet)
        guard body.byteCount >= 8 else { throw .truncated }
        senderSSRC = body.uint32(0)
        end = body.byteCount &- 4
        reportTimestamp = body.uint32(end)
        var offset = Self.firstBlock
        while offset < end {
            guard offset &+ 8 <= end else { throw .truncated }
            let reports = Int(body.uint16(offset &+ 6))
            guard reports <= Self.reportLimit else { throw .invalid("number of reports on a source") }
            offset &+= 8 &+ (reports &+ reports & 1) &* 2
        }
        guard offset == end else { throw .truncated }
    }

    @_lifetime(self: copy self)
    package mutating func next() -> Item? {
        while remaining == 0 {
            if isOdd {
                position &+= 2
                isOdd = false
            }
            guard position &+ 8 <= end else { return nil }
            ssrc = body.uint32(position)
            sequence = body.uint16(position &+ 4)
            remaining = Int(body.uint16(position &+ 6))
            isOdd = remaining & 1 != 0
            position &+= 8
        }
        let report = body.uint16(position)
        let isReceived = report & 0x8000 != 0
        let item = Item(
            ssrc: ssrc, sequence: sequence, isReceived: isReceived,
            ecn: isReceived ? UInt8(truncatingIfNeeded: report >> 13 & 3) : 0,
            arrivalOffset: isReceived ? report & 0x1FFF : 0)
        position &+= 2
        remaining &-= 1
        sequence &+= 1
        return item
    }
}
