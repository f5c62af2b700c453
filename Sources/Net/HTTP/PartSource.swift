// The body of a `multipart/byteranges` answer, piece by piece.

import Base
import Synchronization
import Wire

final class PartSource: Sendable {
    /// Bytes of the file read at one time.
    private static let slice: Int64 = 64 << 10

    private struct Position {
        var part = 0
        /// In the file; `nil` before the part's head.
        var offset: Int64?
    }

    private let file: OpenFile
    private let frames: MultipartRanges
    private let position = Mutex(Position())

    init(_ file: OpenFile, _ frames: MultipartRanges) {
        self.file = file
        self.frames = frames
    }

    func next() throws(SystemError) -> Bytes? {
        let result = position.withLock { position in
            Result { () throws(SystemError) in try next(&position) }
        }
        return try result.get()
    }

    private func next(_ position: inout Position) throws(SystemError) -> Bytes? {
        guard position.part < frames.ranges.count else {
            defer { position.part += 1 }
            return position.part == frames.ranges.count ? frames.end : nil
        }
        let range = frames.ranges[position.part]
        guard let offset = position.offset else {
            position.offset = range.lowerBound
            return frames.head(of: range)
        }
        let count = min(range.upperBound - offset, Self.slice)
        let bytes = try file.read(at: offset, count: Int(count))
        guard bytes.count == Int(count) else { throw SystemError("read a file that was truncated", code: 5) }
        position.offset = offset + count
        if offset + count == range.upperBound { position = Position(part: position.part + 1) }
        return bytes
    }
}
