// A soft peer on sockets of this machine, UDP or TCP, and in real time: for tests of the whole way, kernel and threads
// included.

package import Base
import CShims
import Glibc
package import Wire

package final class SoftPeerSocket {
    package enum Way: Sendable {
        case datagrams
        /// RFC 4571 frames on a connection to a passive candidate.
        case connection
    }

    package let peer: SoftPeer
    private var line: Line?
    /// Those from before a move: read to their end, and written no more.
    private var former: [Line] = []
    private var way: Way
    private let server: TransportAddress?
    /// Reads nothing.
    package var isPaused = false
    /// Datagrams that came, by the way of their socket.
    package private(set) var received: [Way: Int] = [:]
    /// The socket could not be opened, or the server has closed the connection.
    package var isClosed: Bool { failed || line?.isClosed == true }
    private var failed = false

    /// Without a server, to what the answer names. A socket of that family, on a port that the kernel chooses.
    package init(_ peer: SoftPeer, over way: Way = .datagrams, to server: TransportAddress? = nil) throws(SystemError) {
        self.peer = peer
        self.way = way
        self.server = server
        if let server { line = try Line(way, to: server) }
    }

    /// Moves what there is, both ways, and lets the peer do what is due.
    package func turn() {
        let now = Instant.now()
        open()
        if !isPaused {
            for line in former + (line.map { [$0] } ?? []) {
                line.receive { datagram in
                    received[line.way, default: 0] += 1
                    peer.receive(datagram, now: now)
                }
            }
            former.removeAll(where: \.isClosed)
        }
        peer.tick(now: now)
        guard let line else { return }
        for datagram in peer.takeOutgoing() { line.send(datagram) }
        line.write()
    }

    /// From now on everything goes another way, a check first: the server has to learn of it.
    package func move(to way: Way) {
        if let line { former.append(line) }
        line = nil
        self.way = way
        open()
        if let check = peer.makeCheck() { send(check) }
    }

    /// What was left open by moves is closed.
    package func closeFormer() { former.removeAll() }

    package func send(_ datagram: Bytes) { line?.send(datagram) }

    /// Bytes of the connection, whatever they mean.
    package func sendRaw(_ bytes: Bytes) { line?.sendRaw(bytes) }

    package func disconnect() { line?.disconnect() }

    private func open() {
        guard line == nil, !failed else { return }
        let named = way == .datagrams ? peer.remoteAddress : peer.remoteConnectionAddress
        guard let address = server ?? named else { return }
        line = try? Line(way, to: address)
        failed = line == nil
    }
}

/// One socket, and what is on its way through it.
private final class Line {
    let way: SoftPeerSocket.Way
    private(set) var isClosed = false
    private let descriptor: Int32
    private let server: TransportAddress
    private var deframer = StreamDeframer()
    private var unsent: Bytes = []

    init(_ way: SoftPeerSocket.Way, to server: TransportAddress) throws(SystemError) {
        self.way = way
        self.server = server
        var raw = Self.address(server)
        switch way {
        case .connection: descriptor = plexi_stream_connect(&raw)
        case .datagrams:
            var local = Self.address(TransportAddress(server.ip, 0))
            descriptor = plexi_datagram_socket(&local, 1 << 20)
        }
        guard descriptor >= 0 else { throw SystemError("make a socket") }
    }

    deinit { close(descriptor) }

    private static func address(_ address: TransportAddress) -> plexi_address {
        var raw = plexi_address()
        withUnsafeMutableBytes(of: &raw.ip) { $0.copyBytes(from: address.ip.bytes) }
        raw.port = address.port
        raw.is_v6 = address.ip.isV6 ? 1 : 0
        return raw
    }

    // MARK: In

    func receive(_ take: (Bytes) -> Void) {
        if way == .datagrams { receiveDatagrams(take) } else { receiveFrames(take) }
    }

    private func receiveDatagrams(_ take: (Bytes) -> Void) {
        var buffer = Bytes(repeating: 0, count: 2_048)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return }
            take(Bytes(buffer[..<count]))
        }
    }

    private func receiveFrames(_ take: (Bytes) -> Void) {
        var buffer = Bytes(repeating: 0, count: 32 << 10)
        while !isClosed {
            let count = plexi_stream_read(descriptor, &buffer, UInt(buffer.count))
            // Before the connection is made there is nothing to read, and no end either.
            if count < 0 { isClosed = true }
            guard count > 0 else { return }
            let chunk = Bytes(buffer[..<count])
            var offset = 0
            reading: while true {
                guard let step = try? deframer.next(in: chunk.span.bytes, from: &offset) else { return }
                switch step {
                case .frame(let range): take(Bytes(chunk[range]))
                case .assembled: take(assembled())
                case .needsMore: break reading
                }
            }
        }
    }

    private func assembled() -> Bytes {
        let done = deframer
        var bytes: Bytes = []
        bytes.append(done.assembled)
        return bytes
    }

    // MARK: Out

    func send(_ datagram: Bytes) {
        switch way {
        case .connection: unsent.append(framed: datagram.span.bytes)
        case .datagrams:
            datagram.withUnsafeBytes { bytes in
                var burst = plexi_burst(
                    bytes: bytes.baseAddress, count: UInt32(bytes.count), segment: UInt32(bytes.count),
                    address: Self.address(server))
                _ = plexi_send_datagrams(descriptor, &burst, 0)
            }
        }
    }

    func sendRaw(_ bytes: Bytes) {
        unsent += bytes
        write()
    }

    func disconnect() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    func write() {
        guard !unsent.isEmpty else { return }
        let taken = plexi_stream_write(descriptor, unsent, UInt(unsent.count))
        if taken > 0 { unsent.removeFirst(taken) }
    }
}
