// What a request body, a query or an answer looks like, declared once: it validates what comes in and becomes the
// schema in the OpenAPI document, so that the two cannot differ.

import Base
package import Wire

package indirect enum Schema: Sendable {
    /// Lengths count Unicode scalars, as JSON Schema does.
    case string(StringRule)
    case integer(ClosedRange<Int64>)
    case number
    case boolean
    case array(Schema, limit: Int)
    case object([Property])
    /// An object with keys of the client's choosing (preferences, metadata).
    case map(Schema, limit: Int)
    /// Any JSON value.
    case any
    case nullable(Schema)
    /// A schema that is written once under `components` and referred to by name.
    case named(String, Schema)
    /// Multipart form data or another body that is not JSON; for the document only.
    case binary

    package static let text = Schema.string(StringRule())
    package static func text(_ lengths: ClosedRange<Int>) -> Schema { .string(StringRule(lengths: lengths)) }
    package static let dateTime = Schema.string(StringRule(format: .dateTime))
    package static let uuid = Schema.string(StringRule(format: .identifier))
    package static func choice(_ values: [String]) -> Schema { .string(StringRule(choices: values)) }
    package static let count = Schema.integer(0...Int64.max)
}

package struct StringRule: Sendable {
    package enum Format: String, Sendable {
        case dateTime = "date-time"
        case email
        case uri
        /// A UUID, with or without the documents' prefix.
        case identifier
        case password
    }

    package var lengths: ClosedRange<Int>
    package var choices: [String]
    package var format: Format?

    package init(lengths: ClosedRange<Int> = 0...StringRule.longest, choices: [String] = [], format: Format? = nil) {
        self.lengths = lengths
        self.choices = choices
        self.format = format
    }

    /// No field of any dialect is longer; what is larger is a file.
    package static let longest = 65_536
}

package struct Property: Sendable {
    package let name: String
    package let schema: Schema
    package let isRequired: Bool
    package let note: String

    package static func required(_ name: String, _ schema: Schema, _ note: String = "") -> Property {
        Property(name: name, schema: schema, isRequired: true, note: note)
    }

    package static func optional(_ name: String, _ schema: Schema, _ note: String = "") -> Property {
        Property(name: name, schema: schema, isRequired: false, note: note)
    }
}

/// Why a value is refused. Dialects with several codes choose by `rule`.
package struct FieldFault: Error, Sendable, Equatable {
    package enum Rule: Sendable {
        case required
        case format
        case length
        case value
    }

    /// `preferences.theme`, `participants[2]`.
    package let field: String
    package let rule: Rule
    package let reason: String

    package init(_ field: String, _ rule: Rule, _ reason: String) {
        self.field = field
        self.rule = rule
        self.reason = reason
    }
}

extension Schema {
    /// Throws for the first value that does not fit. Properties that the schema does not name are let pass and
    /// ignored: newer clients may send more than this version knows.
    package func validate(_ value: JSONValue, at field: String = "") throws(FieldFault) {
        switch self {
        case .any, .binary: return
        case .named(_, let schema): try schema.validate(value, at: field)
        case .nullable(let schema):
            if case .null = value { return }
            try schema.validate(value, at: field)
        case .boolean:
            guard case .bool = value else { throw wrongType("true or false", field) }
        case .number:
            switch value {
            case .integer, .number: return
            default: throw wrongType("a number", field)
            }
        case .integer(let range): try validateInteger(value, range, field)
        case .string(let rule): try rule.validate(value, at: field)
        case .array(let element, let limit): try validateArray(value, element, limit, field)
        case .map(let element, let limit): try validateMap(value, element, limit, field)
        case .object(let properties): try validateObject(value, properties, field)
        }
    }

    private func validateInteger(
        _ value: JSONValue, _ range: ClosedRange<Int64>, _ field: String
    ) throws(FieldFault) {
        guard case .integer(let number) = value else { throw wrongType("a whole number", field) }
        guard range.contains(number) else {
            let bound =
                range.upperBound == .max ? "at least \(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
            throw FieldFault(field, .value, "must be \(bound)")
        }
    }

    private func validateArray(
        _ value: JSONValue, _ element: Schema, _ limit: Int, _ field: String
    ) throws(FieldFault) {
        guard case .array(let values) = value else { throw wrongType("an array", field) }
        guard values.count <= limit else {
            throw FieldFault(field, .length, "must have at most \(limit) elements")
        }
        for (index, value) in values.enumerated() { try element.validate(value, at: "\(field)[\(index)]") }
    }

    private func validateMap(
        _ value: JSONValue, _ element: Schema, _ limit: Int, _ field: String
    ) throws(FieldFault) {
        guard case .object(let object) = value else { throw wrongType("an object", field) }
        guard object.count <= limit else {
            throw FieldFault(field, .length, "must have at most \(limit) entries")
        }
        for (key, value) in object.pairs { try element.validate(value, at: path(field, key)) }
    }

    private func validateObject(
        _ value: JSONValue, _ properties: [Property], _ field: String
    ) throws(FieldFault) {
        guard case .object(let object) = value else { throw wrongType("an object", field.isEmpty ? "body" : field) }
        for property in properties {
            let name = path(field, property.name)
            if let value = object[property.name] {
                try property.schema.validate(value, at: name)
            } else if property.isRequired {
                throw FieldFault(name, .required, "is required")
            }
        }
    }

    private func wrongType(_ expected: String, _ field: String) -> FieldFault {
        FieldFault(field, .format, "must be \(expected)")
    }

    private func path(_ field: String, _ name: String) -> String { field.isEmpty ? name : "\(field).\(name)" }
}

extension StringRule {
    func validate(_ value: JSONValue, at field: String) throws(FieldFault) {
        guard case .string(let text) = value else { throw FieldFault(field, .format, "must be a string") }
        let length = text.unicodeScalars.count
        guard lengths.contains(length) else {
            let bound =
                length > lengths.upperBound
                ? "must be at most \(lengths.upperBound) characters long"
                : "must be at least \(lengths.lowerBound) characters long"
            throw FieldFault(field, .length, bound)
        }
        if !choices.isEmpty, !choices.contains(text) {
            throw FieldFault(field, .value, "must be one of \(choices.joined(separator: ", "))")
        }
        if let problem = format.flatMap({ $0.problem(with: text) }) { throw FieldFault(field, .format, problem) }
        // PostgreSQL cannot hold it in text, and no field has a use for it.
        guard !text.utf8.contains(0) else { throw FieldFault(field, .format, "must not contain a NUL character") }
    }
}

extension StringRule.Format {
    fileprivate func problem(with text: String) -> String? {
        switch self {
        case .dateTime: Timestamp(rfc3339: text) == nil ? "must be a date and time after RFC 3339" : nil
        case .identifier: Self.isIdentifier(text) ? nil : "must be a UUID"
        // What exactly an address or a link may be is the domain's decision; here only the type is checked.
        case .email, .uri, .password: nil
        }
    }

    private static func isIdentifier(_ text: String) -> Bool {
        let bare = text.utf8.count > 36 ? text.split(separator: "_", maxSplits: 1).last ?? "" : text[...]
        return UUID(bare) != nil
    }
}
