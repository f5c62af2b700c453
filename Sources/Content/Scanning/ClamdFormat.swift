// clamd's protocol as functions: what is sent for a stream, and what its answer means. See clamd(8), INSTREAM.
//
//     zINSTREAM\0  <length, 4 bytes big-endian><bytes>…  <0, 4 bytes>
//     answer: "stream: OK\0" | "stream: <name> FOUND\0" | "<words> ERROR\0"

import Base

enum ClamdFormat {
    /// What is sent at once. clamd takes chunks of any size up to its StreamMaxLength; a larger one only needs more
    /// memory on both sides.
    static let chunkBytesMax = 65_536
    /// Answers are lines; what is longer is none of clamd's.
    static let answerBytesMax = 4_096
    /// A name comes from a signature file, and goes to logs and rows.
    static let nameBytesMax = 256

    static let stream = Bytes("zINSTREAM\0".utf8)
    static let ping = Bytes("zPING\0".utf8)
    static let end: Bytes = [0, 0, 0, 0]

    /// A piece of content as chunks. An empty piece is none: a chunk of length 0 ends the stream.
    static func chunks(_ piece: Bytes) -> Bytes {
        var framed: Bytes = []
        framed.reserveCapacity(piece.count + 4 * (piece.count / chunkBytesMax + 1))
        for start in stride(from: 0, to: piece.count, by: chunkBytesMax) {
            let chunk = piece[start..<min(piece.count, start + chunkBytesMax)]
            framed += big(chunk.count) + chunk
        }
        return framed
    }

    private static func big(_ count: Int) -> Bytes {
        [UInt8(count >> 24 & 0xFF), UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)]
    }

    /// The verdict of a whole answer, with or without the byte that ends it.
    static func verdict(_ answer: Bytes) -> ScanVerdict {
        let line = words(answer)
        if line == "stream: OK" { return .clean }
        if let found = between("stream: ", " FOUND", line), !found.isEmpty { return .infected(found) }
        if line.contains("size limit exceeded") {
            return .unavailable("clamd takes no file of this size: raise StreamMaxLength in clamd.conf")
        }
        if line.isEmpty { return .unavailable("clamd closed the connection without a verdict") }
        return .unavailable("clamd said: \(line)")
    }

    static func isPong(_ answer: Bytes) -> Bool { words(answer) == "PONG" }

    /// Printable ASCII, for it is shown and logged.
    private static func words(_ answer: Bytes) -> String {
        let line = answer.prefix { $0 != 0 && $0 != 0x0A }.prefix(nameBytesMax + 32)
        return String(decoding: line.map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }

    private static func between(_ start: String, _ end: String, _ line: String) -> String? {
        guard line.hasPrefix(start), line.hasSuffix(end), line.utf8.count >= start.utf8.count + end.utf8.count else {
            return nil
        }
        let bytes = line.utf8.dropFirst(start.utf8.count).dropLast(end.utf8.count).prefix(nameBytesMax)
        return String(decoding: Array(bytes), as: UTF8.self)
    }
}
