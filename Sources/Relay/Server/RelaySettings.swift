// What a relay is told when it starts: names, bounds, features. Every bound has the error that its excess gets; the
// page docs/relay/README.md has them in one table.

package import Base
package import Wire

package struct RelayLimits: Sendable {
    /// Allocations of one engine, reserved ports among them: 508 beyond. Each costs a descriptor or two and about 1 KiB
    /// here; the tables for it are reserved at the start and become real as they are used.
    package var allocations = 4_096
    /// Allocations of one user name: 486 beyond. A browser makes one for each of its networks, transports and relay
    /// URLs: a phone with two networks and three URLs is at 12.
    package var allocationsPerUser = 24
    /// Addresses that one allocation may hear at once: 508 beyond. A call through a selective forwarder needs one or
    /// two, a mesh of browsers a dozen each.
    package var permissionsPerAllocation = 64
    /// 508 beyond.
    package var channelsPerAllocation = 64
    /// TCP connections to peers of one allocation (RFC 6062): 508 beyond; those that come in are closed.
    package var connectionsPerAllocation = 16
    /// The same of one engine: each is a descriptor here and one more to the client.
    package var connections = 1_024
    /// Bytes a second that one allocation may relay, both directions together: what is more is dropped and counted,
    /// TCP is slowed down. 0 is without a bound. Video of 4 Mbit/s both ways needs 1 MB/s; a second's worth may come at once.
    package var bytesPerSecondPerAllocation = 2_500_000
    /// The same for the engine.
    package var bytesPerSecond = 0
    /// RFC 8656 §3.2. Lower values are more refreshes, higher ones keep what a client that vanished had.
    package var lifetimeDefault = Duration.seconds(600)
    package var lifetimeMax = Duration.seconds(3_600)
    /// How far ahead the expiry of a credential may be (401 beyond), and so how long a revoked session is remembered.
    /// Issuers give hours; a higher bound remembers longer.
    package var credentialLifetimeMax = Duration.hours(48)
    /// Bytes that sources without a right password may get in answers beyond what they sent, for each source (an IPv4
    /// address, an IPv6 /64). A challenge is longer than the request that it answers, so without this a forged source
    /// would get three times what the forger sends; with it a flood gets this much and then less than it cost. Nothing is
    /// answered beyond. A NAT with many people behind it begins calls at this rate, 90 bytes each.
    package var unauthenticatedBytesPerSecond = 4_096
    package var unauthenticatedBytesBurst = 16_384
    /// Answers to sources that failed to give a right password, a second and source, for the transports too that nobody
    /// can forge: each costs four HMACs. Not answered beyond.
    package var failuresPerSecond = 16
    package var failuresBurst = 64

    package init() {}
}

/// A socket of ours where clients come in.
package struct RelayListener: Sendable, Equatable {
    /// `ClientPath.handle` of its datagrams; for streams and DTLS it is only an address of ours.
    package var handle: UInt32
    package var address: TransportAddress
    package var transport: ClientTransport

    package init(handle: UInt32, address: TransportAddress, transport: ClientTransport) {
        self.handle = handle
        self.address = address
        self.transport = transport
    }
}

/// RFC 5780: two addresses with two ports each. Off unless an operator has a second public address.
package struct BehaviourDiscovery: Sendable, Equatable {
    /// UDP listeners: [address][port], each by its handle.
    package var primary: (RelayListener, RelayListener)
    package var alternate: (RelayListener, RelayListener)

    package init(
        primary: (RelayListener, RelayListener), alternate: (RelayListener, RelayListener)
    ) {
        self.primary = primary
        self.alternate = alternate
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.primary == right.primary && left.alternate == right.alternate
    }
}

package struct RelaySettings: Sendable {
    /// Shown to clients, part of every key. Short: it is in each challenge.
    package var realm = "plexichat"
    package var limits = RelayLimits()
    /// Which families relayed addresses may have; 440 for the other.
    package var relaysV4 = true
    package var relaysV6 = true
    /// RFC 6062; 442 without.
    package var relaysTCP = true
    /// Numbers from before RFC 8656, for an operator who has clients of that time; coturn's own test client is one.
    /// Channels of RFC 5766, up to 0x7FFE: RFC 8656 keeps those above 0x4FFF for others on the same socket. And what the
    /// drafts of ADDITIONAL-ADDRESS-FAMILY were: without it such a client gets one address where it thinks of two.
    package var acceptsOldNumbers = false
    /// RFC 8016; 405 without.
    package var allowsMobility = true
    /// The driver can set DF; without it DONT-FRAGMENT gets 420 (RFC 8656 §7.2).
    package var canSetDontFragment = true
    /// USERHASH instead of USERNAME (RFC 8489 §14.4). A hash is understood for names that were announced
    /// (`RelayEngine.announce`) and names that have an allocation; challenges say so by a bit.
    package var understandsUserhash = false
    package var discovery: BehaviourDiscovery?
    /// All addresses where we listen: never peers.
    package var listeners: [RelayListener] = []
    /// For nonces and tickets: 32 random bytes, the same for all shards of a process, so that each takes the nonces of
    /// the others.
    package var tokenKey: Secret
    /// Of this engine: part of the tickets and tokens that it gives, so that a driver can ask whose they are.
    package var shard: UInt8 = 0
    /// Nonces are renewed after this (438): RFC 8656 §5 wants an hour at most.
    package var nonceLifetime = Duration.seconds(3_600)

    package init(tokenKey: Secret) { self.tokenKey = tokenKey }
}
