// What was seen of one stream's clock: when packets came, by their timestamps, and what the sender said of it.
//
// Timestamps are unwrapped towards what the time that has passed lets expect; where one is far from it the clock jumped
// (or stood still in a pause), and a new segment begins. Whether it really was the clock, and not the network that held
// packets back, is seen afterwards: segments that lie on one line are joined again.

struct StreamObservations: Sendable {
    /// A clock that is that far from what was expected jumped.
    static let jumpMin = 2e9
    /// Segments whose offsets are that near are one.
    static let sameOffset = 250e6
    /// Arrivals are kept once in that time: the one with the least delay.
    static let bucket: MediaTime = 1_000_000_000

    struct Report: Sendable {
        /// The stream's clock, in nanoseconds.
        var x: Double
        var ntpTime: UInt64
        var arrival: MediaTime
    }

    struct Segment: Sendable {
        var firstSequence: UInt64
        /// x is (timestamp − origin) / rate.
        var origin: Int64
        var arrivals: [ClockPoint] = []
        var reports: [Report] = []
    }

    let rate: Double
    private(set) var segments: [Segment] = []
    private var highest: UInt64 = 0
    private var lastTimestamp: Int64 = 0
    private var lastArrival: MediaTime = 0
    private var bucketEnd: MediaTime = 0
    private var reportCount = 0
    private var bucketCount = 0
    /// The newest report from before the first packet: a recorder says it again when a stream begins.
    private var early: RecordedReport?

    init(clockRate: UInt32) { rate = Double(max(clockRate, 1)) }

    mutating func note(_ packet: RecordedPacket) {
        guard !segments.isEmpty else {
            (lastTimestamp, lastArrival) = (Int64(packet.timestamp), packet.arrival)
            begin(packet.sequence)
            keep(packet)
            if let early { note(early) }
            early = nil
            return
        }
        // Late ones say when they were repeated, not when they were sent.
        guard packet.sequence > highest else { return }
        let (timestamp, isNear) = unwrap(packet.timestamp, at: packet.arrival)
        (lastTimestamp, lastArrival) = (timestamp, max(packet.arrival, lastArrival))
        if !isNear && segments.count < ExportLimits.segmentsPerStream { begin(packet.sequence) }
        keep(packet)
    }

    mutating func note(_ report: RecordedReport) {
        guard report.ntpTime != 0, reportCount < ExportLimits.reportsPerTrack else { return }
        guard !segments.isEmpty else {
            early = report
            return
        }
        let (timestamp, isNear) = unwrap(report.timestamp, at: report.arrival)
        guard isNear else { return }
        reportCount += 1
        let last = segments.count - 1
        segments[last].reports.append(
            Report(x: x(timestamp, segments[last]), ntpTime: report.ntpTime, arrival: report.arrival))
    }

    private mutating func begin(_ sequence: UInt64) {
        segments.append(Segment(firstSequence: sequence, origin: lastTimestamp))
        bucketEnd = .min
    }

    private mutating func keep(_ packet: RecordedPacket) {
        highest = max(highest, packet.sequence)
        let last = segments.count - 1
        let point = ClockPoint(x: x(lastTimestamp, segments[last]), y: Double(packet.arrival))
        if packet.arrival >= bucketEnd {
            guard bucketCount < ExportLimits.clockSeconds else { return }
            bucketCount += 1
            bucketEnd = packet.arrival &+ Self.bucket
            segments[last].arrivals.append(point)
        } else if let kept = segments[last].arrivals.last, point.y - point.x < kept.y - kept.x {
            segments[last].arrivals[segments[last].arrivals.count - 1] = point
        }
    }

    private func x(_ timestamp: Int64, _ segment: Segment) -> Double {
        Double(timestamp &- segment.origin) * 1e9 / rate
    }

    private func unwrap(_ timestamp: UInt32, at arrival: MediaTime) -> (Int64, isNear: Bool) {
        let elapsed = Double(arrival &- lastArrival) / 1e9
        let expected = lastTimestamp &+ Int64(min(max(elapsed * rate, -1e15), 1e15))
        let difference = Int32(truncatingIfNeeded: Int64(timestamp) &- expected)
        return (expected &+ Int64(difference), abs(Double(difference)) * 1e9 / rate < Self.jumpMin)
    }

    /// Segments that were torn by a network that held packets back are joined.
    func joined() -> [Segment] {
        var result: [Segment] = []
        for segment in segments {
            guard var before = result.last, let old = before.recentOffset, let new = segment.lowestOffset else {
                result.append(segment)
                continue
            }
            // Both on the clock of the one before.
            let shift = Double(segment.origin &- before.origin) * 1e9 / rate
            guard abs(new - shift - old) < Self.sameOffset else {
                result.append(segment)
                continue
            }
            before.arrivals += segment.arrivals.map { ClockPoint(x: $0.x + shift, y: $0.y) }
            before.reports += segment.reports.map { Report(x: $0.x + shift, ntpTime: $0.ntpTime, arrival: $0.arrival) }
            result[result.count - 1] = before
        }
        return result
    }
}

extension StreamObservations.Segment {
    /// The least delay of the last minute.
    fileprivate var recentOffset: Double? { arrivals.suffix(60).map { $0.y - $0.x }.min() }
    fileprivate var lowestOffset: Double? { arrivals.prefix(60).map { $0.y - $0.x }.min() }
}
