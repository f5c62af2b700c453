// Between which remote address and which of our sockets datagrams travel: the 5-tuple, as ICE validates it.

package import Wire

package struct MediaPath: Hashable, Sendable {
    package var remote: TransportAddress
    /// Which of our UDP sockets, or which TCP connection; the driver gives the numbers.
    package var socket: UInt32

    package init(remote: TransportAddress, socket: UInt32) {
        self.remote = remote
        self.socket = socket
    }

    static let none = MediaPath(remote: TransportAddress(IPAddress(v4: 0), 0), socket: .max)
}
