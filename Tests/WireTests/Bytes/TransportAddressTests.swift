import Testing

@testable import Wire

@Suite struct TransportAddressTests {
    @Test func `an address with a port is written as in a URL`() throws {
        let v4 = TransportAddress(try #require(IPAddress("192.0.2.1")), 3478)
        let v6 = TransportAddress(try #require(IPAddress("2001:db8::1")), 3478)
        #expect("\(v4)" == "192.0.2.1:3478")
        #expect("\(v6)" == "[2001:db8::1]:3478")
    }
}
