// What the server holds for a client: plain values in slabs, linked by their numbers.

import Base
import Wire

/// No entry.
let nowhere = UInt32.max

/// One relayed address of an allocation.
struct RelayedAddress {
    enum Phase: UInt8 {
        case none
        /// The driver was asked for it.
        case opening
        case open
        /// The driver had none.
        case refused
    }

    var phase = Phase.none
    var address = TransportAddress(IPAddress(v4: 0), 0)
    /// When it was refused.
    var error: UInt16 = 0
}

struct Allocation {
    enum Phase: UInt8 {
        case free
        /// The second of a pair of ports, held for who brings its token.
        case reserved
        /// The driver has not answered yet; nor have we.
        case opening
        case open
    }

    var phase = Phase.free
    var generation: UInt32 = 0
    var transport = RelayTransport.udp
    var user = nowhere
    var client = ClientPath.none
    /// A mobile client's connection has ended: it comes back with its ticket, or not. It is in no table until then.
    var isDetached = false
    var v4 = RelayedAddress()
    var v6 = RelayedAddress()
    var expiry = Instant(nanoseconds: 0)

    /// The request that made it, to answer its repetitions alike.
    var transaction = STUNTransactionID(0, 0)
    var lifetimeSeconds: UInt32 = 0
    /// The request, and so the answer, goes by MESSAGE-INTEGRITY-SHA256.
    var answersSHA256 = false
    var answersFingerprint = false
    /// The pair of this one: the reservation that was made with it.
    var reservation = nowhere
    /// Of a reservation; and of who made one, to answer alike. 0 is none.
    var token: UInt64 = 0

    var isMobile = false
    /// Counts the tickets; only the newest is good.
    var ticket: UInt32 = 0
    /// The request that moved it last.
    var move = STUNTransactionID(0, 0)

    var firstPermission = nowhere
    var permissionCount: UInt16 = 0
    var firstChannel = nowhere
    var channelCount: UInt16 = 0
    var firstLink = nowhere
    var linkCount: UInt16 = 0
    /// When what was relayed is paid for (`Bandwidth`).
    var paid: UInt64 = 0
    /// When to look at it (the wheel's copy, for comparison).
    var look = Instant(nanoseconds: .max)

    func relayed(isV6 wanted: Bool) -> RelayedAddress { wanted ? v6 : v4 }
    func has(isV6 wanted: Bool) -> Bool { relayed(isV6: wanted).phase == .open }
}

/// An address that the client may hear and speak to, at any port that the policy allows.
struct Permission {
    /// RFC 8656 §9.
    static let lifetime = Duration.seconds(300)

    var allocation: UInt32
    var address: IPAddress
    var expiry: Instant
    /// Channels to this address: they keep the permission's place, though not its time.
    var channelCount: UInt16 = 0
    var previous = nowhere
    var next = nowhere
}

struct Channel {
    /// RFC 8656 §12.
    static let lifetime = Duration.seconds(600)

    var allocation: UInt32
    var number: UInt16
    var peer: TransportAddress
    var permission: UInt32
    var expiry: Instant
    var previous = nowhere
    var next = nowhere
}

/// A TCP connection to or from a peer (RFC 6062).
struct PeerLink {
    /// RFC 6062 §5.2 and §5.4: for the connection to come about, and then for the client to bind it.
    static let patience = Duration.seconds(30)

    enum Phase: UInt8 {
        case connecting
        /// It is there, and waits for a ConnectionBind.
        case waiting
        case joined
    }

    var phase: Phase
    var generation: UInt32
    var allocation: UInt32
    var peer: TransportAddress
    var deadline: Instant
    /// The Connect to answer.
    var transaction = STUNTransactionID(0, 0)
    var answersSHA256 = false
    var previous = nowhere
    var next = nowhere
}
