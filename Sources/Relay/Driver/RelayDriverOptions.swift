// What the sockets of a relay are told when they start.

import Base
package import Wire

package struct RelayDriverOptions: Sendable {
    /// Addresses of this machine where relayed sockets are opened.
    package var relayed: [IPAddress] = []
    /// What clients are told instead, behind a 1:1 NAT that keeps ports.
    package var advertised: [IPAddress] = []
    /// RFC 8656 §7.2 wants the dynamic range; a firewall must let it through.
    package var ports: ClosedRange<UInt16> = 49_152...65_535
    /// As `RelaySettings.acceptsOldNumbers`, for streams. `RelayServer.start` sees to it.
    var acceptsOldNumbers = false
    /// TCP and TLS connections of clients at one time, over all shards. Each is a descriptor and a few KiB.
    package var connections = 4_096
    /// The same from one address (IPv6: one /64). A company behind one address needs dozens.
    package var connectionsPerAddress = 256
    /// DTLS associations of one shard, half-open ones among them: each is about 30 KiB.
    package var associations = 1_024
    /// Handshakes that have shown their cookie and are not through, of one shard. Higher lets more begin at once, lower
    /// bounds the signatures that are under way.
    package var halfOpenAssociations = 128
    /// A connection that said nothing for so long is closed. A client that is there renews its permissions every five
    /// minutes, and refreshes within ten.
    package var idle = Duration.minutes(11)
    /// The same before its first whole message, or its handshake's end.
    package var firstMessage = Duration.seconds(10)
    /// What may wait for a slow stream; datagrams beyond are dropped, as a full socket drops them. A quarter of a second
    /// at 8 Mbit/s.
    package var streamQueueMax = 256 << 10

    package init() {}

    /// One that has an address of each family maps each to its own.
    package func shown(_ ip: IPAddress) -> IPAddress { advertised.first { $0.isV6 == ip.isV6 } ?? ip }
}

/// A listening UDP socket of one shard. Its number is its place among them.
struct RelaySocketListener: Sendable {
    let descriptor: Int32
    let handle: UInt32
    let address: TransportAddress
}

/// Where TCP or TLS connections come in.
struct RelayStreamListener: Sendable {
    let address: TransportAddress
    let isSecure: Bool
}

/// What a shard counts.
package struct RelayStatistics: Sendable {
    package var allocations = 0
    package var counters = RelayCounters()
    package var sockets = RelaySocketCounters()
    /// TCP and TLS connections of clients.
    package var streams = 0
    package var associations = 0
    /// DTLS handshakes that found no place.
    package var refusedAssociations: UInt64 = 0

    package init() {}
}
