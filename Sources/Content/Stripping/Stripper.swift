// Takes out of an image what its pixels do not need, without decoding them: places, times, names, cameras, previews,
// comments, and whatever stands behind its end. Each walker knows what it keeps; everything else goes.

package import Base

package enum Stripper {
    package static func strip(_ input: Bytes, _ format: ImageFormat) throws(ImageFailure) -> Bytes {
        switch format {
        case .jpeg: try JPEGSegments(input).stripped
        case .png: try PNGChunks(input).stripped
        case .gif: try GIFBlocks(input).stripped
        case .webP: try WebPChunks(input).stripped
        }
    }
}
