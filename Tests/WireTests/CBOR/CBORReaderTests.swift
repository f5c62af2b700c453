import Base
import Testing

@testable import Wire

struct CBORReaderTests {
    private func parse(_ hex: String, limits: CBORLimits = .init()) throws(CBORError) -> CBORValue {
        try CBORValue(parsing: Hex.decode(hex) ?? [], limits: limits)
    }

    private func refusal(_ hex: String, limits: CBORLimits = .init()) -> CBORError? {
        do throws(CBORError) {
            _ = try parse(hex, limits: limits)
            return nil
        } catch { return error }
    }

    /// RFC 8949 Appendix A, as far as it is within what we read.
    @Test(arguments: [
        ("00", CBORValue.integer(0)), ("17", .integer(23)), ("1818", .integer(24)), ("1903e8", .integer(1000)),
        ("1a000f4240", .integer(1_000_000)), ("1b000000e8d4a51000", .integer(1_000_000_000_000)),
        ("1b7fffffffffffffff", .integer(.max)), ("3b7fffffffffffffff", .integer(.min)), ("20", .integer(-1)),
        ("3863", .integer(-100)), ("f4", .bool(false)), ("f5", .bool(true)), ("f6", .null), ("40", .bytes([])),
        ("4401020304", .bytes([1, 2, 3, 4])), ("60", .text("")), ("6449455446", .text("IETF")),
        ("62c3bc", .text("ü")), ("64f0908591", .text("𐅑")), ("80", .array([])),
        (
            "8301820203820405",
            .array([.integer(1), .array([.integer(2), .integer(3)]), .array([.integer(4), .integer(5)])])
        ),
    ]) func `the examples of the RFC`(_ hex: String, _ expected: CBORValue) throws {
        #expect(try parse(hex) == expected)
    }

    @Test func `entries of a map are found by key`() throws {
        let map = try parse("a56161614161626142616361436164614461656145")
        #expect(map["c"] == .text("C"))
        #expect(map["f"] == nil)
        let key = try parse(
            "a5010203262001215820" + String(repeating: "11", count: 32) + "225820"
                + String(repeating: "22", count: 32))
        #expect(key[1] == .integer(2))
        #expect(key[3] == .integer(-7))
        #expect(key[-2] == .bytes(Bytes(repeating: 0x11, count: 32)))
        #expect(key.mapValue?.count == 5)
    }

    @Test(arguments: [
        ("", CBORError.truncated), ("18", .truncated), ("4401", .truncated), ("5bffffffffffffffff", .truncated),
        ("9bffffffffffffffff", .truncated), ("a101", .truncated), ("a2010203", .truncated), ("62c3", .truncated),
        ("1817", .notShortest), ("1900ff", .notShortest), ("1a0000ffff", .notShortest), ("5803010203", .notShortest),
        ("1b00000000ffffffff", .notShortest), ("1bffffffffffffffff", .integerTooLarge),
        ("3b8000000000000000", .integerTooLarge), ("1c", .unsupported), ("1f", .unsupported), ("5f", .unsupported),
        ("9fff", .unsupported), ("bfff", .unsupported), ("c11a514b67b0", .unsupported), ("f90000", .unsupported),
        ("fb3ff199999999999a", .unsupported), ("f7", .unsupported), ("f0", .unsupported), ("f818", .unsupported),
        ("ff", .unsupported), ("62ff00", .notUTF8), ("63eda080", .notUTF8), ("a201000101", .repeatedKey),
        ("0000", .trailingBytes),
    ]) func `everything else is refused`(_ hex: String, _ expected: CBORError) { #expect(refusal(hex) == expected) }

    @Test func `depth and number of values are bounded`() {
        let limits = CBORLimits(depth: 2, values: 4)
        #expect(refusal("818100", limits: limits) == nil)
        #expect(refusal("81818100", limits: limits) == .tooDeep)
        #expect(refusal("83000000", limits: limits) == nil)
        #expect(refusal("8400000000", limits: limits) == .tooManyValues)
        #expect(refusal(String(repeating: "81", count: 100_000) + "00") == .tooDeep)
    }

    @Test func `a value may be followed by others`() throws {
        var reader = CBORReader([0xFF, 0x01, 0x61, 0x61, 0xF6], from: 1)
        #expect(try reader.next() == .integer(1))
        #expect(try reader.next() == .text("a"))
        #expect(reader.offset == 4)
        #expect(!reader.isAtEnd)
    }

    @Test func `noise never traps`() {
        for _ in 0..<20_000 {
            let noise = (0..<Int.random(in: 0...40)).map { _ in UInt8.random(in: 0...255) }
            _ = try? CBORValue(parsing: noise)
        }
    }
}
