// The TURN server of one shard, as a machine: bytes and the time in, an outbox of datagrams and commands out.
//
// One engine is touched by one thread. It owns no socket and reads no clock. The driver's round:
//
//     for each received packet:  receive(…); if !outbox.hasRoom { drain }
//     at nextDeadline:           tick(now)
//     drain, until outbox.isEmpty:
//         send outbox[0..<outbox.count]; commands = outbox.takeCommands(); outbox.removeDatagrams(); carry out commands
//
// Commands are answered by the methods under "Answers of the driver", at once or whenever the answer is known. A
// packet's memory is the driver's, and is kept until the outbox was drained: relayed bytes are sent from where they are.

package import Base
package import Wire

package final class RelayEngine {
    package let outbox = RelayOutbox()
    package private(set) var counters = RelayCounters()

    /// `now` and `wallClock` are one moment; the engine goes by what it is told later.
    package init(settings: RelaySettings, secrets: RelaySecrets, policy: PeerPolicy, now: Instant) {}
}

// MARK: - Bytes

extension RelayEngine {
    /// From a client: a datagram, or one message cut from a stream (`TURNDeframer`). `wallClock` is for the expiry of
    /// credentials. After a message on a stream look for commands before you cut the next one: the connection may have
    /// become a data connection (`join`), and what follows is then the peer's.
    package func receive(_ packet: RelayPacket, from client: ClientPath, now: Instant, wallClock: Timestamp) {}

    /// From a peer, at a relayed UDP socket. The packet has `RelayPacket.headroom` and `tailroom`.
    package func receive(_ packet: RelayPacket, on relay: RelayID, from peer: TransportAddress, now: Instant) {}

    /// An ICMP error about what was sent to a peer (RFC 8656 §11.5). `data` as in the ICMP message: the MTU, or 0.
    package func peerUnreachable(
        on relay: RelayID, peer: TransportAddress, icmpType: UInt8, icmpCode: UInt8, data: UInt32, now: Instant
    ) {}
}

// MARK: - Answers of the driver

extension RelayEngine {
    /// The socket is there. For `evenAndNext`, `next` is the address of the second; without it the client is told that
    /// nothing was reserved (508).
    package func relayOpened(_ relay: RelayID, at address: TransportAddress, next: TransportAddress?, now: Instant) {}

    package enum OpenFailure: Sendable {
        /// No port or descriptor is free. 508.
        case exhausted
        /// This host has no address of the family. 440.
        case noSuchFamily
    }

    package func relayRefused(_ relay: RelayID, _ failure: OpenFailure, now: Instant) {}

    /// The client's connection has ended. Its allocation ends with it, unless the client has a mobility ticket for it.
    package func connectionClosed(_ client: ClientPath, now: Instant) {}

    package func peerConnected(_ connection: PeerConnectionID, now: Instant) {}
    package func peerFailed(_ connection: PeerConnectionID, now: Instant) {}

    /// A peer calls the relayed address of a TCP allocation. `nil`: close it. Otherwise keep it, and read nothing from
    /// it before `join`.
    package func peerArrived(on relay: RelayID, from peer: TransportAddress, now: Instant) -> PeerConnectionID? {
        nil
    }

    /// Either side of a joined connection, or the peer's before that, has ended.
    package func peerClosed(_ connection: PeerConnectionID, now: Instant) {}

    /// Bytes that went over a joined connection. Returns how long to read nothing more from either side: zero within
    /// the allocation's bandwidth.
    package func pause(after byteCount: Int, on connection: PeerConnectionID, now: Instant) -> Duration { .zero }
}

// MARK: - Time and control

extension RelayEngine {
    /// Call `tick` then, at the latest; `nil` while nothing can expire. A second's precision.
    package var nextDeadline: Instant? { nil }
    package func tick(now: Instant) {}

    /// Allocations with a relayed socket, or waiting for one.
    package var allocationCount: Int { 0 }

    /// Keys made with secrets that are gone are forgotten: their clients get 401 at the next request.
    package func set(_ secrets: RelaySecrets) {}

    /// Permissions and channels of peers that are not allowed any more end at once.
    package func set(_ policy: PeerPolicy, now: Instant) {}

    /// Ends the session's allocations, and refuses its credentials from now on. `session` is what follows the first
    /// colon of its names. How many allocations ended.
    @discardableResult
    package func revoke(session: String, now: Instant, wallClock: Timestamp) -> Int { 0 }

    /// A name that was given to a client, for USERHASH. Does nothing unless the settings ask for it.
    package func announce(name: String, wallClock: Timestamp) {}

    /// New allocations are refused: with 300 and the other relay's address if one is given and of the client's family,
    /// with 508 otherwise. The ones there are go on, and may be refreshed until `until`.
    package func drain(alternate: TransportAddress?, until: Instant) {}
    package var isDrained: Bool { allocationCount == 0 }

    /// Which shard's ticket a Refresh from an unknown path carries (RFC 8016), for a driver whose kernel gave the path to
    /// another shard. A look at the message, without a check of any code.
    package static func shard(ofTicketIn message: RawSpan) -> UInt8? { nil }
}
