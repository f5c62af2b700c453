// Parts of a representation (RFC 9110 §14): which bytes a Range field means, and how they are sent.

package import Base

package enum ByteRanges: Sendable, Equatable {
    /// No Range, or one that is overlooked: the answer is 200 with everything.
    case whole
    /// Not empty, ascending, apart from each other: 206.
    case parts([Range<Int64>])
    /// 416.
    case unsatisfiable

    /// More ranges than this are overlooked: each costs a part header and a seek, and players ask for one.
    package static let maximumCount = 16

    /// Ranges closer than this are sent as one, since the header of another part is longer (RFC 9110 §15.3.7.2).
    private static let smallestGap: Int64 = 80

    /// What is malformed, has another unit or too many ranges is overlooked (§14.2). Ranges that overlap or nearly
    /// touch become one, so no request gets more bytes than the whole has. `bytes=-5` of nothing is the whole.
    package init(_ header: String?, length: Int64) {
        guard let header, let specified = Self.parse(header), specified.count <= Self.maximumCount else {
            self = .whole
            return
        }
        let wanted = specified.compactMap { $0.resolved(length) }
        guard !wanted.isEmpty else {
            let asksForEnd = specified.contains { $0.first == nil && $0.last > 0 }
            self = length == 0 && asksForEnd ? .whole : .unsatisfiable
            return
        }
        self = .parts(Self.coalesced(wanted))
    }

    private struct Spec {
        /// `nil` for the last `last` bytes.
        var first: Int64?
        var last: Int64

        func resolved(_ length: Int64) -> Range<Int64>? {
            guard let first else {
                return last > 0 && length > 0 ? (length - min(last, length))..<length : nil
            }
            return first < length ? first..<(min(last, length - 1) + 1) : nil
        }
    }

    private static func parse(_ text: String) -> [Spec]? {
        var scanner = FieldScanner(text)
        guard scanner.lowercasedToken() == "bytes", scanner.take(0x3D) else { return nil }
        var specs: [Spec] = []
        repeat {
            scanner.skipBlanks()
            guard specs.count <= maximumCount, let spec = spec(&scanner) else { return nil }
            specs.append(spec)
            scanner.skipBlanks()
        } while scanner.take(0x2C)
        return scanner.isAtEnd ? specs : nil
    }

    private static func spec(_ scanner: inout FieldScanner) -> Spec? {
        let first = number(&scanner)
        guard scanner.take(0x2D) else { return nil }
        let last = number(&scanner)
        switch (first, last) {
        case (.some(let first), .some(let last)): return first <= last ? Spec(first: first, last: last) : nil
        case (.some(let first), nil): return Spec(first: first, last: .max)
        case (nil, .some(let last)): return Spec(first: nil, last: last)
        case (nil, nil): return nil
        }
    }

    /// A number that is too large to hold is as good as the largest.
    private static func number(_ scanner: inout FieldScanner) -> Int64? {
        let digits = scanner.take(while: isDigit)
        guard !digits.isEmpty else { return nil }
        return Int64(String(decoding: digits, as: UTF8.self)) ?? .max
    }

    private static func coalesced(_ ranges: [Range<Int64>]) -> [Range<Int64>] {
        var result: [Range<Int64>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, range.lowerBound - last.upperBound < smallestGap {
                result[result.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }

    /// The value of Content-Range for one part.
    package static func contentRange(_ range: Range<Int64>, length: Int64) -> String {
        "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(length)"
    }

    /// The value of Content-Range in a 416.
    package static func contentRange(unsatisfiedOf length: Int64) -> String { "bytes */\(length)" }
}

/// The frames of a `multipart/byteranges` body (RFC 9110 §14.6): `head(of:)`, the bytes of the range, and so on; then
/// `end`.
package struct MultipartRanges: Sendable {
    package let ranges: [Range<Int64>]
    private let boundary: String
    private let partType: String
    private let length: Int64

    /// `boundary` must not occur in the data: the caller takes it from a random source.
    package init(_ ranges: [Range<Int64>], of length: Int64, contentType: String, boundary: String) {
        self.ranges = ranges
        self.length = length
        self.boundary = boundary
        partType = contentType
    }

    package var contentType: String { "multipart/byteranges; boundary=\(boundary)" }

    package func head(of range: Range<Int64>) -> Bytes {
        var bytes = Bytes("\r\n--\(boundary)\r\n".utf8)
        var headers = ResponseHeaders()
        headers.add("Content-Type", partType)
        headers.add("Content-Range", ByteRanges.contentRange(range, length: length))
        bytes += headers.encoded
        bytes.append("\r\n")
        return bytes
    }

    package var end: Bytes { Bytes("\r\n--\(boundary)--\r\n".utf8) }

    /// Of the whole body.
    package var contentLength: Int64 {
        ranges.reduce(Int64(end.count)) { $0 + Int64(head(of: $1).count) + ($1.upperBound - $1.lowerBound) }
    }
}
