import Base
import Testing
import Wire

@testable import API

@Suite struct SchemaTests {
    struct Row: Sendable, CustomTestStringConvertible {
        let schema: Schema
        let json: String
        /// `field: reason`, or empty where the value fits.
        let refusal: String
        var testDescription: String { "\(json) → \(refusal)" }

        init(_ schema: Schema, _ json: String, _ refusal: String = "") {
            self.schema = schema
            self.json = json
            self.refusal = refusal
        }
    }

    private static let person = Schema.object([
        .required("name", .text(2...4)), .optional("age", .integer(0...150)), .optional("email", .nullable(.text)),
        .optional("tags", .array(.choice(["a", "b"]), limit: 2)), .optional("more", .map(.boolean, limit: 1)),
    ])

    static let rows = [
        Row(person, #"{"name": "Bob"}"#), Row(person, #"{"name": "Bob", "unknown": {"x": [1]}}"#),
        Row(person, #"{"name": "Bob", "email": null, "tags": ["a", "b"], "more": {"x": true}}"#),
        Row(person, "[]", "body: must be an object"), Row(person, "{}", "name: is required"),
        Row(person, #"{"name": null}"#, "name: must be a string"),
        Row(person, #"{"name": "B"}"#, "name: must be at least 2 characters long"),
        Row(person, #"{"name": "Bobby"}"#, "name: must be at most 4 characters long"),
        // Four scalars, sixteen bytes.
        Row(person, #"{"name": "😀😀😀😀"}"#),
        Row(person, #"{"name": "Bob", "age": 151}"#, "age: must be 0 to 150"),
        Row(person, #"{"name": "Bob", "age": 1.5}"#, "age: must be a whole number"),
        Row(person, #"{"name": "Bob", "age": "1"}"#, "age: must be a whole number"),
        Row(person, #"{"name": "Bob", "age": 99999999999999999999}"#, "age: must be a whole number"),
        Row(person, #"{"name": "Bob", "tags": "a"}"#, "tags: must be an array"),
        Row(person, #"{"name": "Bob", "tags": ["a", "c"]}"#, "tags[1]: must be one of a, b"),
        Row(person, #"{"name": "Bob", "tags": ["a", "b", "a"]}"#, "tags: must have at most 2 elements"),
        Row(person, #"{"name": "Bob", "more": {"x": 1}}"#, "more.x: must be true or false"),
        Row(person, #"{"name": "Bob", "more": {"x": true, "y": true}}"#, "more: must have at most 1 entries"),
        Row(.text, #""a\u0000b""#, ": must not contain a NUL character"),
        Row(.count, "-1", ": must be at least 0"),
        Row(.number, "1"), Row(.number, "1.5"), Row(.number, #""1""#, ": must be a number"),
        Row(.dateTime, #""2025-12-31T23:59:59Z""#),
        Row(.dateTime, #""tomorrow""#, ": must be a date and time after RFC 3339"),
        Row(.uuid, #""0190163d-8694-739b-aea5-966c26f8ad90""#),
        Row(.uuid, #""user_0190163d-8694-739b-aea5-966c26f8ad90""#),
        Row(.uuid, #""user_7""#, ": must be a UUID"), Row(.uuid, #""""#, ": must be a UUID"),
        Row(.any, "null"), Row(.nullable(.boolean), "null"),
    ]

    @Test(arguments: rows)
    func `a value fits, or its first fault is told with its field`(_ row: Row) throws {
        let value = try JSONValue(parsing: Bytes(row.json.utf8))
        var refusal = ""
        do { try row.schema.validate(value) } catch { refusal = "\(error.field): \(error.reason)" }
        #expect(refusal == row.refusal)
    }
}
