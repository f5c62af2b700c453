// What goes between the server and a worker: one request, one reply, in turn. docs/chat/content.md has the fields.
//
// The server reads replies as it reads what comes from the network: the worker may have been taken over by the image
// that it was decoding.

import Base

enum WorkerOperation: UInt8, CaseIterable {
    case inspect = 1
    case thumbnail = 2
    case sanitize = 3
    case document = 4
}

struct WorkerRequest: Equatable {
    static let count = 40
    static let magic = 0x5758_4950

    var operation: WorkerOperation
    var box = ImageBox(width: 1, height: 1)
    /// Of the file, whose descriptor travels along.
    var byteCount: Int
    var pixelsMax: Int
    var outputMax: Int

    var bytes: Bytes {
        var writer = LittleWriter()
        writer.put(Self.magic, 4)
        writer.put(Int(operation.rawValue), 4)
        writer.put(box.width, 4)
        writer.put(box.height, 4)
        writer.put(byteCount, 8)
        writer.put(pixelsMax, 8)
        writer.put(outputMax, 8)
        return writer.bytes
    }

    init(operation: WorkerOperation, box: ImageBox?, byteCount: Int, pixelsMax: Int, outputMax: Int) {
        self.operation = operation
        self.box = box ?? ImageBox(width: 1, height: 1)
        self.byteCount = byteCount
        self.pixelsMax = pixelsMax
        self.outputMax = outputMax
    }

    init?(_ bytes: Bytes) {
        let bytes = bytes[...]
        guard bytes.count == Self.count, bytes.little32(0) == Self.magic,
            let operation = bytes.little32(4).flatMap({ UInt8(exactly: $0) }).flatMap(WorkerOperation.init),
            let width = bytes.little32(8), let height = bytes.little32(12), let byteCount = bytes.little64(16),
            let pixelsMax = bytes.little64(24), let outputMax = bytes.little64(32)
        else { return nil }
        self.init(
            operation: operation, box: ImageBox(width: width, height: height), byteCount: byteCount,
            pixelsMax: pixelsMax, outputMax: outputMax)
    }
}

enum WorkerOutcome: UInt8, CaseIterable {
    /// The first message of a worker: its sandbox is closed.
    case ready = 1
    case done = 2
    case notAnImage = 3
    case notADocument = 4
    case unsupported = 5
    case tooManyPixels = 6
    case damaged = 7
    case tooLarge = 8
    /// Instead of `ready`: the kernel refused the sandbox; `detail` is errno.
    case noSandbox = 9
}

struct WorkerReply: Equatable {
    static let count = 40
    static let magic = 0x5058_4950
    static let sideMax = 65_535

    var outcome: WorkerOutcome
    /// 0 when there is none.
    var format: UInt8 = 0
    var orientation: UInt8 = 1
    var hasAlpha = false
    var isAnimated = false
    var width = 0
    var height = 0
    /// Bytes that follow.
    var payloadCount = 0
    var detail = 0

    init(_ outcome: WorkerOutcome) { self.outcome = outcome }

    var bytes: Bytes {
        var writer = LittleWriter()
        writer.put(Self.magic, 4)
        writer.put(Int(outcome.rawValue), 1)
        writer.put(Int(format), 1)
        writer.put(Int(orientation), 1)
        writer.put((hasAlpha ? 1 : 0) | (isAnimated ? 2 : 0), 1)
        writer.put(width, 4)
        writer.put(height, 4)
        writer.put(payloadCount, 8)
        writer.put(detail, 8)
        writer.put(0, 8)
        return writer.bytes
    }

    /// `nil` for what no worker of ours writes.
    init?(_ bytes: Bytes, payloadMax: Int) {
        let bytes = bytes[...]
        guard bytes.count == Self.count, bytes.little32(0) == Self.magic,
            let outcome = bytes.byte(4).flatMap(WorkerOutcome.init), let format = bytes.byte(5),
            let orientation = bytes.byte(6), (1...8).contains(orientation), let flags = bytes.byte(7), flags < 4,
            let width = bytes.little32(8), let height = bytes.little32(12), width <= Self.sideMax,
            height <= Self.sideMax, let payloadCount = bytes.little64(16), payloadCount <= payloadMax,
            let detail = bytes.little64(24)
        else { return nil }
        self.outcome = outcome
        self.format = format
        self.orientation = orientation
        hasAlpha = flags & 1 != 0
        isAnimated = flags & 2 != 0
        self.width = width
        self.height = height
        self.payloadCount = payloadCount
        self.detail = detail
    }

    /// `nil` unless it describes an image of at most so many pixels.
    func info(pixelsMax: Int) -> ImageInfo? {
        guard let format = ImageFormat(rawValue: format), width > 0, height > 0, width * height <= pixelsMax else {
            return nil
        }
        return ImageInfo(
            format: format, width: width, height: height, hasAlpha: hasAlpha, isAnimated: isAnimated,
            orientation: Int(orientation))
    }
}

extension DocumentInfo {
    /// pages + 1 or 0, encrypted, and two texts with their counts.
    var wire: Bytes {
        var writer = LittleWriter()
        writer.put(pages.map { $0 + 1 } ?? 0, 4)
        writer.put(isEncrypted ? 1 : 0, 4)
        for text in [title, author] {
            let bytes = Bytes((text ?? "").utf8)
            writer.put(bytes.count, 4)
            writer.bytes += bytes
        }
        return writer.bytes
    }

    static let wireMax = 16 + 2 * textBytesMax

    init?(wire bytes: Bytes) {
        let bytes = bytes[...]
        guard let pages = bytes.little32(0), pages <= Self.pagesMax + 1, let flags = bytes.little32(4), flags < 2,
            let titleCount = bytes.little32(8), titleCount <= Self.textBytesMax,
            let authorCount = bytes.little32(12 + titleCount), authorCount <= Self.textBytesMax,
            bytes.count == 16 + titleCount + authorCount
        else { return nil }
        self.init(
            pages: pages > 0 ? pages - 1 : nil, title: Self.text(bytes.dropFirst(12).prefix(titleCount)),
            author: Self.text(bytes.suffix(authorCount)), isEncrypted: flags == 1)
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String? {
        bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}

struct LittleWriter {
    var bytes: Bytes = []

    mutating func put(_ value: Int, _ count: Int) {
        for shift in 0..<count { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * shift))) }
    }
}

extension ArraySlice<UInt8> {
    /// `nil` also for what is no number of bytes: the highest bit must be clear.
    func little64(_ offset: Int) -> Int? {
        guard let low = little32(offset), let high = little32(offset + 4), high < 1 << 31 else { return nil }
        return low | high << 32
    }
}
