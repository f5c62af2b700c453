// JSON (RFC 8259) as values. Reading is in `JSONParser.swift`, writing in `JSONWriter.swift`; what we accept where the
// RFC leaves a choice is in docs/protocol/json.md.

package import Base

package enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number without fraction and exponent that fits.
    case integer(Int64)
    /// Every other number, as the nearest double.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

extension JSONValue {
    package var stringValue: String? { if case .string(let value) = self { value } else { nil } }
    package var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var arrayValue: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    package var objectValue: JSONObject? { if case .object(let value) = self { value } else { nil } }
    package var isNull: Bool { self == .null }

    /// A whole number, however it was written: JSON Schema counts `1.0` and `1e3` as integers.
    package var integerValue: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// Any number. Integers beyond 2^53 are rounded.
    package var numberValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The member of an object; `nil` too when this is no object.
    package subscript(_ key: String) -> JSONValue? { objectValue?[key] }

    package var encoded: Bytes {
        var writer = JSONWriter()
        write(into: &writer)
        return writer.bytes
    }

    package func write(into writer: inout JSONWriter) { writer.value(self) }
}

/// The members of a JSON object, in the order in which they were written. Keys are compared byte by byte, without
/// Unicode normalisation.
package struct JSONObject: Sendable {
    package private(set) var pairs: [(key: String, value: JSONValue)] = []
    /// Where each key lies; only kept when looking at every pair would cost more.
    private var index: [ExactKey: Int]?

    /// Objects up to this size are searched from the front. A search of 16 keys costs less than hashing one.
    private static let linearSize = 16

    package init() {}

    /// A key that comes again replaces the first.
    package init(_ pairs: [(String, JSONValue)]) {
        for (key, value) in pairs { self[key] = value }
    }

    package var count: Int { pairs.count }
    package var isEmpty: Bool { pairs.isEmpty }

    package subscript(_ key: String) -> JSONValue? {
        get { position(of: key).map { pairs[$0].value } }
        set {
            switch (position(of: key), newValue) {
            case (let position?, let value?): pairs[position].value = value
            case (let position?, nil): remove(at: position)
            case (nil, let value?): append(key, value)
            case (nil, nil): break
            }
        }
    }

    /// False when the key is there already; nothing is changed then.
    mutating func appendUnlessPresent(_ key: String, _ value: JSONValue) -> Bool {
        guard position(of: key) == nil else { return false }
        append(key, value)
        return true
    }

    private mutating func append(_ key: String, _ value: JSONValue) {
        pairs.append((key, value))
        if index != nil {
            index?[ExactKey(text: key)] = pairs.count - 1
        } else if pairs.count > Self.linearSize {
            rebuildIndex()
        }
    }

    private mutating func remove(at position: Int) {
        pairs.remove(at: position)
        if index != nil { rebuildIndex() }
    }

    private mutating func rebuildIndex() {
        index = Dictionary(uniqueKeysWithValues: pairs.enumerated().map { (ExactKey(text: $1.key), $0) })
    }

    private func position(of key: String) -> Int? {
        if let index { return index[ExactKey(text: key)] }
        return pairs.firstIndex { ExactKey.same($0.key, key) }
    }
}

extension JSONObject: Equatable {
    /// The order of the members does not count (RFC 8259 §4).
    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.count == right.count && left.pairs.allSatisfy { right[$0.key] == $0.value }
    }
}

/// A string that is equal only to the same bytes; `String` would also find its canonical equivalents.
private struct ExactKey: Hashable {
    let text: String

    static func same(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
    }

    static func == (left: ExactKey, right: ExactKey) -> Bool { same(left.text, right.text) }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }
}
