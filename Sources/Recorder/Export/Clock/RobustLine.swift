// A straight line through points of which some are wrong.
//
// Theil and Sen's estimate (the median of the slopes between pairs) stands while fewer than 29 of 100 points are wrong,
// however wrong; least squares over those that lie near it are more exact. Both abscissa and ordinate are nanoseconds of
// clocks that should run alike, so the slope is close to 1 and is never believed to be far from it.

struct ClockPoint: Equatable, Sendable {
    var x: Double
    var y: Double
}

struct RobustLine: Equatable, Sendable {
    /// A clock of a device is off by at most 200 ppm; beyond 1,000 it is the points that are wrong.
    static let skewMax = 0.001
    /// Below that, noise of a millisecond would say more of the slope than the clocks do.
    static let spanForSlope = 10e9
    /// Pairs are compared each with each: 96 points make 4,560.
    static let pointsMax = 96
    /// What lies this near is no outlier, however well the others agree.
    static let toleranceMin = 1e6

    /// `y(x) = y0 + slope · (x − x0)`
    var slope: Double
    var x0: Double
    var y0: Double

    func callAsFunction(_ x: Double) -> Double { y0 + slope * (x - x0) }

    /// What of a bucket of points stands for it.
    enum Choice {
        /// The one with the smallest y for its x: delay only ever adds.
        case lowest
        case median
    }

    /// `nil` without points. They are in the order of x.
    init?(through all: [ClockPoint], _ choice: Choice) {
        let points = Self.thin(all, choice)
        guard let first = points.first, let last = points.last else { return nil }
        x0 = (first.x + last.x) / 2
        slope = 1
        y0 = 0
        if last.x - first.x >= Self.spanForSlope { slope = Self.medianSlope(points) }
        y0 = Self.median(points.map { $0.y - slope * ($0.x - x0) })
        if last.x - first.x >= Self.spanForSlope { refine(points) }
    }

    private mutating func refine(_ points: [ClockPoint]) {
        let spread = Self.median(points.map { abs($0.y - self($0.x)) })
        let tolerance = max(3 * spread, Self.toleranceMin)
        let good = points.filter { abs($0.y - self($0.x)) <= tolerance }
        guard good.count >= 3 else { return }
        let count = Double(good.count)
        let meanX = good.reduce(0) { $0 + ($1.x - x0) } / count
        let meanY = good.reduce(0) { $0 + ($1.y - y0) } / count
        var (products, squares) = (0.0, 0.0)
        for point in good {
            let x = point.x - x0 - meanX
            products += x * (point.y - y0 - meanY)
            squares += x * x
        }
        guard squares > 0 else { return }
        slope = Self.believable(products / squares)
        x0 += meanX
        y0 += meanY
    }

    private static func believable(_ slope: Double) -> Double { min(max(slope, 1 - skewMax), 1 + skewMax) }

    private static func medianSlope(_ points: [ClockPoint]) -> Double {
        guard let first = points.first, let last = points.last else { return 1 }
        // Neighbours say little: their noise is divided by little.
        let apart = (last.x - first.x) / 4
        var slopes: [Double] = []
        for (index, left) in points.enumerated() {
            for right in points[index...] where right.x - left.x >= apart {
                slopes.append((right.y - left.y) / (right.x - left.x))
            }
        }
        return slopes.isEmpty ? 1 : believable(median(slopes))
    }

    /// At most `pointsMax`, one for each equal part of the abscissa. Of few points each stands for itself, unless delay
    /// is to be taken out of them.
    static func thin(_ points: [ClockPoint], _ choice: Choice) -> [ClockPoint] {
        guard let first = points.first, let last = points.last, last.x > first.x else {
            return choose(points[...], choice).map { [$0] } ?? []
        }
        if choice == .median && points.count <= pointsMax { return points }
        // A lowest point wants some to be the lowest of.
        let parts = choice == .lowest ? min(pointsMax, max(points.count / 8, 1)) : pointsMax
        let width = (last.x - first.x) / Double(parts)
        var chosen: [ClockPoint] = []
        var start = 0
        while start < points.count {
            let part = ((points[start].x - first.x) / width).rounded(.down)
            var end = start + 1
            while end < points.count, ((points[end].x - first.x) / width).rounded(.down) <= part { end += 1 }
            if let point = choose(points[start..<end], choice) { chosen.append(point) }
            start = end
        }
        return chosen
    }

    private static func choose(_ points: ArraySlice<ClockPoint>, _ choice: Choice) -> ClockPoint? {
        switch choice {
        case .lowest: points.min { $0.y - $0.x < $1.y - $1.x }
        case .median:
            points.isEmpty
                ? nil : points.sorted { $0.y - $0.x < $1.y - $1.x }[points.count / 2]
        }
    }

    static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        return values.sorted()[values.count / 2]
    }
}
