import Base
import Testing

@testable import Wire

struct JSONParserTests {
    private func parse(_ text: String, limits: JSONLimits = .init()) throws -> JSONValue {
        try JSONValue(parsing: Bytes(text.utf8), limits: limits)
    }

    private func refusal(_ text: String, limits: JSONLimits = .init()) -> JSONError? {
        do throws(JSONError) {
            _ = try JSONValue(parsing: Bytes(text.utf8), limits: limits)
            return nil
        } catch { return error }
    }

    @Test func `members keep their order and are found by name`() throws {
        let value = try parse(#" {"b": 1, "a": [true, null, "x"], "": {}} "#)
        #expect(value.objectValue?.pairs.map(\.key) == ["b", "a", ""])
        #expect(value["b"]?.integerValue == 1)
        #expect(value["a"]?.arrayValue == [.bool(true), .null, .string("x")])
        #expect(value[""]?.objectValue?.count == 0)
        #expect(value["c"] == nil)
    }

    @Test(arguments: [
        ("0", JSONValue.integer(0)), ("-0", .integer(0)), ("9223372036854775807", .integer(.max)),
        ("-9223372036854775808", .integer(.min)), ("9223372036854775808", .number(0x1p63)),
        ("-9223372036854775809", .number(-0x1p63)), ("1.0", .number(1)), ("1e3", .number(1000)),
        ("0.1", .number(0.1)), ("123456789012345678901234567890", .number(0x1.8ee90ff6c373ep96)),
        ("1.7976931348623157e308", .number(.greatestFiniteMagnitude)), ("5e-324", .number(.leastNonzeroMagnitude)),
        ("1e-400", .number(0)), ("9007199254740993.0", .number(9007199254740992)), ("1E+2", .number(100)),
        ("0e99999999999999999999", .number(0)), ("2.2250738585072011e-308", .number(.leastNormalMagnitude.nextDown)),
        ("1e23", .number(1e23)), ("8.41e21", .number(8.41e21)),
    ])
    func `numbers are exact where they can be and nearest otherwise`(_ text: String, _ expected: JSONValue) throws {
        #expect(try parse(text) == expected)
    }

    @Test func `minus zero keeps its sign only as a double`() throws {
        #expect(try parse("-0.0").numberValue?.sign == .minus)
        #expect(try parse("-0").integerValue == 0)
    }

    @Test func `a double survives the way out and in`() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let number = Double(bitPattern: generator.next())
            guard number.isFinite else { continue }
            #expect(try JSONValue(parsing: JSONValue.number(number).encoded).numberValue == number)
        }
    }

    @Test(arguments: ["1e400", "-1e400", "1e99999999999999999999", "1" + String(repeating: "0", count: 400)])
    func `a number beyond the largest double is refused`(_ text: String) {
        #expect(refusal(text)?.reason == "a number is too large")
    }

    @Test func `a number of thousands of digits is refused before it is rounded`() {
        #expect(refusal("0." + String(repeating: "1", count: 2_000))?.reason == "a number has too many digits")
    }

    @Test func `whole numbers count as integers however they are written`() throws {
        #expect(try parse("1.0").integerValue == 1)
        #expect(try parse("1.5").integerValue == nil)
        #expect(try parse("1e30").integerValue == nil)
    }

    @Test func `escapes become characters`() throws {
        let text = #""\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00 plain text that is long enough for words""#
        let expected = "\"\\/\u{8}\u{C}\n\r\tAé€😀 plain text that is long enough for words"
        #expect(try parse(text) == .string(expected))
    }

    @Test(arguments: [#""\ud83d""#, #""\ude00""#, #""\ud83dx""#, #""\ud83d\u0041""#, #""\ud83d\n""#])
    func `a lone surrogate is refused`(_ text: String) {
        #expect(refusal(text)?.reason == "a surrogate stands alone")
    }

    @Test func `invalid text is found at every distance from a word boundary`() {
        for length in 0..<20 {
            let plain = Bytes(repeating: 0x61, count: length)
            for bad in [[0x80], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82]] as [Bytes] {
                let text = [0x22] + plain + bad + [0x22]
                #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
            }
            for control in UInt8(0)..<0x20 {
                #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22] + plain + [control, 0x22]) }
            }
        }
    }

    @Test func `a repeated key is refused in small and in large objects`() {
        #expect(refusal(#"{"a":1,"b":2,"a":3}"#)?.reason == "a key is repeated")
        #expect(refusal(#"{"a":1,"\u0061":3}"#)?.offset == 7)
        let many = (0..<100).map { "\"k\($0)\":\($0)" }.joined(separator: ",")
        #expect(refusal("{\(many),\"k50\":0}")?.reason == "a key is repeated")
        #expect(refusal("{\(many),\"k100\":0}") == nil)
    }

    @Test func `canonically equivalent keys are different keys`() throws {
        let value = try parse("{\"\u{E9}\":1,\"e\u{301}\":2,\"\u{212A}\":3}")
        #expect(value["\u{E9}"]?.integerValue == 1)
        #expect(value["e\u{301}"]?.integerValue == 2)
        #expect(value["K"] == nil)
    }

    @Test func `depth is bounded`() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(refusal(nested(32)) == nil)
        #expect(refusal(nested(33))?.reason == "the document is nested too deeply")
        #expect(refusal(nested(33))?.offset == 32)
        #expect(refusal(nested(512), limits: JSONLimits(depth: .max)) == nil)
        #expect(refusal(nested(100_000), limits: JSONLimits(depth: .max))?.offset == 512)
        #expect(refusal("[" + Array(repeating: "[]", count: 100).joined(separator: ",") + "]") == nil)
    }

    @Test func `the number of values is bounded`() {
        let limits = JSONLimits(depth: 4, values: 5)
        #expect(refusal("[1,2,3,4]", limits: limits) == nil)
        #expect(refusal("[1,2,3,4,5]", limits: limits)?.reason == "the document has too many values")
    }

    @Test func `an error tells where it is`() {
        let error = refusal("{\n  \"a\": 1,\n  \"b\" 2\n}")
        #expect(error?.line == 3)
        #expect(error?.column == 7)
        #expect(error?.offset == 18)
        #expect(error?.reason == "a colon must follow the key")
        #expect(refusal("")?.reason == "the document ends where a value must be")
        #expect(refusal("1 2")?.column == 3)
    }

    @Test func `every cut of a document is refused or whole`() throws {
        let text = Bytes(#"{"a":[1,-2.5e3,"x\u00e9\n",true,false,null],"b":{"c":"\ud83d\ude00"}}"#.utf8)
        for end in 0..<text.count {
            #expect(throws: JSONError.self) { try JSONValue(parsing: Bytes(text[..<end])) }
        }
        #expect(try JSONValue(parsing: text)["b"]?["c"]?.stringValue == "😀")
    }

    @Test func `mutated documents never trap`() throws {
        let text = Bytes(#"{"a":[1,-2.5e3,"x\u00e9\n",true,false,null],"b":{"c":"\ud83d\ude00é"}}"#.utf8)
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var mutated = text
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                mutated[Int.random(in: 0..<mutated.count, using: &generator)] = UInt8.random(in: 0...255)
            }
            guard let value = try? JSONValue(parsing: mutated) else { continue }
            #expect(try JSONValue(parsing: value.encoded) == value)
        }
    }
}

struct JSONObjectTests {
    @Test(arguments: [3, 40]) func `members are replaced, removed and found`(_ size: Int) {
        var object = JSONObject((0..<size).map { ("k\($0)", .integer(Int64($0))) })
        object["k1"] = .null
        object["k0"] = nil
        object["absent"] = nil
        object["new"] = .bool(true)
        #expect(object.count == size)
        #expect(object["k0"] == nil)
        #expect(object["k1"] == .null)
        #expect(object["k2"] == .integer(2))
        #expect(object.pairs.last?.key == "new")
    }

    @Test func `order does not count for equality`() {
        #expect(JSONObject([("a", .null), ("b", .null)]) == JSONObject([("b", .null), ("a", .null)]))
        #expect(JSONObject([("a", .null)]) != JSONObject([("b", .null)]))
        #expect(JSONObject([("a", .null)]) != JSONObject([("a", .null), ("b", .null)]))
    }
}
