// The one thing of EXIF that pixels need: how they lie.

import Base

enum ExifOrientation {
    /// A directory has some twenty entries; more than this is no camera's.
    private static let entriesMax = 512
    private static let tag = 0x0112

    /// `tiff` begins with the byte order. Upright when it says nothing that is understood.
    static func read(_ tiff: ArraySlice<UInt8>) -> Orientation {
        let isLittle = tiff.has("II*\0")
        guard isLittle || tiff.has("MM\0*") else { return .upright }
        func two(_ offset: Int) -> Int? { isLittle ? tiff.little16(offset) : tiff.big16(offset) }
        func four(_ offset: Int) -> Int? { isLittle ? tiff.little32(offset) : tiff.big32(offset) }
        guard let directory = four(4), let count = two(directory) else { return .upright }
        for index in 0..<min(count, entriesMax) {
            let entry = directory + 2 + 12 * index
            guard let found = two(entry) else { return .upright }
            guard found == tag, two(entry + 2) == 3 else { continue }
            return two(entry + 8).flatMap(Orientation.init) ?? .upright
        }
        return .upright
    }

    /// A segment of a JPEG that says this and nothing else.
    static func segment(_ orientation: Orientation) -> Bytes {
        let entry: Bytes = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, UInt8(orientation.rawValue), 0, 0]
        let tiff = Bytes("MM\0*".utf8) + [0, 0, 0, 8, 0, 1] + entry + [0, 0, 0, 0]
        let content = Bytes("Exif\0\0".utf8) + tiff
        return [0xFF, 0xE1, 0, UInt8(content.count + 2)] + content
    }
}
