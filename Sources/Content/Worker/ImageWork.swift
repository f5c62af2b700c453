// What a worker does for each operation: bytes in, a reply and bytes out. Knows no process and no socket, so that tests
// and fuzzers call it as it is.

import Base

/// Why there is no result.
package enum ImageFailure: Error, Equatable {
    case notAnImage, notADocument, unsupported, tooManyPixels, damaged, tooLarge

    var outcome: WorkerOutcome {
        switch self {
        case .notAnImage: .notAnImage
        case .notADocument: .notADocument
        case .unsupported: .unsupported
        case .tooManyPixels: .tooManyPixels
        case .damaged: .damaged
        case .tooLarge: .tooLarge
        }
    }
}

enum ImageWork {
    static func perform(_ request: WorkerRequest, _ input: Bytes) throws(ImageFailure) -> (WorkerReply, Bytes) {
        switch request.operation {
        case .inspect:
            let facts = try ImageFacts(input, pixelsMax: request.pixelsMax)
            return (reply(facts), [])
        case .thumbnail:
            let facts = try ImageFacts(input, pixelsMax: request.pixelsMax)
            return try thumbnail(input, facts, request.box)
        case .sanitize:
            let facts = try ImageFacts(input, pixelsMax: request.pixelsMax)
            return try sanitize(input, facts)
        case .document:
            guard let info = try PDFInfo.read(input) else { throw .notADocument }
            return (WorkerReply(.done), info.wire)
        }
    }

    private static func reply(_ facts: ImageFacts) -> WorkerReply {
        var reply = WorkerReply(.done)
        reply.format = facts.format.rawValue
        reply.orientation = UInt8(facts.orientation.rawValue)
        reply.hasAlpha = facts.hasAlpha
        reply.isAnimated = facts.isAnimated
        let size = facts.orientation.turned(width: facts.width, height: facts.height)
        (reply.width, reply.height) = size
        return reply
    }

    private static func made(_ format: ImageFormat, width: Int, height: Int) -> WorkerReply {
        var reply = WorkerReply(.done)
        reply.format = format.rawValue
        (reply.width, reply.height) = (width, height)
        return reply
    }

    private static func thumbnail(
        _ input: Bytes, _ facts: ImageFacts, _ box: ImageBox
    ) throws(ImageFailure) -> (WorkerReply, Bytes) {
        let upright = facts.orientation.turned(width: facts.width, height: facts.height)
        let (width, height) = box.fitting(width: upright.width, height: upright.height)
        // Scaled as it lies, and turned when it is small.
        let lying = facts.orientation.turned(width: width, height: height)
        let small = try Decoder.scaled(input, facts, width: lying.width, height: lying.height)
        let picture = small.turned(facts.orientation)
        let format: ImageFormat = picture.isOpaque ? .jpeg : .png
        let bytes =
            try format == .jpeg
            ? Encoder.jpeg(picture, quality: Encoder.thumbnailQuality, profile: facts.profile) : Encoder.png(picture)
        return (made(format, width: picture.width, height: picture.height), bytes)
    }

    private static func sanitize(
        _ input: Bytes, _ facts: ImageFacts
    ) throws(ImageFailure) -> (WorkerReply, Bytes) {
        // An animation would lose all its pictures but one; it is left lying.
        let isLeftLying = facts.isAnimated || facts.width * facts.height > turnedPixelsMax
        guard facts.orientation == .upright || isLeftLying else { return try turn(input, facts) }
        var bytes = try Stripper.strip(input, facts.format)
        if facts.orientation != .upright, !facts.isAnimated {
            // Without the word of how it lies it would be shown wrongly.
            guard facts.format == .jpeg else { throw .tooManyPixels }
            bytes.insert(contentsOf: ExifOrientation.segment(facts.orientation), at: 2)
        }
        return (made(facts.format, width: facts.width, height: facts.height), bytes)
    }

    /// More are not decoded whole, whatever is asked for: 200 MB of pixels.
    static let turnedPixelsMax = 50_000_000

    private static func turn(_ input: Bytes, _ facts: ImageFacts) throws(ImageFailure) -> (WorkerReply, Bytes) {
        let whole = try Decoder.whole(input, facts)
        let size = facts.orientation.turned(width: facts.width, height: facts.height)
        let bytes: Bytes
        switch facts.format {
        case .jpeg:
            bytes = try Encoder.jpeg(
                whole, facts.orientation, quality: Encoder.imageQuality, profile: facts.profile)
        case .png: bytes = try Encoder.png(whole, facts.orientation, colours: facts.colourChunk)
        case .webP: bytes = try Encoder.webP(whole.turned(facts.orientation), isLossless: facts.isLossless)
        case .gif: throw .damaged
        }
        return (made(facts.format, width: size.width, height: size.height), bytes)
    }
}
