// The path of a request as segments (RFC 3986 §3.3).

import Base

package enum URLPath {
    /// No route has more than ten; a longer path is 414.
    package static let maximumSegments = 64

    /// Splits first and decodes then, so that an encoded slash makes no segment. `/` has no segments, `/a/` has `a` and
    /// an empty one. Refused with 400, because a segment may become a name on disk or in a log: malformed
    /// percent-encoding, text that is not UTF-8, control characters, a slash, `.` and `..`.
    package static func segments(_ path: String) throws(HTTPParseError) -> [String] {
        let bytes = Bytes(path.utf8)
        guard bytes.first == 0x2F else { throw HTTPParseError(.badRequest, "the path does not begin with /") }
        if bytes.count == 1 { return [] }
        var segments: [String] = []
        for piece in bytes.dropFirst().split(separator: 0x2F, omittingEmptySubsequences: false) {
            guard segments.count < maximumSegments else {
                throw HTTPParseError(.uriTooLong, "the path has too many segments", path: path)
            }
            do throws(HTTPParseError) {
                segments.append(try segment(piece))
            } catch {
                throw error.at(path)
            }
        }
        return segments
    }

    private static func segment(_ piece: ArraySlice<UInt8>) throws(HTTPParseError) -> String {
        guard let decoded = piece.contains(0x25) ? PercentEncoding.decode(piece) : Bytes(piece) else {
            throw .bad("malformed percent-encoding in the path")
        }
        guard !decoded.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0x2F }) else {
            throw .bad("an encoded slash or control character in the path")
        }
        guard decoded != [0x2E], decoded != [0x2E, 0x2E] else { throw .bad("a . or .. segment in the path") }
        guard let text = String(validating: decoded) else { throw .bad("the path is not UTF-8") }
        return text
    }
}
