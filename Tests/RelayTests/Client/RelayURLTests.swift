import Relay
import Testing
import Wire

@Suite struct RelayURLTests {
    @Test(arguments: [
        ("stun:stun.example.org", "stun:stun.example.org:3478", RelayURL.Transport.udp),
        ("stuns:stun.example.org", "stuns:stun.example.org:5349", .tls),
        ("turn:192.0.2.1", "turn:192.0.2.1:3478?transport=udp", .udp),
        ("TURN:relay.example.org:80?transport=TCP", "turn:relay.example.org:80?transport=tcp", .tcp),
        ("turns:relay.example.org:443?transport=tcp", "turns:relay.example.org:443?transport=tcp", .tls),
        ("turns:relay.example.org", "turns:relay.example.org:5349?transport=tcp", .tls),
        ("turns:[2001:db8::1]?transport=udp", "turns:[2001:db8::1]:5349?transport=udp", .dtls),
    ])
    func `a URL says how to speak with whom`(text: String, whole: String, transport: RelayURL.Transport) throws {
        let url = try #require(RelayURL(text))
        #expect(url.description == whole && url.transport == transport)
        #expect(url.isRelay == text.lowercased().hasPrefix("turn"))
        #expect(RelayURL(whole) == url)
    }

    @Test(arguments: [
        "", "turn", "turn:", "turn://relay.example.org", "http://relay.example.org", "turn:relay.example.org:",
        "turn:relay.example.org:0", "turn:relay.example.org:65536", "turn:relay.example.org:+1", "turn:a b",
        "turn:relay.example.org?transport=sctp", "turn:relay.example.org?", "turn:[2001:db8::1", "turn:[192.0.2.1]",
        "turn:2001:db8::1", "stun:stun.example.org?transport=udp", "turn:user@relay.example.org", "turn:é",
        "turn:" + String(repeating: "a", count: 400),
    ])
    func `what is none is refused`(text: String) { #expect(RelayURL(text) == nil) }
}
