// WebP (RFC 9649) chunk by chunk: "RIFF" <length, 4 bytes> "WEBP", then <name> <length, 4 bytes> <content>, filled up to
// an even count. A plain file has one chunk, VP8 or VP8L; an extended one begins with VP8X, whose flags say what follows.

import Base

struct WebPChunks {
    private struct Flags {
        static let animation: UInt8 = 0x02
        static let xmp: UInt8 = 0x04
        static let exif: UInt8 = 0x08
        static let alpha: UInt8 = 0x10
        static let profile: UInt8 = 0x20
    }

    private(set) var width = 0
    private(set) var height = 0
    private(set) var hasAlpha = false
    private(set) var isAnimated = false
    private(set) var isLossless = false
    private(set) var orientation = Orientation.upright
    /// The first picture as a file by itself.
    private(set) var still: Bytes?
    private var body: Bytes = []
    /// Where in `body` the flags are; `nil` in a plain file.
    private var flagsAt: Int?
    private var hasProfile = false
    /// The transparency of the picture that comes next.
    private var alpha: ArraySlice<UInt8>?

    init(_ input: Bytes) throws(ImageFailure) {
        guard ImageFormat(firstBytes: input) == .webP else { throw .notAnImage }
        guard let length = input[...].little32(4), length >= 4, length <= input.count - 8 else { throw .damaged }
        let bytes = input[12..<(8 + length)]
        body.reserveCapacity(bytes.count)
        var isFirst = true
        try Self.each(bytes) { (chunk) throws(ImageFailure) in
            try take(chunk, isFirst: isFirst)
            isFirst = false
        }
        guard still != nil, width > 0, height > 0 else { throw .damaged }
        guard let flagsAt else { return }
        body[flagsAt] &= ~(Flags.xmp | Flags.exif)
        if !hasProfile { body[flagsAt] &= ~Flags.profile }
    }

    var stripped: Bytes { Self.file(body) }

    private struct Chunk {
        let whole: ArraySlice<UInt8>
        var content: ArraySlice<UInt8> { whole.dropFirst(8).prefix(whole.little32(4) ?? 0) }
        func isNamed(_ name: StaticString) -> Bool { whole.has(name) }
    }

    private static func each(
        _ bytes: ArraySlice<UInt8>, _ body: (Chunk) throws(ImageFailure) -> Void
    ) throws(ImageFailure) {
        var rest = bytes
        while !rest.isEmpty {
            guard let count = rest.little32(4), count <= rest.count - 8 else { throw .damaged }
            // Some writers forget to fill up the last one.
            let chunk = rest.prefix(8 + count + count % 2)
            try body(Chunk(whole: chunk))
            rest = rest.dropFirst(chunk.count)
        }
    }

    private static func file(_ body: Bytes) -> Bytes {
        var writer = LittleWriter()
        writer.bytes = Bytes("RIFF".utf8)
        writer.put(body.count + 4, 4)
        return writer.bytes + "WEBP".utf8 + body
    }

    private mutating func keep(_ chunk: Chunk) {
        body += chunk.whole
        if chunk.whole.count % 2 == 1 { body.append(0) }
    }

    private mutating func take(_ chunk: Chunk, isFirst: Bool) throws(ImageFailure) {
        if isFirst, chunk.isNamed("VP8X") { return try takeHeader(chunk) }
        if chunk.isNamed("VP8 ") || chunk.isNamed("VP8L") {
            guard isFirst || flagsAt != nil else { throw .damaged }
            try takePicture(chunk, isPlain: isFirst)
            keep(chunk)
        } else if chunk.isNamed("ALPH"), flagsAt != nil {
            alpha = chunk.whole
            keep(chunk)
        } else if chunk.isNamed("ANIM"), flagsAt != nil {
            keep(chunk)
        } else if chunk.isNamed("ANMF"), flagsAt != nil {
            try takeFrame(chunk)
        } else if chunk.isNamed("ICCP"), flagsAt != nil, chunk.content.count <= ImageFacts.profileBytesMax {
            hasProfile = true
            keep(chunk)
        } else if chunk.isNamed("EXIF") {
            let content = chunk.content
            orientation = ExifOrientation.read(content.has("Exif\0\0") ? content.dropFirst(6) : content)
        }
    }

    private mutating func takeHeader(_ chunk: Chunk) throws(ImageFailure) {
        let content = chunk.content
        guard content.count == 10, let flags = content.byte(0), let low = content.little32(4),
            let high = content.little16(8)
        else { throw .damaged }
        width = low & 0xFF_FFFF + 1
        height = low >> 24 | high << 8 + 1
        hasAlpha = flags & Flags.alpha != 0
        isAnimated = flags & Flags.animation != 0
        flagsAt = body.count + 8
        keep(chunk)
    }

    /// A still picture, of the file or of its first frame.
    private mutating func takePicture(_ chunk: Chunk, isPlain: Bool) throws(ImageFailure) {
        guard still == nil else { return }
        let isLossless = chunk.isNamed("VP8L")
        guard let size = isLossless ? Self.losslessSize(chunk.content) : Self.lossySize(chunk.content) else {
            throw .damaged
        }
        self.isLossless = isLossless
        if isPlain {
            (width, height) = (size.width, size.height)
            hasAlpha = size.hasAlpha
        }
        still = Self.file(alone(chunk, size, isLossless))
        alpha = nil
    }

    private func alone(_ chunk: Chunk, _ size: Size, _ isLossless: Bool) -> Bytes {
        var alone: Bytes = []
        if let alpha, !isLossless {
            var writer = LittleWriter()
            writer.bytes = Bytes("VP8X".utf8)
            writer.put(10, 4)
            writer.put(Int(Flags.alpha), 4)
            writer.put(size.width - 1, 3)
            writer.put(size.height - 1, 3)
            alone = writer.bytes + alpha
            if alone.count % 2 == 1 { alone.append(0) }
        }
        alone += chunk.whole
        return alone
    }

    private struct Size {
        let width: Int
        let height: Int
        let hasAlpha: Bool
    }

    private static func lossySize(_ content: ArraySlice<UInt8>) -> Size? {
        guard content.dropFirst(3).starts(with: [0x9D, 0x01, 0x2A]), let width = content.little16(6),
            let height = content.little16(8), width & 0x3FFF > 0, height & 0x3FFF > 0
        else { return nil }
        return Size(width: width & 0x3FFF, height: height & 0x3FFF, hasAlpha: false)
    }

    private static func losslessSize(_ content: ArraySlice<UInt8>) -> Size? {
        guard content.byte(0) == 0x2F, let bits = content.little32(1) else { return nil }
        return Size(width: bits & 0x3FFF + 1, height: bits >> 14 & 0x3FFF + 1, hasAlpha: bits >> 28 & 1 != 0)
    }

    /// 16 bytes of place, size and time, then chunks as in a file.
    private mutating func takeFrame(_ chunk: Chunk) throws(ImageFailure) {
        let content = chunk.content
        guard content.count >= 16 else { throw .damaged }
        var frame = Bytes(content.prefix(16))
        alpha = nil
        try Self.each(content.dropFirst(16)) { (inner) throws(ImageFailure) in
            let isPicture = inner.isNamed("VP8 ") || inner.isNamed("VP8L")
            guard isPicture || inner.isNamed("ALPH") else { return }
            if isPicture { try takePicture(inner, isPlain: false) } else { alpha = inner.whole }
            frame += inner.whole
            if inner.whole.count % 2 == 1 { frame.append(0) }
        }
        var writer = LittleWriter()
        writer.bytes = Bytes("ANMF".utf8)
        writer.put(frame.count, 4)
        body += writer.bytes + frame
    }
}
