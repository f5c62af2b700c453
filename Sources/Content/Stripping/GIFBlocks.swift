// GIF (version 89a) block by block.
//
//     header, 6 | screen, 7 | colours | blocks … | 3B
//     block:  2C <9 bytes> colours <code size> pieces | 21 <label> pieces      piece: <count> <bytes>, the last one of 0

import Base

struct GIFBlocks {
    struct Image {
        var left = 0
        var top = 0
        var width = 0
        var height = 0
        var isInterlaced = false
        /// Three bytes each.
        var colours: ArraySlice<UInt8> = []
        var codeSize = 0
        /// The pieces with their counts.
        var pieces: ArraySlice<UInt8> = []
        var transparent: Int?
    }

    private(set) var width = 0
    private(set) var height = 0
    private(set) var imageCount = 0
    private(set) var hasTransparency = false
    private(set) var first: Image?
    private(set) var stripped: Bytes = []

    var isAnimated: Bool { imageCount > 1 }

    private let bytes: ArraySlice<UInt8>
    private var place = 13
    private var colours: ArraySlice<UInt8> = []
    /// A graphic control that waits for its image: its whole block, and the colour that is none.
    private var control: (block: ArraySlice<UInt8>, transparent: Int?)?

    init(_ input: Bytes) throws(ImageFailure) {
        bytes = input[...]
        guard ImageFormat(firstBytes: input) == .gif else { throw .notAnImage }
        guard bytes.count >= place, let width = bytes.little16(6), let height = bytes.little16(8),
            let flags = bytes.byte(10)
        else { throw .damaged }
        (self.width, self.height) = (width, height)
        stripped.reserveCapacity(input.count)
        colours = try takeColours(flags)
        stripped += bytes[..<place]
        while try takeBlock() {}
        guard imageCount > 0 else { throw .damaged }
    }

    private mutating func takeColours(_ flags: UInt8) throws(ImageFailure) -> ArraySlice<UInt8> {
        guard flags & 0x80 != 0 else { return [] }
        return try take(3 << (Int(flags & 7) + 1))
    }

    private mutating func take(_ count: Int) throws(ImageFailure) -> ArraySlice<UInt8> {
        guard count <= bytes.count - place else { throw .damaged }
        defer { place += count }
        return bytes[place..<(place + count)]
    }

    /// Pieces up to the empty one, with it.
    private mutating func takePieces() throws(ImageFailure) -> ArraySlice<UInt8> {
        let start = place
        while let count = bytes.byte(place) {
            _ = try take(1 + Int(count))
            if count == 0 { return bytes[start..<place] }
        }
        throw .damaged
    }

    /// False behind the last one.
    private mutating func takeBlock() throws(ImageFailure) -> Bool {
        let start = place
        switch try take(1).first {
        case 0x3B:
            stripped.append(0x3B)
            return false
        case 0x2C: try takeImage(start)
        case 0x21: try takeExtension(start)
        default: throw .damaged
        }
        return true
    }

    private mutating func takeImage(_ start: Int) throws(ImageFailure) {
        let head = try take(9)
        guard let left = head.little16(0), let top = head.little16(2), let width = head.little16(4),
            let height = head.little16(6), let flags = head.byte(8)
        else { throw .damaged }
        let own = try takeColours(flags)
        let codeSize = Int(try take(1).first ?? 0)
        let pieces = try takePieces()
        if first == nil {
            first = Image(
                left: left, top: top, width: width, height: height, isInterlaced: flags & 0x40 != 0,
                colours: own.isEmpty ? colours : own, codeSize: codeSize, pieces: pieces,
                transparent: control?.transparent)
            // What the first picture leaves free shows through.
            let isWhole = left == 0 && top == 0 && width >= self.width && height >= self.height
            hasTransparency = control?.transparent != nil || !isWhole
        }
        imageCount += 1
        if let control { stripped += control.block }
        control = nil
        stripped += bytes[start..<place]
    }

    private mutating func takeExtension(_ start: Int) throws(ImageFailure) {
        let label = try take(1).first
        let pieces = try takePieces()
        let block = bytes[start..<place]
        switch label {
        case 0xF9:
            guard pieces.byte(0) == 4, let flags = pieces.byte(1), let colour = pieces.byte(4) else { throw .damaged }
            control = (block, flags & 1 != 0 ? Int(colour) : nil)
        case 0x01:
            // Text as a picture: no browser draws it, and its control is not the next image's.
            control = nil
        case 0xFF:
            // How often an animation runs; whatever else programs left goes.
            let isLoop = pieces.has("\u{B}NETSCAPE2.0\u{3}\u{1}") || pieces.has("\u{B}ANIMEXTS1.0\u{3}\u{1}")
            if isLoop { stripped += block.prefix(18) + [0] }
        default: break
        }
    }
}
