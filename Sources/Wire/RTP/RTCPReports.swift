// Sender and receiver reports (RFC 3550 §6.4).
//
//     |                         SSRC of sender                        |
//     |              NTP timestamp, most significant word             |  \
//     |             NTP timestamp, least significant word             |   | sender
//     |                         RTP timestamp                         |   | reports
//     |                     sender's packet count                     |   | only
//     |                      sender's octet count                     |  /
//     |                        SSRC of source                         |  \
//     | fraction lost |       cumulative number of packets lost       |   |
//     |           extended highest sequence number received           |   | as many times
//     |                      interarrival jitter                      |   | as the head says
//     |                         last SR (LSR)                         |   |
//     |                   delay since last SR (DLSR)                  |  /

/// What a receiver says of one source.
package struct RTCPReportBlock: Sendable, Equatable {
    package static let length = 24

    package var ssrc: SSRC
    /// Of 256, since the last report.
    package var fractionLost: UInt8
    /// 24 bits with a sign: duplicates make it negative.
    package var cumulativeLost: Int32
    package var highestSequence: UInt32
    /// In units of the source's RTP clock.
    package var jitter: UInt32
    /// The middle 32 bits of the NTP time in the last sender report; 0 when there was none.
    package var lastSenderReport: UInt32
    /// Since that report came, in units of 1/65536 s.
    package var delaySinceLastSenderReport: UInt32

    package init(
        ssrc: SSRC, fractionLost: UInt8, cumulativeLost: Int32, highestSequence: UInt32, jitter: UInt32,
        lastSenderReport: UInt32, delaySinceLastSenderReport: UInt32
    ) {
        self.ssrc = ssrc
        self.fractionLost = fractionLost
        self.cumulativeLost = cumulativeLost
        self.highestSequence = highestSequence
        self.jitter = jitter
        self.lastSenderReport = lastSenderReport
        self.delaySinceLastSenderReport = delaySinceLastSenderReport
    }

    /// The caller has checked that 24 bytes are there.
    fileprivate init(at offset: Int, in body: RawSpan) {
        ssrc = body.uint32(offset)
        let lost = body.uint32(offset &+ 4)
        fractionLost = UInt8(truncatingIfNeeded: lost >> 24)
        cumulativeLost = Int32(truncatingIfNeeded: lost << 8) >> 8
        highestSequence = body.uint32(offset &+ 8)
        jitter = body.uint32(offset &+ 12)
        lastSenderReport = body.uint32(offset &+ 16)
        delaySinceLastSenderReport = body.uint32(offset &+ 20)
    }

    fileprivate func write(into bytes: inout [UInt8]) {
        let lost = max(-0x80_0000, min(0x7F_FFFF, cumulativeLost))
        bytes.append(bigEndian: ssrc)
        bytes.append(bigEndian: UInt32(fractionLost) << 24 | UInt32(truncatingIfNeeded: lost) & 0xFF_FFFF)
        bytes.append(bigEndian: highestSequence)
        bytes.append(bigEndian: jitter)
        bytes.append(bigEndian: lastSenderReport)
        bytes.append(bigEndian: delaySinceLastSenderReport)
    }
}

/// What a sender says of itself. Its reports on others are in `RTCPReports`.
package struct RTCPSenderInfo: Sendable, Equatable {
    package var ssrc: SSRC
    /// Seconds since 1900 in 32.32 fixed point.
    package var ntpTime: UInt64
    package var rtpTimestamp: UInt32
    package var packetCount: UInt32
    package var octetCount: UInt32

    package init(ssrc: SSRC, ntpTime: UInt64, rtpTimestamp: UInt32, packetCount: UInt32, octetCount: UInt32) {
        self.ssrc = ssrc
        self.ntpTime = ntpTime
        self.rtpTimestamp = rtpTimestamp
        self.packetCount = packetCount
        self.octetCount = octetCount
    }
}

/// A sender's or a receiver's report. What follows the report blocks is an extension of a profile and left alone.
package struct RTCPReports: ~Escapable {
    /// The head has five bits for the number.
    package static let limit = 31

    package let senderSSRC: SSRC
    /// Nil for a receiver's report.
    package let senderInfo: RTCPSenderInfo?
    package let count: Int
    private let blocks: RawSpan

    @_lifetime(copy packet)
    package init(parsing block: RTCPBlock, in packet: RawSpan) throws(WireError) {
        let body = block.body(in: packet)
        let isSender = block.kind == .senderReport
        let infoLength = isSender ? 24 : 4
        guard body.byteCount >= infoLength &+ Int(block.count) &* RTCPReportBlock.length else { throw .truncated }
        senderSSRC = body.uint32(0)
        if isSender {
            senderInfo = RTCPSenderInfo(
                ssrc: body.uint32(0), ntpTime: UInt64(body.uint32(4)) << 32 | UInt64(body.uint32(8)),
                rtpTimestamp: body.uint32(12), packetCount: body.uint32(16), octetCount: body.uint32(20))
        } else {
            senderInfo = nil
        }
        count = Int(block.count)
        blocks = body.extracting(infoLength..<(infoLength &+ Int(block.count) &* RTCPReportBlock.length))
    }

    package func report(_ index: Int) -> RTCPReportBlock? {
        guard index >= 0, index < count else { return nil }
        return RTCPReportBlock(at: index &* RTCPReportBlock.length, in: blocks)
    }

    /// Reports beyond 31 go into receiver reports that follow (RFC 3550 §6.1).
    package static func writeSenderReport(
        _ info: RTCPSenderInfo, reports: Span<RTCPReportBlock>, into bytes: inout [UInt8]
    ) {
        let first = min(reports.count, limit)
        let start = RTCPWriting.begin(RTCPNumber.senderReport, UInt8(truncatingIfNeeded: first), &bytes)
        bytes.append(bigEndian: info.ssrc)
        bytes.append(bigEndian: info.ntpTime)
        bytes.append(bigEndian: info.rtpTimestamp)
        bytes.append(bigEndian: info.packetCount)
        bytes.append(bigEndian: info.octetCount)
        for index in 0..<first { reports[index].write(into: &bytes) }
        RTCPWriting.end(start, &bytes)
        if first < reports.count {
            writeReceiverReport(from: info.ssrc, reports: reports.extracting(droppingFirst: first), into: &bytes)
        }
    }

    /// Writes one block at least, for an empty report begins a compound of one who sends nothing.
    package static func writeReceiverReport(
        from ssrc: SSRC, reports: Span<RTCPReportBlock>, into bytes: inout [UInt8]
    ) {
        var written = 0
        repeat {
            let end = min(reports.count, written &+ limit)
            let start = RTCPWriting.begin(
                RTCPNumber.receiverReport, UInt8(truncatingIfNeeded: end &- written), &bytes)
            bytes.append(bigEndian: ssrc)
            for index in written..<end { reports[index].write(into: &bytes) }
            RTCPWriting.end(start, &bytes)
            written = end
        } while written < reports.count
    }
}
