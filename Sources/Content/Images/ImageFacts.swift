// What an image says of itself before it is decoded: read by walkers of our own and by the libraries' header readers.
// The pixel bound is held here, before anything is made of the size.

import Base
import CImages

struct ImageFacts {
    /// Larger profiles describe printers; telephones and cameras need some 600 bytes.
    static let profileBytesMax = 4_096

    let format: ImageFormat
    private(set) var width = 0
    private(set) var height = 0
    private(set) var hasAlpha = false
    private(set) var isAnimated = false
    private(set) var orientation = Orientation.upright
    /// Rows come only all together.
    private(set) var isInterlaced = false
    /// A WebP without loss.
    private(set) var isLossless = false
    /// The ICC profile of a colour JPEG, if it is small.
    private(set) var profile: Bytes?
    /// The same as a chunk of PNG.
    private(set) var colourChunk: Bytes?
    /// The still picture of a WebP, by itself.
    private(set) var stillWebP: Bytes?

    init(_ input: Bytes, pixelsMax: Int) throws(ImageFailure) {
        guard let format = ImageFormat(firstBytes: input) else { throw .notAnImage }
        self.format = format
        switch format {
        case .jpeg: try readJPEG(input)
        case .png: try readPNG(input)
        case .gif: try readGIF(input)
        case .webP: try readWebP(input)
        }
        guard width > 0, height > 0, width <= WorkerReply.sideMax, height <= WorkerReply.sideMax else {
            throw .damaged
        }
        guard width * height <= pixelsMax else { throw .tooManyPixels }
    }

    private mutating func readJPEG(_ input: Bytes) throws(ImageFailure) {
        var header = plexi_image_header()
        try LibraryReader.jpeg.open(input, &header) { (_) throws(ImageFailure) in }
        take(header)
        let segments = try JPEGSegments(input, headOnly: true)
        orientation = segments.orientation
        if header.is_gray == 0, header.is_cmyk == 0 { profile = segments.profile(max: Self.profileBytesMax) }
    }

    private mutating func readPNG(_ input: Bytes) throws(ImageFailure) {
        var header = plexi_image_header()
        try LibraryReader.png.open(input, &header) { (_) throws(ImageFailure) in }
        take(header)
        let chunks = try PNGChunks(input)
        orientation = chunks.orientation
        isAnimated = chunks.isAnimated
        if header.is_gray == 0 { colourChunk = chunks.profile(max: Self.profileBytesMax) }
    }

    private mutating func readGIF(_ input: Bytes) throws(ImageFailure) {
        let blocks = try GIFBlocks(input)
        (width, height) = (blocks.width, blocks.height)
        hasAlpha = blocks.hasTransparency
        isAnimated = blocks.isAnimated
    }

    private mutating func readWebP(_ input: Bytes) throws(ImageFailure) {
        let chunks = try WebPChunks(input)
        (width, height) = (chunks.width, chunks.height)
        hasAlpha = chunks.hasAlpha
        isAnimated = chunks.isAnimated
        isLossless = chunks.isLossless
        orientation = chunks.orientation
        stillWebP = chunks.still
    }

    private mutating func take(_ header: plexi_image_header) {
        (width, height) = (Int(header.width), Int(header.height))
        hasAlpha = header.has_alpha != 0
        isInterlaced = header.is_interlaced != 0
    }
}

extension ImageFailure {
    /// What the C functions say.
    static func check(_ code: Int32) throws(ImageFailure) {
        switch Int(code) {
        case Int(PLEXI_IMAGE_OK): return
        case Int(PLEXI_IMAGE_MEMORY): throw .tooManyPixels
        case Int(PLEXI_IMAGE_UNSUPPORTED): throw .unsupported
        default: throw .damaged
        }
    }
}
