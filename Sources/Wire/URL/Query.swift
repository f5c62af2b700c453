// Queries and form bodies: `application/x-www-form-urlencoded` (URL standard).

package import Base

package struct Query: Sendable {
    package struct Pair: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    /// More pairs are 400: routes have a dozen parameters at most, forms two dozen.
    package static let maximumPairs = 128

    /// In order, names may repeat.
    package let pairs: [Pair]

    package init(_ pairs: [Pair] = []) { self.pairs = pairs }

    /// `nil` is an empty query.
    package init(parsing text: String?) throws(HTTPParseError) {
        try self.init(parsing: Bytes((text ?? "").utf8))
    }

    /// A name without `=` has an empty value; `&&` is overlooked. Malformed percent-encoding and text that is not UTF-8
    /// are refused with 400.
    package init(parsing bytes: Bytes) throws(HTTPParseError) {
        var pairs: [Pair] = []
        for piece in bytes.split(separator: 0x26) {
            guard pairs.count < Self.maximumPairs else { throw .bad("too many parameters in the query or form") }
            let equals = piece.firstIndex(of: 0x3D) ?? piece.endIndex
            pairs.append(
                Pair(try Self.decoded(piece[..<equals]), try Self.decoded(piece[equals...].dropFirst())))
        }
        self.pairs = pairs
    }

    private static func decoded(_ piece: ArraySlice<UInt8>) throws(HTTPParseError) -> String {
        guard let bytes = PercentEncoding.decode(piece, plusIsSpace: true) else {
            throw .bad("malformed percent-encoding in the query or form")
        }
        guard let text = String(validating: bytes) else { throw .bad("the query or form is not UTF-8") }
        return text
    }

    /// The first value.
    package subscript(_ name: String) -> String? { pairs.first { $0.name == name }?.value }

    package func values(of name: String) -> [String] { pairs.filter { $0.name == name }.map(\.value) }

    package var encoded: String {
        pairs.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }
            .joined(separator: "&")
    }
}
