import Base
import Testing

@testable import Wire

@Suite struct URLTests {
    @Test func `a path is split first and decoded then`() throws {
        #expect(try URLPath.segments("/") == [])
        #expect(try URLPath.segments("/a/b%20c/%C3%A9") == ["a", "b c", "\u{e9}"])
        #expect(try URLPath.segments("/a/") == ["a", ""])
        #expect(try URLPath.segments("//a") == ["", "a"])
        #expect(try URLPath.segments("/...") == ["..."])
        #expect(try URLPath.segments("/a+b") == ["a+b"])
    }

    @Test(arguments: [
        "", "a", "*", "/%", "/%4", "/%zz", "/a%2Fb", "/a%2fb", "/%00", "/%0a", "/%7F", "/.", "/..", "/a/../b",
        "/%2e%2E", "/.%2e/x",
        "/%ff", "/%C0%AE", "/%ED%A0%80",
    ]) func `a path that could mislead is refused`(path: String) {
        #expect(throws: HTTPParseError.self) { try URLPath.segments(path) }
    }

    @Test func `a path has a bounded number of segments`() throws {
        #expect(try URLPath.segments(String(repeating: "/a", count: 64)).count == 64)
        let error = #expect(throws: HTTPParseError.self) {
            try URLPath.segments(String(repeating: "/a", count: 65))
        }
        #expect(error?.status == .uriTooLong)
    }

    @Test func `a query is pairs in order`() throws {
        let query = try Query(parsing: "a=1&b=x+y%2Bz&a=2&&c&=d&e==")
        #expect(
            query.pairs == [
                .init("a", "1"), .init("b", "x y+z"), .init("a", "2"), .init("c", ""), .init("", "d"), .init("e", "="),
            ])
        #expect(query["a"] == "1")
        #expect(query.values(of: "a") == ["1", "2"])
        #expect(query["x"] == nil)
        #expect(try Query(parsing: nil).pairs.isEmpty)
        #expect(try Query(parsing: query.encoded).pairs == query.pairs)
    }

    @Test(arguments: ["%", "a=%4", "a=%gg", "a=%ff", "%80=1"]) func `a malformed query is refused`(text: String) {
        #expect(throws: HTTPParseError.self) { try Query(parsing: text) }
    }

    @Test func `a query has a bounded number of pairs`() throws {
        #expect(try Query(parsing: String(repeating: "a&", count: 128)).pairs.count == 128)
        #expect(throws: HTTPParseError.self) { try Query(parsing: String(repeating: "a&", count: 129)) }
    }

    @Test func `percent-encoding keeps what each place may keep`() {
        #expect(PercentEncoding.encode("a/b c~\u{e9}*") == "a%2Fb%20c~%C3%A9%2A")
        #expect(PercentEncoding.encode("/a b", keeping: .path) == "/a%20b")
        #expect(PercentEncoding.encode("!#$&+-.^_`|~'*%", keeping: .attribute) == "!#$&+-.^_`|~%27%2A%25")
    }
}

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1"), ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"),
        ("1::", "1::"),
        ("2001:DB8::1", "2001:db8::1"), ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"),
        ("2001:0db8::0001", "2001:db8::1"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
        ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:c000:201", "192.0.2.1"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("::192.0.2.1", "::c000:201"),
        ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
    ]) func `an address has one value and one text (RFC 5952)`(text: String, canonical: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == canonical)
        #expect(IPAddress(canonical) == address)
        #expect(IPAddress(bytes: address.bytes) == address)
    }

    @Test(arguments: [
        "", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.4 ", "1.2.3.-4", "0x7f.1.1.1", ":", ":::",
        "1:::2", "1::2::3",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::", "::1%eth0", "[::1]", "1:2",
        "1.2.3.4::",
        "::1.2.3.4:5", "1:2:3:4:5:6:7:1.2.3.4", ":1", "1:", "::1:", String(repeating: "1:", count: 40),
    ]) func `what is no address is refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `a network contains what shares its prefix`() throws {
        let private10 = try #require(IPNetwork("10.1.2.3/8"))
        #expect(private10.description == "10.0.0.0/8")
        #expect(private10.contains(try #require(IPAddress("10.255.0.1"))))
        #expect(private10.contains(try #require(IPAddress("::ffff:10.255.0.1"))))
        #expect(!private10.contains(try #require(IPAddress("11.0.0.1"))))
        #expect(IPNetwork("::ffff:10.0.0.0/104") == private10)
        let v6 = try #require(IPNetwork("2001:db8:8000::/33"))
        #expect(v6.contains(try #require(IPAddress("2001:db8:ffff::1"))))
        #expect(!v6.contains(try #require(IPAddress("2001:db8:7fff::1"))))
        let deep = try #require(IPNetwork("2001:db8::1:0/112"))
        #expect(deep.contains(try #require(IPAddress("2001:db8::1:ffff"))))
        #expect(!deep.contains(try #require(IPAddress("2001:db8::2:0"))))
        #expect(try #require(IPNetwork("0.0.0.0/0")).contains(try #require(IPAddress("8.8.8.8"))))
        #expect(!(try #require(IPNetwork("::/0")).contains(try #require(IPAddress("8.8.8.8")))))
        #expect(IPNetwork("192.0.2.1")?.prefixLength == 32)
        #expect(IPNetwork("::1")?.prefixLength == 128)
    }

    @Test(arguments: [
        "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "/8", "::ffff:1.2.3.4/95", "1/8",
    ])
    func `what is no network is refused`(text: String) {
        #expect(IPNetwork(text) == nil)
    }
}

/// Where the Internet ends. The lists themselves are tried by the relay's tests as well.
@Suite struct PublicAddressTests {
    @Test(arguments: [
        "127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "100.64.0.1", "0.0.0.0", "::1", "::", "fe80::1",
        "fd00::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:1::", "224.0.0.1", "255.255.255.255",
    ])
    func `special addresses are none, whichever way they are written`(_ text: String) throws {
        #expect(!PublicAddresses().contains(try #require(IPAddress(text))))
    }

    @Test(arguments: ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "2a00:1450:4001::200e"])
    func `addresses of the Internet are public`(_ text: String) throws {
        #expect(PublicAddresses().contains(try #require(IPAddress(text))))
    }

    @Test func `a network that is allowed is reached, in each form of its addresses, and no other`() throws {
        let addresses = PublicAddresses(allowed: [try #require(IPNetwork("10.1.0.0/16"))])
        #expect(addresses.contains(try #require(IPAddress("10.1.2.3"))))
        #expect(addresses.contains(try #require(IPAddress("::ffff:10.1.2.3"))))
        #expect(!addresses.contains(try #require(IPAddress("10.2.0.1"))))
        // The address that carries it is itself a special one.
        #expect(!addresses.contains(try #require(IPAddress("64:ff9b::a01:203"))))
    }
}
