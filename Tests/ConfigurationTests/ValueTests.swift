import Base
import Testing
import Wire

@testable import Configuration

@Suite struct ValueTests {
    @Test(arguments: [
        ("0s", Duration.zero), ("500ms", .milliseconds(500)), ("90s", .seconds(90)), ("15m", .minutes(15)),
        ("24h", .hours(24)), ("7d", .days(7)),
    ])
    func `a duration is read and shown in its largest unit`(_ text: String, _ duration: Duration) {
        #expect(DurationText.parse(text) == duration)
        #expect(DurationText.text(duration) == text)
    }

    @Test(arguments: ["", "5", "s", "-5s", "5 s", "1.5h", "1h30m", "5S", "5sec", "99999999999999999999s", "٣s"])
    func `what is no duration is refused`(_ text: String) { #expect(DurationText.parse(text) == nil) }

    @Test func `a duration beyond 64 bits of nanoseconds is refused`() {
        #expect(DurationText.parse("106751d") != nil)
        #expect(DurationText.parse("106752d") == nil)
        #expect(DurationText.parse("9223372036854775807d") == nil)
    }

    @Test(arguments: [
        ("0", 0), ("1", 1), ("4096", 4_096), ("64KiB", 65_536), ("10MB", 10_000_000), ("1 GiB", 1 << 30), ("7B", 7),
    ])
    func `a size is read with its unit`(_ text: String, _ bytes: Int) { #expect(ByteSize.parse(text) == bytes) }

    @Test(arguments: ["", "KiB", "-1", "1.5MB", "1kib", "99999999999999999999", "9223372036854775807TiB"])
    func `what is no size is refused`(_ text: String) { #expect(ByteSize.parse(text) == nil) }

    @Test(arguments: [0, 1, 999, 1_000, 1_023, 1_024, 1 << 20, 10_000_000, 19 << 20, 1 << 40])
    func `a shown size is read as itself`(_ bytes: Int) { #expect(ByteSize.parse(ByteSize.text(bytes)) == bytes) }

    @Test(arguments: ["127.0.0.1:8000", "0.0.0.0:0", "[::]:443", "[fe80::1]:65535", "unix:/run/x"])
    func `an address is shown as it was read`(_ text: String) {
        #expect(ListenAddress(text)?.description == text)
    }

    @Test(arguments: [
        "", ":", "8000", ":8000", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80", "[::1]",
        "[127.0.0.1]:80", "example.org:80", "256.0.0.1:80", "unix:", "127.0.0.1:80 ",
    ])
    func `what is no address is refused`(_ text: String) { #expect(ListenAddress(text) == nil) }

    @Test func `localhost is the loopback address`() {
        #expect(ListenAddress("localhost:80") == .internet(IPAddress(v4: 0x7F00_0001), port: 80))
    }

    @Test(arguments: [
        ("5/s", 5, Duration.seconds(1)), ("60/min", 60, .seconds(60)), ("1000/h", 1_000, .hours(1)),
        ("100/day", 100, .days(1)),
    ])
    func `a rate is a count and a span`(_ text: String, _ count: Int, _ window: Duration) {
        #expect(Rate(text) == Rate(count, per: window))
        #expect(Rate(text)?.description == text)
    }

    @Test(arguments: ["", "5", "/min", "0/min", "-1/min", "5/week", "5/min/s", "9999999999/s"])
    func `what is no rate is refused`(_ text: String) { #expect(Rate(text) == nil) }

    @Test func `no limit is a rate too`() { #expect(Rate("unlimited")?.count == nil) }

    @Test(arguments: [
        ("http://a", true), ("https://a.b:8443", true), ("https://a/b", true), ("https://a/", false),
        ("https://a?b", false), ("ftp://a", false), ("https://", false), ("https://user@a", false),
        ("https://a b", false), ("a", false),
    ])
    func `a base URL has nothing after its path`(_ text: String, _ isGood: Bool) {
        #expect((try? Codec.baseURL.parse(.text(text))) == (isGood ? text : nil))
    }

    @Test(arguments: [
        ("*", true), ("https://a.b:1", true), ("https://a/", false), ("https://a/b", false), ("a", false),
    ])
    func `an origin has no path`(_ text: String, _ isGood: Bool) {
        #expect((try? Codec.originPattern.parse(.text(text))) == (isGood ? text : nil))
    }

    @Test func `passkeys are not accepted from any origin`() {
        #expect(throws: ValueFault.self) { try Codec.origin.parse(.text("*")) }
    }

    @Test func `text stays on one line`() {
        for text in ["a\nb", "a\u{7F}", "a\u{85}b", "a\u{2028}b", "\u{0}"] {
            #expect(throws: ValueFault.self) { try Codec<String>.text().parse(.text(text)) }
        }
        #expect((try? Codec<String>.text().parse(.text("grüße"))) == "grüße")
    }

    @Test func `lists come from YAML lists and from commas`() throws {
        let codec = Codec<[Int]>.list(of: .integer(0...9))
        #expect(try codec.parse(.list([.text("1"), .text("2")])) == [1, 2])
        #expect(try codec.parse(.text("1, 2")) == [1, 2])
        #expect(try codec.parse(.text("")) == [])
        #expect(throws: ValueFault.self) { try codec.parse(.text("1,,2")) }
        #expect(throws: ValueFault.self) { try codec.parse(.text("1,10")) }
        #expect(throws: ValueFault.self) { try codec.parse(.map) }
        #expect(throws: ValueFault.self) { try codec.parse(.list([.list([])])) }
        #expect(throws: ValueFault.self) { try codec.parse(.list(Array(repeating: .text("1"), count: 257))) }
    }

    @Test(arguments: [("yes", false), ("True", false), ("1", false), ("true", true), ("false", true)])
    func `a flag is true or false, nothing else`(_ text: String, _ isGood: Bool) {
        #expect(((try? Codec.flag.parse(.text(text))) != nil) == isGood)
    }

    @Test(arguments: ["nan", "inf", "-1", "1001", "x", ""])
    func `a number out of range is refused`(_ text: String) {
        #expect(throws: ValueFault.self) { try Codec<Double>.number(0.01...1_000).parse(.text(text)) }
    }

    @Test(arguments: [
        "file", "file:/etc/key", "environment:KEY", "credential:root-key",
        "passphrase:file:/etc/words", "passphrase:environment:WORDS", "passphrase:credential:words",
    ])
    func `a root key's source is shown as it was read`(_ text: String) throws {
        #expect(Codec.rootKey.show(try Codec.rootKey.parse(.text(text))) == .scalar(text))
    }

    @Test(arguments: [
        "", "file:", "credential", "other:x", "passphrase", "passphrase:", "passphrase:file",
        "passphrase:passphrase:file:/x",
    ])
    func `what is no source is refused`(_ text: String) {
        #expect(throws: ValueFault.self) { try Codec.rootKey.parse(.text(text)) }
    }
}
