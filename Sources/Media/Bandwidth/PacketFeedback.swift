// What a receiver tells about packets, in the form that the estimator takes: transport-cc
// (draft-holmer-rmcat-transport-wide-cc-extensions-01) and RFC 8888 both come down to it.
//
// RFC 8888 names packets by SSRC and RTP sequence number; who forwards keeps the transport-wide number of each, and
// translates. Parsing is not done here.

/// One packet of a report.
package struct FeedbackItem: Sendable {
    private static let lost = Int64.min

    package let sequence: UInt16
    private let arrival: Int64

    /// Microseconds on the receiver's clock (any start, unwrapped); nil for a packet that did not arrive.
    package var arrivalTime: Int64? { arrival == Self.lost ? nil : arrival }

    package init(sequence: UInt16, arrivalTime: Int64?) {
        self.sequence = sequence
        arrival = arrivalTime ?? Self.lost
    }
}

/// A received packet, as the parts of the estimator see it. Times in microseconds, each on its side's clock.
package struct PacketFeedback: Sendable {
    package let sendTime: Int64
    package let arrivalTime: Int64
    package let size: Int
    package let cluster: UInt16

    package init(sendTime: Int64, arrivalTime: Int64, size: Int, cluster: UInt16) {
        self.sendTime = sendTime
        self.arrivalTime = arrivalTime
        self.size = size
        self.cluster = cluster
    }
}

/// Makes a clock that wraps go on: the reference time of transport-cc has 24 bits of 64 ms, the report timestamp of
/// RFC 8888 16 bits of seconds.
package struct ClockUnwrapper: Sendable {
    package static let transportWide = Int64(1 << 24) * 64_000
    package static let congestionControl = Int64(1 << 16) * 1_000_000

    private let period: Int64
    private var last: Int64?

    /// `period`: microseconds after which the clock starts again.
    package init(period: Int64) {
        precondition(period > 0, "a clock wraps after some time")
        self.period = period
    }

    /// The time nearest to the last one that has this value on the wire.
    package mutating func unwrap(_ wrapped: Int64) -> Int64 {
        guard let last else {
            self.last = wrapped
            return wrapped
        }
        var difference = (wrapped &- last) % period
        if difference > period / 2 { difference &-= period }
        if difference < -period / 2 { difference &+= period }
        let time = last &+ difference
        self.last = time
        return time
    }
}
