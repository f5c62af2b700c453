// What the engine and its driver call the same things by: clients, relayed sockets, connections to peers.

package import Wire

package enum ClientTransport: UInt8, Sendable, CaseIterable {
    case udp
    case tcp
    case tls
    case dtls

    /// Messages follow each other on a stream: ChannelData is filled up to a multiple of 4.
    package var isStream: Bool { self == .tcp || self == .tls }
    /// A datagram whose source anybody can forge. The others have shaken hands.
    package var isSpoofable: Bool { self == .udp }
}

/// Between which client and which of our sockets: the 5-tuple.
package struct ClientPath: Hashable, Sendable {
    package var remote: TransportAddress
    /// The driver's number: for UDP of the listening socket, otherwise of the connection. The number of a connection is
    /// not used again before `RelayEngine.connectionClosed` was told.
    package var handle: UInt32
    package var transport: ClientTransport

    package init(remote: TransportAddress, handle: UInt32, transport: ClientTransport) {
        self.remote = remote
        self.handle = handle
        self.transport = transport
    }

    static let none = ClientPath(remote: TransportAddress(IPAddress(v4: 0), 0), handle: .max, transport: .udp)
}

/// A relayed socket: one of the one or two of an allocation (RFC 8656 allows one of each family).
package struct RelayID: Hashable, Sendable {
    /// Of the allocation, below `RelayLimits.allocations`: the driver may keep an array.
    package let index: UInt32
    /// Counts the uses of the index: who comes too late is told apart.
    package let generation: UInt32
    package let isV6: Bool

    static let generationMask: UInt32 = 0x7FFF_FFFF

    init(index: UInt32, generation: UInt32, isV6: Bool) {
        self.index = index
        self.generation = generation & Self.generationMask
        self.isV6 = isV6
    }

    /// For epoll's user data.
    package var rawValue: UInt64 { UInt64(generation) << 33 | (isV6 ? 1 << 32 : 0) | UInt64(index) }

    package init(rawValue: UInt64) {
        index = UInt32(truncatingIfNeeded: rawValue)
        isV6 = rawValue >> 32 & 1 == 1
        generation = UInt32(truncatingIfNeeded: rawValue >> 33)
    }
}

/// A TCP connection between a relayed address and a peer (RFC 6062). The raw value is the CONNECTION-ID.
package struct PeerConnectionID: Hashable, Sendable {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// Bytes that were received, with room around them: the engine puts headers before them in place and sends them from
/// where they are. The driver keeps them until it has emptied the outbox.
package struct RelayPacket {
    /// Writable bytes before the packet: those of a Data indication about an IPv6 peer, the longest header
    /// (20 + 24 + 4).
    package static let headroom = 48
    /// Writable bytes behind the packet, to fill it up.
    package static let tailroom = 3

    package let start: UnsafeMutableRawPointer
    package let count: Int

    /// Packets from clients need no room around them. A packet of no bytes has an address too.
    package init(start: UnsafeMutableRawPointer, count: Int) {
        self.start = start
        self.count = count
    }
}
