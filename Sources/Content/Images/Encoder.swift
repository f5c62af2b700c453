// From pixels to bytes. The rows of a turned picture are gathered as they are written, so there is one picture only.

import Base
import CImages

enum Encoder {
    /// Small pictures show their artefacts; 82 halves the bytes of 92.
    static let thumbnailQuality: Int32 = 82
    /// What is encoded a second time should not show it.
    static let imageQuality: Int32 = 92
    /// JPEG's own bound.
    private static let profileRoom = 65_000

    static func jpeg(
        _ picture: Picture, _ orientation: Orientation = .upright, quality: Int32, profile: Bytes?
    ) throws(ImageFailure) -> Bytes {
        let size = orientation.turned(width: picture.width, height: picture.height)
        var writer: OpaquePointer?
        defer { plexi_jpeg_write_close(writer) }
        let profile = (profile ?? []).prefix(profileRoom)
        let code = Bytes(profile).withUnsafeBufferPointer { room in
            plexi_jpeg_write_begin(
                UInt32(size.width), UInt32(size.height), quality, room.baseAddress, UInt32(room.count), &writer)
        }
        try ImageFailure.check(code)
        try eachRow(picture, orientation) { plexi_jpeg_write_row(writer, $0) }
        return try taken { plexi_jpeg_write_end(writer, $0, $1) }
    }

    /// `colours` is a chunk that says what the colours mean; it stands behind the header, where it must.
    static func png(
        _ picture: Picture, _ orientation: Orientation = .upright, colours: Bytes? = nil
    ) throws(ImageFailure) -> Bytes {
        let size = orientation.turned(width: picture.width, height: picture.height)
        var writer: OpaquePointer?
        defer { plexi_png_write_close(writer) }
        let code = plexi_png_write_begin(
            UInt32(size.width), UInt32(size.height), picture.isOpaque ? 0 : 1, &writer)
        try ImageFailure.check(code)
        try eachRow(picture, orientation) { plexi_png_write_row(writer, $0) }
        var bytes = try taken { plexi_png_write_end(writer, $0, $1) }
        if let colours { bytes.insert(contentsOf: colours, at: PNGChunks.headerEnd) }
        return bytes
    }

    static func webP(_ picture: Picture, isLossless: Bool) throws(ImageFailure) -> Bytes {
        var encoded: UnsafeMutablePointer<UInt8>?
        var count: UInt = 0
        defer { plexi_webp_free(encoded) }
        let code = plexi_webp_encode(
            picture.pixels, UInt32(picture.width), UInt32(picture.height), isLossless ? 1 : 0, imageQuality, &encoded,
            &count)
        try ImageFailure.check(code)
        return Bytes(UnsafeBufferPointer(start: encoded, count: Int(count)))
    }

    private static func eachRow(
        _ picture: Picture, _ orientation: Orientation, _ write: (Bytes) -> Int32
    ) throws(ImageFailure) {
        let size = orientation.turned(width: picture.width, height: picture.height)
        var row: Bytes = []
        row.reserveCapacity(4 * size.width)
        for y in 0..<size.height {
            row.removeAll(keepingCapacity: true)
            picture.appendRow(y, orientation, &row)
            try ImageFailure.check(write(row))
        }
    }

    private static func taken(
        _ end: (UnsafeMutablePointer<UnsafePointer<UInt8>?>, UnsafeMutablePointer<UInt>) -> Int32
    ) throws(ImageFailure) -> Bytes {
        var bytes: UnsafePointer<UInt8>?
        var count: UInt = 0
        try ImageFailure.check(end(&bytes, &count))
        return Bytes(UnsafeBufferPointer(start: bytes, count: Int(count)))
    }
}
