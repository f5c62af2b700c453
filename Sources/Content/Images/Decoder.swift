// From bytes to pixels. Rows go straight from the library into the scaler; only what comes in no order is held whole.

import Base
import CImages

/// A reader of one of the libraries that decode row by row.
enum LibraryReader {
    case jpeg, png

    /// It is closed when `body` returns.
    func open(
        _ input: Bytes, _ header: inout plexi_image_header,
        _ body: (OpaquePointer) throws(ImageFailure) -> Void
    ) throws(ImageFailure) {
        try input.withUnsafeBufferPointer { (room) throws(ImageFailure) in
            var reader: OpaquePointer?
            let code: Int32
            switch self {
            case .jpeg: code = plexi_jpeg_open(room.baseAddress, UInt(room.count), &reader, &header)
            case .png: code = plexi_png_open(room.baseAddress, UInt(room.count), &reader, &header)
            }
            defer { close(reader) }
            try ImageFailure.check(code)
            guard let reader else { throw .tooManyPixels }
            try body(reader)
        }
    }

    private func close(_ reader: OpaquePointer?) {
        switch self {
        case .jpeg: plexi_jpeg_close(reader)
        case .png: plexi_png_close(reader)
        }
    }
}

enum Decoder {
    typealias RowBody = (UnsafeBufferPointer<UInt8>) -> Void

    /// The picture as it lies, in this size.
    static func scaled(
        _ input: Bytes, _ facts: ImageFacts, width: Int, height: Int
    ) throws(ImageFailure) -> Picture {
        let eighths = facts.format == .jpeg ? jpegEighths(facts, width: width, height: height) : 8
        var scaler: AreaScaler?
        let rows: (Int, Int) throws(ImageFailure) -> RowBody = { sourceWidth, sourceHeight in
            scaler = AreaScaler(
                sourceWidth: sourceWidth, sourceHeight: sourceHeight, width: min(width, sourceWidth),
                height: min(height, sourceHeight))
            return { scaler?.add($0) }
        }
        try decode(input, facts, eighths: eighths, rows)
        guard let picture = scaler?.finished() else { throw .damaged }
        return picture
    }

    static func whole(_ input: Bytes, _ facts: ImageFacts) throws(ImageFailure) -> Picture {
        // An array that grows by doubling would need twice the memory.
        guard Memory.isThere(4 * facts.width * facts.height) else { throw .tooManyPixels }
        var pixels: Bytes = []
        pixels.reserveCapacity(4 * facts.width * facts.height)
        try decode(input, facts, eighths: 8) { (_, _) in { pixels.append(contentsOf: $0) } }
        guard pixels.count == 4 * facts.width * facts.height else { throw .damaged }
        return Picture(width: facts.width, height: facts.height, pixels: pixels)
    }

    /// The strongest scaling of libjpeg that leaves at least the wanted size: there it costs a fraction of decoding.
    static func jpegEighths(_ facts: ImageFacts, width: Int, height: Int) -> UInt32 {
        let enough = [1, 2, 4].first { eighths in
            (facts.width * eighths + 7) / 8 >= width && (facts.height * eighths + 7) / 8 >= height
        }
        return UInt32(enough ?? 8)
    }

    /// `rows` is told the size of what comes, once, and makes what takes the rows.
    private static func decode(
        _ input: Bytes, _ facts: ImageFacts, eighths: UInt32,
        _ rows: (Int, Int) throws(ImageFailure) -> RowBody
    ) throws(ImageFailure) {
        switch facts.format {
        case .jpeg: try decodeJPEG(input, eighths, rows)
        case .png: try decodePNG(input, facts, rows)
        case .gif: try hand(try GIFDecoder.firstPicture(input), rows)
        case .webP: try hand(try decodeWebP(facts), rows)
        }
    }

    private static func decodeJPEG(
        _ input: Bytes, _ eighths: UInt32, _ rows: (Int, Int) throws(ImageFailure) -> RowBody
    ) throws(ImageFailure) {
        var header = plexi_image_header()
        try LibraryReader.jpeg.open(input, &header) { (reader) throws(ImageFailure) in
            var (width, height): (UInt32, UInt32) = (0, 0)
            try ImageFailure.check(plexi_jpeg_begin(reader, eighths, &width, &height))
            try read(Int(width), Int(height), rows) { plexi_jpeg_row(reader, &$0) }
        }
    }

    private static func decodePNG(
        _ input: Bytes, _ facts: ImageFacts, _ rows: (Int, Int) throws(ImageFailure) -> RowBody
    ) throws(ImageFailure) {
        var header = plexi_image_header()
        try LibraryReader.png.open(input, &header) { (reader) throws(ImageFailure) in
            if facts.isInterlaced {
                guard var picture = Picture(width: facts.width, height: facts.height) else { throw .tooManyPixels }
                try ImageFailure.check(plexi_png_all(reader, &picture.pixels))
                try hand(picture, rows)
            } else {
                try read(facts.width, facts.height, rows) { plexi_png_row(reader, &$0) }
            }
            try ImageFailure.check(plexi_png_finish(reader))
        }
    }

    /// Row after row, all into the same room.
    private static func read(
        _ width: Int, _ height: Int, _ rows: (Int, Int) throws(ImageFailure) -> RowBody, _ next: (inout Bytes) -> Int32
    ) throws(ImageFailure) {
        let take = try rows(width, height)
        var row = Bytes(repeating: 0, count: 4 * width)
        for _ in 0..<height {
            try ImageFailure.check(next(&row))
            row.withUnsafeBufferPointer(take)
        }
    }

    private static func decodeWebP(_ facts: ImageFacts) throws(ImageFailure) -> Picture {
        guard let still = facts.stillWebP else { throw .damaged }
        var (width, height): (UInt32, UInt32) = (0, 0)
        try ImageFailure.check(plexi_webp_header(still, UInt(still.count), &width, &height))
        // The picture of an animation may be smaller than its canvas; it then stands alone.
        guard width > 0, height > 0, Int(width) <= facts.width, Int(height) <= facts.height else { throw .damaged }
        guard var picture = Picture(width: Int(width), height: Int(height)) else { throw .tooManyPixels }
        let room = UInt(picture.pixels.count)
        try ImageFailure.check(plexi_webp_decode(still, UInt(still.count), &picture.pixels, room, width))
        guard facts.width > picture.width || facts.height > picture.height else { return picture }
        return try onCanvas(picture, facts)
    }

    /// In the corner of an empty canvas: proportions must be those that the header told.
    private static func onCanvas(_ picture: Picture, _ facts: ImageFacts) throws(ImageFailure) -> Picture {
        guard var canvas = Picture(width: facts.width, height: facts.height) else { throw .tooManyPixels }
        for y in 0..<picture.height {
            let start = 4 * y * facts.width
            canvas.pixels.replaceSubrange(
                start..<(start + 4 * picture.width),
                with: picture.pixels[(4 * y * picture.width)..<(4 * (y + 1) * picture.width)])
        }
        return canvas
    }

    private static func hand(
        _ picture: Picture, _ rows: (Int, Int) throws(ImageFailure) -> RowBody
    ) throws(ImageFailure) {
        let take = try rows(picture.width, picture.height)
        picture.pixels.withUnsafeBufferPointer { pixels in
            for y in 0..<picture.height {
                take(UnsafeBufferPointer(rebasing: pixels[(4 * y * picture.width)..<(4 * (y + 1) * picture.width)]))
            }
        }
    }
}
