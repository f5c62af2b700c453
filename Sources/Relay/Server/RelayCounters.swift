// What happened, as plain numbers: the engine is touched by one thread, which copies them to the metrics now and then.

/// Why a request was refused, or bytes were not relayed. Each has a counter; `docs/relay/README.md` says what each is
/// answered with.
package enum RelayRefusal: UInt8, Sendable, CaseIterable {
    /// Neither STUN nor ChannelData, or broken.
    case malformed
    /// STUN that asks nothing of a server: responses, unknown methods, indications other than Send.
    case notForUs
    /// The request lacks what it needs, or has it in a form that is not allowed. 400.
    case badRequest
    /// No credentials yet: the ordinary first step. 401 with a challenge.
    case challenged
    /// The name is none of ours, or the code is not of its password. 401.
    case wrongPassword
    /// The name's time is over. 401.
    case expired
    /// The name's session was revoked. 401.
    case revoked
    /// 438.
    case staleNonce
    /// An answer that the source was not owed: nothing.
    case rateLimited
    /// 420.
    case unknownAttribute
    /// The policy does not allow the peer. 403; of a Send indication or a TCP peer that calls: nothing.
    case forbiddenPeer
    /// No allocation, or one already. 437.
    case mismatch
    /// Another user's allocation, ticket, token or connection. 441.
    case otherUser
    /// 440, 443.
    case family
    /// 442.
    case transport
    /// 405.
    case mobilityForbidden
    /// 486.
    case userQuota
    /// All allocations are taken, or ports, or descriptors. 508.
    case capacity
    /// Permissions or channels of an allocation. 508.
    case permissionQuota
    /// 508, or 300 to another relay.
    case draining
    /// 446.
    case connectionExists
    /// 447.
    case connectionFailed
    /// Data to or from a peer without a permission or channel: dropped.
    case noPermission
    /// More bytes than the allocation or the engine may relay: dropped.
    case bandwidth
}

package struct RelayCounters: Sendable {
    package var refusals = InlineArray<24, UInt64>(repeating: 0)
    package subscript(refusal: RelayRefusal) -> UInt64 { refusals[Int(refusal.rawValue)] }

    package var bindings: UInt64 = 0
    package var allocated: UInt64 = 0
    package var expired: UInt64 = 0
    package var released: UInt64 = 0
    package var moved: UInt64 = 0
    package var permissions: UInt64 = 0
    package var channels: UInt64 = 0
    package var connections: UInt64 = 0
    package var packetsToPeers: UInt64 = 0
    package var bytesToPeers: UInt64 = 0
    package var packetsToClients: UInt64 = 0
    package var bytesToClients: UInt64 = 0

    package init() {}
}
