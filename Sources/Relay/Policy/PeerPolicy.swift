// Whom the relay may reach. Asked for each peer of CreatePermission, ChannelBind, Connect and Send, and for TCP peers
// that call.
//
// A relay that reaches everything is a way into the network behind it: the database, the metrics port, the metadata
// service of a cloud. So by default it reaches our own media sockets and nothing else. `open` relays to the Internet, and
// to no address of the special-purpose registries, whichever way it is written (`SpecialPurpose.swift` in Wire).

package import Wire

/// An address with ports: media sockets of this node or of another one of the cluster.
package struct PeerEndpoints: Sendable, Equatable {
    package var address: IPAddress
    package var ports: ClosedRange<UInt16>

    package init(_ address: IPAddress, ports: ClosedRange<UInt16>) {
        self.address = address
        self.ports = ports
    }
}

package struct PeerPolicy: Sendable, Equatable {
    package enum Mode: Sendable, Equatable {
        case sfuOnly([PeerEndpoints])
        case open
    }

    /// More entries than a cluster has nodes, or an operator keeps in order; `init` refuses more, for each new peer is
    /// compared with all networks.
    package static let networksMax = 1_024
    package static let endpointsMax = 4_096

    package let mode: Mode
    /// Denied in any mode, whatever else allows it.
    package let denied: [IPNetwork]
    /// Of `open`: allowed although the special-purpose registries have it (a laboratory with private addresses).
    package let allowed: [IPNetwork]
    /// Where this process listens, each address as it is seen by a peer (a wildcard stands for nothing here): never a
    /// peer, or a client could speak to us as if from inside.
    package let listeners: [TransportAddress]

    private let endpoints: [IPAddress: [ClosedRange<UInt16>]]
    private let own: Set<TransportAddress>

    /// `nil` when a list is longer than its bound.
    package init?(
        _ mode: Mode, denied: [IPNetwork] = [], allowed: [IPNetwork] = [], listeners: [TransportAddress] = []
    ) {
        guard denied.count <= Self.networksMax, allowed.count <= Self.networksMax,
            listeners.count <= Self.endpointsMax
        else { return nil }
        var endpoints: [IPAddress: [ClosedRange<UInt16>]] = [:]
        if case .sfuOnly(let list) = mode {
            guard list.count <= Self.endpointsMax else { return nil }
            for entry in list { endpoints[entry.address, default: []].append(entry.ports) }
        }
        self.mode = mode
        self.denied = denied
        self.allowed = allowed
        self.listeners = listeners
        self.endpoints = endpoints
        own = Set(listeners)
    }

    /// Nobody: what a relay has until it knows better.
    package static let nobody: PeerPolicy = {
        guard let policy = PeerPolicy(.sfuOnly([])) else { preconditionFailure("a policy without lists") }
        return policy
    }()

    /// For a permission, which is for all ports of an address: whether any of them may be reached.
    package func allows(_ address: IPAddress) -> Bool {
        if denied.contains(where: AddressForms(address).isAny(in:)) { return false }
        switch mode {
        case .sfuOnly: return endpoints[address] != nil
        case .open: return PublicAddresses(allowed: allowed).contains(address)
        }
    }

    package func allows(_ peer: TransportAddress) -> Bool { allowsPort(of: peer) && allows(peer.ip) }

    /// The rest of the question for an address that is allowed: asked for each Send, so it compares with no network.
    package func allowsPort(of peer: TransportAddress) -> Bool {
        guard peer.port != 0, own.isEmpty || !own.contains(peer) else { return false }
        if case .open = mode { return true }
        return endpoints[peer.ip]?.contains { $0.contains(peer.port) } ?? false
    }
}
