// The path of a request as segments (RFC 3986 §3.3).

import Base

package enum URLPath {
    /// No route has more than ten; a longer path is 414.
    package static let maximumSegments = 64

    /// Splits first and decodes then, so that an encoded slash makes no segment. `/` has no segments, `/a/` has `a` and
    /// an empty one. Refused with 400, because a segment may become a name on disk or in a log: malformed
    /// percent-encoding, text that is not UTF-8, control characters, a slash, `.` and `..`.
    package static func segments(_ path: String) throws(HTTPParseError) -> [String] {
        let bytes = path.utf8.span
        guard bytes.count > 0, bytes[0] == 0x2F else { throw .bad("the path does not begin with /").at(path) }
        if bytes.count == 1 { return [] }
        var segments: [String] = []
        segments.reserveCapacity(8)
        var start = 1
        while start <= bytes.count {
            var end = start
            while end < bytes.count, bytes[end] != 0x2F { end &+= 1 }
            guard segments.count < maximumSegments else {
                throw HTTPParseError(.uriTooLong, "the path has too many segments", path: path)
            }
            do throws(HTTPParseError) {
                segments.append(try segment(bytes, start..<end))
            } catch {
                throw error.at(path)
            }
            start = end &+ 1
        }
        return segments
    }

    /// Most segments are plain names, which need no second look.
    private static func segment(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(HTTPParseError) -> String {
        for index in range where !ByteSet.unreserved.contains(bytes[index]) {
            return try decoded(bytes, range)
        }
        guard range.count > 2 || !isDots(bytes, range) else { throw .bad("a . or .. segment in the path") }
        return bytes.text(range)
    }

    private static func isDots(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        for index in range where bytes[index] != 0x2E { return false }
        return !range.isEmpty
    }

    private static func decoded(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(HTTPParseError) -> String {
        let piece = unsafe bytes.extracting(range).withUnsafeBufferPointer { unsafe Bytes($0) }
        guard let decoded = PercentEncoding.decode(piece[...]) else {
            throw .bad("malformed percent-encoding in the path")
        }
        guard !decoded.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0x2F }) else {
            throw .bad("an encoded slash or control character in the path")
        }
        guard decoded.count > 2 || !isDots(decoded.span, 0..<decoded.count) else {
            throw .bad("a . or .. segment in the path")
        }
        guard let text = String(validating: decoded) else { throw .bad("the path is not UTF-8") }
        return text
    }
}
