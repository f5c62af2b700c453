// How text becomes a value and a value becomes text again: one codec a type, with its range.

import Base

/// A value as it was written, before its type is known.
package indirect enum RawValue: Sendable, Equatable {
    case text(String)
    case list([RawValue])
    case map
}

/// Why a value was refused, without the value itself: it may be a secret.
package struct ValueFault: Error, Equatable {
    package let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// A value on its way to a person.
package enum ShownValue: Sendable, Equatable {
    case none
    case scalar(String)
    case list([String])
}

struct Codec<Value: Sendable>: Sendable {
    let type: String
    let allowed: String?
    let isSecret: Bool
    let parse: @Sendable (RawValue) throws(ValueFault) -> Value
    let show: @Sendable (Value) -> ShownValue

    init(
        type: String, allowed: String? = nil, isSecret: Bool = false,
        parse: @escaping @Sendable (RawValue) throws(ValueFault) -> Value,
        show: @escaping @Sendable (Value) -> ShownValue
    ) {
        self.type = type
        self.allowed = allowed
        self.isSecret = isSecret
        self.parse = parse
        self.show = show
    }

    /// A codec of one piece of text.
    static func scalar(
        _ type: String, allowed: String? = nil, isSecret: Bool = false,
        _ parse: @escaping @Sendable (String) throws(ValueFault) -> Value,
        show: @escaping @Sendable (Value) -> String
    ) -> Codec {
        Codec(type: type, allowed: allowed, isSecret: isSecret) { raw throws(ValueFault) in
            guard case .text(let text) = raw else { throw ValueFault("should be one value, not a list or a section") }
            return try parse(text)
        } show: {
            .scalar(show($0))
        }
    }
}

/// A list that is longer than any sensible one is a mistake, and would make each check of it slow.
private let listLengthMax = 256

extension Codec {
    /// In a file a YAML list or text with commas, elsewhere text with commas.
    static func list<Element>(
        of element: Codec<Element>, atLeast minimum: Int = 0
    ) -> Codec where Value == [Element] {
        Codec(type: "list of \(element.type)", allowed: element.allowed) { raw throws(ValueFault) in
            var values: [Element] = []
            for item in try items(of: raw) { values.append(try element.parse(item)) }
            guard values.count >= minimum else { throw ValueFault("should have at least \(minimum) of them") }
            return values
        } show: { values in
            .list(values.compactMap { if case .scalar(let text) = element.show($0) { text } else { nil } })
        }
    }

    private static func items(of raw: RawValue) throws(ValueFault) -> [RawValue] {
        let items: [RawValue]
        switch raw {
        case .list(let given): items = given
        case .text(let text) where text.trimmed.isEmpty: items = []
        case .text(let text):
            items = text.split(separator: ",", omittingEmptySubsequences: false).map { .text($0.trimmed) }
        case .map: throw ValueFault("should be a list, not a section")
        }
        guard items.count <= listLengthMax else { throw ValueFault("has more than \(listLengthMax) items") }
        return items
    }

    /// Empty text means that nothing is set.
    static func optional<Wrapped>(_ wrapped: Codec<Wrapped>) -> Codec where Value == Wrapped? {
        Codec(type: wrapped.type, allowed: wrapped.allowed, isSecret: wrapped.isSecret) { raw throws(ValueFault) in
            if case .text("") = raw { return nil }
            return try wrapped.parse(raw)
        } show: {
            $0.map(wrapped.show) ?? .none
        }
    }
}

extension StringProtocol {
    /// Without blanks at both ends.
    var trimmed: String {
        let blanks: (Character) -> Bool = { $0 == " " || $0 == "\t" }
        return String(drop(while: blanks).reversed().drop(while: blanks).reversed())
    }
}
