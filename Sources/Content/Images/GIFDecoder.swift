// The first picture of a GIF: LZW with codes of growing length, least significant bit first (GIF89a, appendix F).

package import Base

package enum GIFDecoder {
    private static let codesMax = 4_096
    private static let codeBitsMax = 12

    package static func firstPicture(_ input: Bytes) throws(ImageFailure) -> Picture {
        let blocks = try GIFBlocks(input)
        guard let image = blocks.first else { throw .damaged }
        guard image.width > 0, image.height > 0, (2...8).contains(image.codeSize) else { throw .damaged }
        // Some writers leave the screen empty or too small; a picture may not reach out of it.
        guard image.left + image.width <= blocks.width, image.top + image.height <= blocks.height else {
            throw .damaged
        }
        let indices = try unpack(image)
        guard var picture = Picture(width: blocks.width, height: blocks.height) else { throw .tooManyPixels }
        paint(indices, image, on: &picture)
        return picture
    }

    private static func paint(_ indices: Bytes, _ image: GIFBlocks.Image, on picture: inout Picture) {
        let colours = Bytes(image.colours)
        var row = 0
        for y in image.isInterlaced ? interlaced(image.height) : Array(0..<image.height) {
            var offset = 4 * ((image.top + y) * picture.width + image.left)
            for x in 0..<image.width {
                let index = Int(indices[row * image.width + x])
                if index != image.transparent, 3 * index + 2 < colours.count {
                    for part in 0..<3 { picture.pixels[offset + part] = colours[3 * index + part] }
                    picture.pixels[offset + 3] = 255
                }
                offset += 4
            }
            row += 1
        }
    }

    /// Every eighth row, the ones between, and so on: where the rows that come belong.
    private static func interlaced(_ height: Int) -> [Int] {
        [(0, 8), (4, 8), (2, 4), (1, 2)].flatMap { Array(stride(from: $0.0, to: height, by: $0.1)) }
    }

    /// One index of a colour for each pixel.
    private static func unpack(_ image: GIFBlocks.Image) throws(ImageFailure) -> Bytes {
        let count = image.width * image.height
        guard Memory.isThere(count) else { throw .tooManyPixels }
        var table = Table(codeSize: image.codeSize)
        var bits = Bits(image.pieces)
        var indices: Bytes = []
        indices.reserveCapacity(count)
        while indices.count < count {
            guard let code = bits.take(table.codeBits) else { throw .damaged }
            if code == table.clear {
                table.reset()
            } else if code == table.end {
                break
            } else {
                guard table.expand(code, into: &indices, limit: count) else { throw .damaged }
            }
        }
        guard indices.count == count else { throw .damaged }
        return indices
    }

    /// Codes from pieces.
    private struct Bits {
        private let pieces: ArraySlice<UInt8>
        private var place: Int
        private var pieceEnd: Int
        private var held: UInt32 = 0
        private var heldBits = 0

        init(_ pieces: ArraySlice<UInt8>) {
            self.pieces = pieces
            place = pieces.startIndex
            pieceEnd = pieces.startIndex
        }

        mutating func take(_ count: Int) -> Int? {
            while heldBits < count {
                guard let byte = nextByte() else { return nil }
                held |= UInt32(byte) << UInt32(heldBits)
                heldBits += 8
            }
            let code = Int(held & (1 << UInt32(count) - 1))
            held >>= UInt32(count)
            heldBits -= count
            return code
        }

        private mutating func nextByte() -> UInt8? {
            if place == pieceEnd {
                guard place < pieces.endIndex, pieces[place] > 0 else { return nil }
                pieceEnd = min(place + 1 + Int(pieces[place]), pieces.endIndex)
                place += 1
            }
            guard place < pieceEnd else { return nil }
            defer { place += 1 }
            return pieces[place]
        }
    }

    /// Strings of indices, each another one and a byte.
    private struct Table {
        let clear: Int
        let end: Int
        private let codeSize: Int
        private(set) var codeBits: Int
        private var prefixes = [Int16](repeating: -1, count: GIFDecoder.codesMax)
        private var lasts = Bytes(repeating: 0, count: GIFDecoder.codesMax)
        private var count: Int
        private var previous = -1
        private var reversed: Bytes = []

        init(codeSize: Int) {
            self.codeSize = codeSize
            clear = 1 << codeSize
            end = clear + 1
            codeBits = codeSize + 1
            count = clear + 2
            for index in 0..<clear { lasts[index] = UInt8(index) }
        }

        mutating func reset() {
            codeBits = codeSize + 1
            count = clear + 2
            previous = -1
        }

        /// False for a code that nothing has brought about.
        mutating func expand(_ code: Int, into indices: inout Bytes, limit: Int) -> Bool {
            guard code < count || (code == count && previous >= 0), code != end, code != clear else { return false }
            let known = code < count ? code : previous
            reversed.removeAll(keepingCapacity: true)
            var walk = known
            while walk >= 0 {
                reversed.append(lasts[walk])
                walk = walk < clear ? -1 : Int(prefixes[walk])
            }
            let first = reversed[reversed.count - 1]
            if code == count { reversed.insert(first, at: 0) }
            for index in reversed.reversed() where indices.count < limit { indices.append(index) }
            add(first)
            previous = code
            return true
        }

        private mutating func add(_ last: UInt8) {
            guard previous >= 0, count < GIFDecoder.codesMax else { return }
            prefixes[count] = Int16(previous)
            lasts[count] = last
            count += 1
            if count == 1 << codeBits, codeBits < GIFDecoder.codeBitsMax { codeBits += 1 }
        }
    }
}
