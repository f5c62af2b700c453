// Pixels in memory: four bytes each, red, green, blue and alpha, row after row.

package import Base

package struct Picture {
    package let width: Int
    package let height: Int
    package var pixels: Bytes

    /// `nil` when there is not enough memory: asked for here and not by an array, which would end the process.
    init?(width: Int, height: Int) {
        let count = 4 * width * height
        guard width > 0, height > 0, Memory.isThere(count) else { return nil }
        self.init(width: width, height: height, pixels: Bytes(repeating: 0, count: count))
    }

    init(width: Int, height: Int, pixels: Bytes) {
        precondition(pixels.count == 4 * width * height, "a picture of other pixels")
        self.width = width
        self.height = height
        self.pixels = pixels
    }

    var isOpaque: Bool {
        for index in stride(from: 3, to: pixels.count, by: 4) where pixels[index] != 255 { return false }
        return true
    }

    /// For small pictures: there are two of them for a moment.
    func turned(_ orientation: Orientation) -> Picture {
        guard orientation != .upright else { return self }
        let size = orientation.turned(width: width, height: height)
        var upright: Bytes = []
        upright.reserveCapacity(pixels.count)
        for y in 0..<size.height { appendRow(y, orientation, &upright) }
        return Picture(width: size.width, height: size.height, pixels: upright)
    }

    /// Row `y` of the upright picture.
    func appendRow(_ y: Int, _ orientation: Orientation, _ row: inout Bytes) {
        for x in 0..<orientation.turned(width: width, height: height).width {
            let place = orientation.stored(x: x, y: y, width: width, height: height)
            let offset = 4 * (place.y * width + place.x)
            for index in offset..<(offset + 4) { row.append(pixels[index]) }
        }
    }
}
