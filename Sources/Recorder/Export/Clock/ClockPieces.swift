// A clock over hours: lines over ten minutes each, so that one that changes its speed is followed.

struct ClockPieces: Equatable, Sendable {
    /// One crystal keeps its speed within a few ppm for so long: some milliseconds.
    static let spanMax = 600e9
    /// A sender's two clocks move against each other by more than that: one of them was set, or stood still.
    static let stepMin = 40e6
    /// Reports that agree on where a clock went.
    static let stepWitnesses = 3

    private struct Piece: Equatable, Sendable {
        var start: Double
        var line: RobustLine
    }

    private var pieces: [Piece] = []

    var isEmpty: Bool { pieces.isEmpty }

    /// Points in the order of x.
    init(through points: [ClockPoint], _ choice: RobustLine.Choice) {
        // What delay does to arrivals looks like steps; of reports it does not.
        let runs = choice == .lowest ? [points[...]] : Self.runs(points)
        for run in runs { append(run, choice) }
    }

    func callAsFunction(_ x: Double) -> Double? {
        // The last piece that begins before x; the first for what is older.
        var (low, high) = (0, pieces.count)
        while low < high {
            let middle = (low + high) / 2
            if pieces[middle].start <= x { low = middle + 1 } else { high = middle }
        }
        return pieces.isEmpty ? nil : pieces[max(low - 1, 0)].line(x)
    }

    private mutating func append(_ run: ArraySlice<ClockPoint>, _ choice: RobustLine.Choice) {
        guard let first = run.first, let last = run.last else { return }
        let count = max(1, ((last.x - first.x) / Self.spanMax).rounded(.up))
        let span = (last.x - first.x) / count
        // Half a neighbour on either side: lines that meet nearly where they are exchanged.
        var (low, high) = (run.startIndex, run.startIndex)
        for number in 0..<Int(count) {
            let start = first.x + Double(number) * span
            while low < run.endIndex, run[low].x < start - span / 2 { low += 1 }
            while high < run.endIndex, run[high].x <= start + span * 1.5 { high += 1 }
            guard let line = RobustLine(through: Array(run[low..<max(low, high)]), choice) else { continue }
            // A run begins halfway after the last one, where nobody knows better.
            let boundary = number == 0 ? (boundaryBefore(run) ?? start) : start
            pieces.append(Piece(start: boundary, line: line))
        }
        lastX = last.x
    }

    private var lastX: Double?

    private func boundaryBefore(_ run: ArraySlice<ClockPoint>) -> Double? {
        guard let lastX, let first = run.first else { return nil }
        return (lastX + first.x) / 2
    }

    /// Cut where the points go over to another line and stay there.
    static func runs(_ points: [ClockPoint]) -> [ArraySlice<ClockPoint>] {
        var runs: [ArraySlice<ClockPoint>] = []
        var start = 0
        var level: Double?
        var last = 0.0
        for (index, point) in points.enumerated() {
            let offset = point.y - point.x
            guard let known = level else {
                (level, last) = (offset, point.x)
                continue
            }
            let tolerance = stepMin + RobustLine.skewMax * (point.x - last)
            if abs(offset - known) <= tolerance {
                (level, last) = (offset, point.x)
            } else if agree(points, from: index, tolerance) {
                runs.append(points[start..<index])
                start = index
                (level, last) = (offset, point.x)
            }
        }
        if start < points.count { runs.append(points[start...]) }
        return runs
    }

    private static func agree(_ points: [ClockPoint], from index: Int, _ tolerance: Double) -> Bool {
        guard index + stepWitnesses <= points.count else { return false }
        let offsets = points[index..<(index + stepWitnesses)].map { $0.y - $0.x }
        guard let low = offsets.min(), let high = offsets.max() else { return false }
        return high - low <= tolerance
    }
}
