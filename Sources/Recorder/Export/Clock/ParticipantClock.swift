// From a participant's own clock (the NTP times of its sender reports) to the recording's time.
//
// All tracks of a participant go through it, so what was in step when it was sent stays in step, whatever the network
// did to one of them. Reports come late, never early: the clock follows those with the least delay. A clock that was
// set makes a second group of reports, whose difference to their arrival is another; each group has its own lines.

struct ParticipantClock: Sendable {
    /// Differences to the arrival with a gap of that between them are of different clocks. Delays fill such a gap.
    static let groupGap = 250e6
    /// Fewer reports are a mistake, unless there are no others.
    static let groupMin = 3

    struct Report: Sendable {
        var ntpTime: UInt64
        var arrival: MediaTime
    }

    private struct Group: Sendable {
        var low: Double
        var high: Double
        var pieces: ClockPieces
    }

    private var groups: [Group] = []
    private let epoch: Int64

    init(_ reports: [Report]) {
        epoch = reports.first.map { Self.nanoseconds($0.ntpTime) } ?? 0
        let origin = epoch
        var points = reports.map {
            ClockPoint(x: Double(Self.nanoseconds($0.ntpTime) &- origin), y: Double($0.arrival))
        }
        points.sort { $0.y - $0.x < $1.y - $1.x }
        let cut = Self.cut(points)
        let isAlone = cut.allSatisfy { $0.count < Self.groupMin }
        for group in cut where isAlone || group.count >= Self.groupMin {
            guard let first = group.first, let last = group.last else { continue }
            let pieces = ClockPieces(through: group.sorted { $0.x < $1.x }, .lowest)
            groups.append(Group(low: first.y - first.x, high: last.y - last.x, pieces: pieces))
        }
    }

    private static func cut(_ sorted: [ClockPoint]) -> [ArraySlice<ClockPoint>] {
        var groups: [ArraySlice<ClockPoint>] = []
        var start = 0
        for index in sorted.indices.dropFirst() {
            let gap = (sorted[index].y - sorted[index].x) - (sorted[index - 1].y - sorted[index - 1].x)
            guard gap > groupGap else { continue }
            groups.append(sorted[start..<index])
            start = index
        }
        if start < sorted.count { groups.append(sorted[start...]) }
        return groups
    }

    /// When that was in the recording; `nil` for a report that belongs to no clock of this participant.
    func time(of ntpTime: UInt64, arrival: MediaTime) -> Double? {
        let x = Double(Self.nanoseconds(ntpTime) &- epoch)
        let offset = Double(arrival) - x
        return groups.first { $0.low <= offset && offset <= $0.high }.flatMap { $0.pieces(x) }
    }

    /// Since 1900, and below 2^63 until 2036; whoever says a later time says it of a wrong clock, and alike each time.
    static func nanoseconds(_ ntpTime: UInt64) -> Int64 {
        let fraction = ((ntpTime & 0xFFFF_FFFF) &* 1_000_000_000) >> 32
        return Int64(truncatingIfNeeded: (ntpTime >> 32) &* 1_000_000_000 &+ fraction)
    }
}
