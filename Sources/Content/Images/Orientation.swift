// How a picture lies (EXIF's tag 0x0112), and turning it upright.

/// The raw value is EXIF's number: where the first row and the first column of what is stored belong.
package enum Orientation: Int, Sendable, CaseIterable {
    case upright = 1
    case mirrored = 2
    case upsideDown = 3
    case flipped = 4
    case transposed = 5
    /// To be turned clockwise by a quarter.
    case quarter = 6
    case transversed = 7
    /// To be turned anti-clockwise by a quarter.
    case threeQuarters = 8

    package var swapsSides: Bool { rawValue >= 5 }

    package func turned(width: Int, height: Int) -> (width: Int, height: Int) {
        swapsSides ? (height, width) : (width, height)
    }

    /// Where the pixel at `x`, `y` of the upright picture is stored; `width` and `height` are those of what is stored.
    func stored(x: Int, y: Int, width: Int, height: Int) -> (x: Int, y: Int) {
        switch self {
        case .upright: (x, y)
        case .mirrored: (width - 1 - x, y)
        case .upsideDown: (width - 1 - x, height - 1 - y)
        case .flipped: (x, height - 1 - y)
        case .transposed: (y, x)
        case .quarter: (y, height - 1 - x)
        case .transversed: (width - 1 - y, height - 1 - x)
        case .threeQuarters: (width - 1 - y, x)
        }
    }
}
