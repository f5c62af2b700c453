import Base
import Testing

@testable import Wire

struct JSONWriterTests {
    private func text(_ body: (inout JSONWriter) -> Void) -> String {
        var writer = JSONWriter()
        body(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func `commas stand between members and elements only`() {
        let id = UserID(UUID(high: 0x0123_4567_89AB_CDEF, low: 0x8899_AABB_CCDD_EEFF))
        let written = text { writer in
            writer.object { writer in
                writer.field("s", "x")
                writer.field("i", -12)
                writer.field("w", Int64.min)
                writer.field("b", true)
                writer.field("d", 0.5)
                writer.field("t", Timestamp(microsecondsSinceEpoch: 1_736_937_000_000_001))
                writer.field("id", id)
                writer.field("u", id.uuid)
                writer.field("l", ["a", "b"])
                writer.field("v", JSONValue.array([.integer(1), .object(JSONObject([("k", .null)]))]))
                writer.field("absent", String?.none)
                writer.null("n")
                writer.array("e") { _ in }
                writer.object("o") { $0.field("x", 0) }
                writer.array("a") { writer in
                    writer.value(1)
                    writer.object { _ in }
                    writer.array { $0.null() }
                    writer.raw(Bytes("{}".utf8))
                }
                writer.raw("r", Bytes("[]".utf8))
                writer.key("made \"up\"")
                writer.value(false)
            }
        }
        let uuid = "01234567-89ab-cdef-8899-aabbccddeeff"
        #expect(
            written
                == #"{"s":"x","i":-12,"w":-9223372036854775808,"b":true,"d":0.5,"t":"2025-01-15T10:30:00.000001Z","#
                + "\"id\":\"\(uuid)\",\"u\":\"\(uuid)\","
                + #""l":["a","b"],"v":[1,{"k":null}],"absent":null,"n":null,"e":[],"o":{"x":0},"#
                + #""a":[1,{},[null],{}],"r":[],"made \"up\"":false}"#)
    }

    @Test func `what must be escaped is`() {
        let written = text { $0.value("\"\\/\u{0}\u{1F}\u{8}\u{C}\n\r\t\u{7F}é€😀") }
        #expect(written == #""\"\\/\u0000\u001f\b\f\n\r\t"# + "\u{7F}é€😀\"")
    }

    @Test func `every string reads back`() throws {
        for length in 0..<40 {
            for special in ["\"", "\\", "\u{1}", "é", "😀", "a"] {
                let value = JSONValue.string(String(repeating: "x", count: length) + special + "tail")
                #expect(try JSONValue(parsing: value.encoded) == value)
            }
        }
    }

    @Test func `numbers that JSON lacks become null`() {
        #expect(text { $0.value(Double.nan) } == "null")
        #expect(text { $0.value(-Double.infinity) } == "null")
        #expect(text { $0.value(1e300) } == "1e+300")
        #expect(text { $0.value(3.0) } == "3.0")
    }

    @Test(arguments: [0, 7, 10, -1, .max, .min] as [Int64]) func `integers are exact`(_ value: Int64) {
        #expect(text { $0.value(value) } == "\(value)")
    }
}
