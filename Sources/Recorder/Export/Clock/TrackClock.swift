// From packets to the recording's time, track by track.
//
// With sender reports a timestamp becomes the participant's time and that becomes the recording's; without them it is
// placed by the packets that came with the least delay. Either way nothing is later than it came, and nothing much
// earlier: a sender that lies moves its own pictures, within bounds.

package struct TrackClock: Sendable {
    /// No packet is recorded longer than that after it was made.
    static let delayMax: MediaTime = 10_000_000_000

    private struct Segment: Sendable {
        var firstSequence: UInt64
        var origin: Int64
        var pieces: ClockPieces
    }

    private var streams: [UInt16: [Segment]] = [:]
    private let rate: Double
    package private(set) var hasReports = false

    init(_ observations: [UInt16: StreamObservations], clockRate: UInt32, _ participant: ParticipantClock) {
        rate = Double(max(clockRate, 1))
        for (stream, seen) in observations {
            streams[stream] = seen.joined().map { segment in
                let reported: [ClockPoint] = segment.reports.compactMap { report in
                    participant.time(of: report.ntpTime, arrival: report.arrival).map { ClockPoint(x: report.x, y: $0) }
                }
                var pieces = ClockPieces(through: reported.sorted { $0.x < $1.x }, .median)
                if pieces.isEmpty {
                    pieces = ClockPieces(through: segment.arrivals.sorted { $0.x < $1.x }, .lowest)
                } else {
                    hasReports = true
                }
                return Segment(firstSequence: segment.firstSequence, origin: segment.origin, pieces: pieces)
            }
        }
    }

    package func time(of packet: RecordedPacket) -> MediaTime {
        let earliest = packet.arrival &- Self.delayMax
        guard let segment = segment(of: packet) else { return max(packet.arrival, 0) }
        // Unwrapped towards what its arrival lets expect: within half of 2^32 of it nothing else is meant.
        guard let start = segment.pieces(0) else { return max(packet.arrival, 0) }
        let elapsed = (Double(packet.arrival) - start) / 1e9 * rate
        let expected = segment.origin &+ Int64(min(max(elapsed, -1e15), 1e15))
        let timestamp = expected &+ Int64(Int32(truncatingIfNeeded: Int64(packet.timestamp) &- expected))
        let x = Double(timestamp &- segment.origin) * 1e9 / rate
        guard let time = segment.pieces(x) else { return max(packet.arrival, 0) }
        // A double of such a size may lie a little beyond.
        return max(0, min(Int64(min(max(time, Double(earliest)), Double(packet.arrival))), packet.arrival))
    }

    private func segment(of packet: RecordedPacket) -> Segment? {
        guard let segments = streams[packet.stream] else { return nil }
        return segments.last { $0.firstSequence <= packet.sequence } ?? segments.first
    }
}
