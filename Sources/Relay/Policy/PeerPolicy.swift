// Whom the relay may reach. Asked for each peer of CreatePermission, ChannelBind, Connect and Send, and for TCP peers
// that call.
//
// A relay that reaches everything is a way into the network behind it: the database, the metrics port, the metadata
// service of a cloud. So by default it reaches our own media sockets and nothing else. `open` relays to the Internet, and
// to no address of the special-purpose registries, whichever way it is written.

package import Wire

/// Addresses with ports: media sockets of this node or of another one of the cluster.
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

    package var mode: Mode
    /// Denied in any mode, whatever else allows it.
    package var denied: [IPNetwork] = []
    /// Of `open`: allowed although the special-purpose list denies it (a lab with private addresses).
    package var allowed: [IPNetwork] = []
    /// Our own listening sockets: never a peer.
    package var listeners: [TransportAddress] = []

    package init(_ mode: Mode) { self.mode = mode }

    /// Bounds of the lists: each entry is compared with for each new permission.
    package static let networksMax = 1_024
    package static let endpointsMax = 4_096
}
