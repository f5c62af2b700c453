// Makes pictures smaller, row by row: each new pixel is the average of the area that it covers, in light and weighted by
// opacity. Holds one row of sums and never the large picture.

import Base

struct AreaScaler {
    private let sourceWidth: Int
    private let sourceHeight: Int
    private let width: Int
    private let height: Int
    /// What of the next row is there: light of red, green and blue times opacity, and opacity.
    private var sums: [Float]
    private var next = 0
    /// The row that is filled now.
    private var current = 0
    private var pixels: Bytes = []

    /// The new size is at most the old one in both directions, and at least 1.
    init(sourceWidth: Int, sourceHeight: Int, width: Int, height: Int) {
        precondition((1...sourceWidth).contains(width) && (1...sourceHeight).contains(height), "scales down only")
        self.sourceWidth = sourceWidth
        self.sourceHeight = sourceHeight
        self.width = width
        self.height = height
        sums = Array(repeating: 0, count: 4 * width)
        pixels.reserveCapacity(4 * width * height)
    }

    /// The rows of the source, in order, 4 bytes a pixel.
    mutating func add(_ row: UnsafeBufferPointer<UInt8>) {
        precondition(row.count >= 4 * sourceWidth && next < sourceHeight, "a row too short or too many")
        // In units of which a new row has `sourceHeight` and an old one `height`.
        let start = next * height
        let end = start + height
        let boundary = (current + 1) * sourceHeight
        let first = min(end, boundary) - start
        add(row, weight: Float(first) / Float(sourceHeight))
        if end >= boundary {
            finishRow()
            if end > boundary { add(row, weight: Float(end - boundary) / Float(sourceHeight)) }
        }
        next += 1
    }

    private mutating func add(_ row: UnsafeBufferPointer<UInt8>, weight: Float) {
        let scale = weight / Float(sourceWidth)
        Brightness.light.withUnsafeBufferPointer { light in
            sums.withUnsafeMutableBufferPointer { sums in
                for x in 0..<width {
                    var (red, green, blue, opacity): (Float, Float, Float, Float) = (0, 0, 0, 0)
                    // In units of which a new pixel has `sourceWidth` and an old one `width`.
                    var place = x * sourceWidth
                    let end = place + sourceWidth
                    while place < end {
                        let source = place / width
                        let part = min((source + 1) * width, end) - place
                        let share = Float(part) * Float(row[4 * source + 3])
                        red += share * light[Int(row[4 * source])]
                        green += share * light[Int(row[4 * source + 1])]
                        blue += share * light[Int(row[4 * source + 2])]
                        opacity += share
                        place += part
                    }
                    sums[4 * x] += red * scale
                    sums[4 * x + 1] += green * scale
                    sums[4 * x + 2] += blue * scale
                    sums[4 * x + 3] += opacity * scale
                }
            }
        }
    }

    private mutating func finishRow() {
        for x in 0..<width {
            let opacity = sums[4 * x + 3]
            let isSeen = opacity > 0
            for colour in 0..<3 { pixels.append(isSeen ? Brightness.byte(sums[4 * x + colour] / opacity) : 0) }
            pixels.append(UInt8(min(max(opacity + 0.5, 0), 255)))
        }
        for index in sums.indices { sums[index] = 0 }
        current += 1
    }

    /// `nil` when rows are missing.
    func finished() -> Picture? {
        guard next == sourceHeight, current == height else { return nil }
        return Picture(width: width, height: height, pixels: pixels)
    }
}
