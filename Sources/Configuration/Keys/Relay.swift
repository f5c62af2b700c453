// relay: the STUN and TURN server inside this one.

import Base
package import Wire

extension Configuration {
    package struct Relay: Sendable {
        package enum Peers: String, Sendable, CaseIterable {
            case sfuOnly = "sfu-only"
            case open
        }

        package var enabled = true
        package var port: Int?
        package var tlsPort: Int?
        package var addresses: [IPAddress] = []
        package var advertised: [IPAddress] = []
        package var host: String?
        package var sharesHTTPS = false
        package var firstPort = 49_152
        package var lastPort = 65_535
        package var peers = Peers.sfuOnly
        package var allowedPeers: [IPNetwork] = []
        package var deniedPeers: [IPNetwork] = []
        package var maxAllocations = 4_096
        package var maxAllocationsPerUser = 24
        package var bytesPerSecondPerAllocation = 2_500_000
        package var bytesPerSecond = 0
    }

    static let relaySection = Section(
        "relay", "STUN and TURN for clients that cannot reach the media ports; see docs/operate/relay.md.",
        [
            Key(
                "relay.enabled", \.relay.enabled, .flag,
                "Serve clients in calls as a relay, and tell them so. Needs `media.enabled`."),
            Key(
                "relay.port", \.relay.port, .optional(.integer(0...65_535)),
                "The UDP and TCP port. Unset: 3478, or any that is free if another program has it. 0: the kernel "
                    + "chooses."),
            Key(
                "relay.tls_port", \.relay.tlsPort, .optional(.integer(0...65_535)),
                "The port for TURN over TLS, where there is a certificate (`tls.certificate`). Unset: 5349, or any that "
                    + "is free if another program has it."),
            Key(
                "relay.addresses", \.relay.addresses, .list(of: .ipAddress),
                "Addresses of this machine to listen at and to relay from. Empty: those that media is received at."),
            Key(
                "relay.advertised", \.relay.advertised, .list(of: .ipAddress),
                "Addresses to tell clients instead, behind a 1:1 NAT that keeps ports. Empty: `media.advertised`."),
            Key(
                "relay.host", \.relay.host, .optional(.text(1...253)),
                "The name that clients are told instead of addresses. `turns:` needs it: a certificate is for a name."),
            Key(
                "relay.share_https", \.relay.sharesHTTPS, .flag,
                "Be a relay on the ports of `server.listen`, too, for networks that let out web traffic only: TURN over "
                    + "TLS where there is a certificate (and `relay.host`), otherwise over TCP. A proxy in front would "
                    + "have to pass on whole connections."),
            Key(
                "relay.first_port", \.relay.firstPort, .integer(1_024...65_535),
                "The first of the ports to relay from. The firewall must let them through when clients send to each "
                    + "other's relays (`relay.peers` open)."),
            Key("relay.last_port", \.relay.lastPort, .integer(1_024...65_535), "The last of them."),
            Key(
                "relay.peers", \.relay.peers, .choice,
                "Whom clients may reach through the relay: the media ports of this server, or the Internet without its "
                    + "addresses of special purpose."),
            Key(
                "relay.allowed_peers", \.relay.allowedPeers, .list(of: .addressRange),
                "With `relay.peers` open: ranges to reach in spite of their special purpose."),
            Key(
                "relay.denied_peers", \.relay.deniedPeers, .list(of: .addressRange),
                "Ranges that are never reached."),
            Key(
                "relay.max_allocations", \.relay.maxAllocations, .integer(1...65_536),
                "Allocations at one time, of each of `server.shards`; further ones are answered 508."),
            Key(
                "relay.max_allocations_per_user", \.relay.maxAllocationsPerUser, .integer(1...1_000),
                "The same for one person in one call; 486 beyond."),
            Key(
                "relay.bytes_per_second_per_allocation", \.relay.bytesPerSecondPerAllocation,
                .integer(0...1_000_000_000),
                "Bytes a second that one allocation may relay, both ways together; what is more is dropped. 0 is without "
                    + "a bound."),
            Key(
                "relay.bytes_per_second", \.relay.bytesPerSecond, .integer(0...100_000_000_000),
                "The same for each of `server.shards`."),
        ])
}
