// Listening sockets.
//
// A TCP endpoint has one socket per shard (SO_REUSEPORT): the kernel spreads connections over them, and a connection
// never changes its thread. A socket path, or a socket that the service manager opened, is one socket: the first
// shard accepts there and hands the connections out in turn.

import Base
import CShims
import Glibc
import Wire

/// A bound and listening socket, not yet served.
struct ListeningSocket: Sendable {
    let descriptor: Int32
    /// With the port that the kernel chose.
    let endpoint: Endpoint
    /// Other shards have sockets of their own for this endpoint.
    let isPerShard: Bool

    /// One socket per shard, or one for all of them.
    static func open(_ endpoint: Endpoint, shards: Int, backlog: Int32) throws(SystemError) -> [ListeningSocket] {
        switch endpoint {
        case .inherited(let descriptor): return [try adopt(descriptor)]
        case .unix(let path): return [try bindUnix(path, backlog)]
        case .tcp(let address, let port):
            if port != 0 { try checkUnused(address, port) }
            var sockets = [try bindTCP(address, port, backlog)]
            do throws(SystemError) {
                for _ in 1..<max(shards, 1) {
                    sockets.append(try bindTCP(address, sockets[0].endpoint.port ?? port, backlog))
                }
            } catch {
                for socket in sockets { close(socket.descriptor) }
                throw error
            }
            return sockets
        }
    }

    /// Listens and gives up at once. A local path is only looked at: binding would take it from a running server.
    static func probe(_ endpoint: Endpoint) throws(SystemError) -> [ListeningSocket] {
        guard case .tcp = endpoint else { return [] }
        return try open(endpoint, shards: 1, backlog: 1)
    }

    /// SO_REUSEPORT would let a second server of the same user share the port in silence, so one socket without it
    /// tries first.
    private static func checkUnused(_ address: IPAddress, _ port: UInt16) throws(SystemError) {
        let wanted = SocketAddress(address, port: port)
        let descriptor = try makeSocket(wanted.family)
        defer { close(descriptor) }
        try set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
        if address.isV6 { try set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
        try Syscall.check("bind \(Endpoint.tcp(address, port: port))") {
            wanted.withPointer { bind(descriptor, $0, $1) }
        }
    }

    private static func bindTCP(
        _ address: IPAddress, _ port: UInt16, _ backlog: Int32
    ) throws(SystemError) -> ListeningSocket {
        let wanted = SocketAddress(address, port: port)
        let descriptor = try makeSocket(wanted.family)
        do throws(SystemError) {
            try set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)
            try set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1)
            if address.isV6 { try set(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
            // Accepted sockets inherit it. We gather what we write ourselves.
            try set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            let name = "\(Endpoint.tcp(address, port: port))"
            try Syscall.check("bind \(name)") { wanted.withPointer { bind(descriptor, $0, $1) } }
            try Syscall.check("listen on \(name)") { listen(descriptor, backlog) }
            let bound = try boundAddress(descriptor).ip?.port ?? port
            return ListeningSocket(
                descriptor: descriptor, endpoint: .tcp(address, port: bound), isPerShard: true)
        } catch {
            close(descriptor)
            throw error
        }
    }

    private static func bindUnix(_ path: String, _ backlog: Int32) throws(SystemError) -> ListeningSocket {
        let wanted = try SocketAddress(path: path)
        let descriptor = try makeSocket(AF_UNIX)
        do throws(SystemError) {
            if wanted.withPointer({ connect(descriptor, $0, $1) }) == 0 {
                throw SystemError("bind \(path)", code: EADDRINUSE)
            }
            if errno == ECONNREFUSED, isSocket(path) { unlink(path) }  // left by a process that is gone
            try Syscall.check("bind \(path)") { wanted.withPointer { bind(descriptor, $0, $1) } }
            try Syscall.check("listen on \(path)") { listen(descriptor, backlog) }
            return ListeningSocket(descriptor: descriptor, endpoint: .unix(path: path), isPerShard: false)
        } catch {
            close(descriptor)
            throw error
        }
    }

    /// A connection to an ordinary file is refused just the same, and that file is not ours to remove.
    private static func isSocket(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFSOCK
    }

    private static func adopt(_ descriptor: Int32) throws(SystemError) -> ListeningSocket {
        try Syscall.check("use descriptor \(descriptor) as a socket") {
            fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
        let address = try boundAddress(descriptor)
        if let ip = address.ip {
            try set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            return ListeningSocket(
                descriptor: descriptor, endpoint: .tcp(ip.address, port: ip.port), isPerShard: false)
        }
        return ListeningSocket(
            descriptor: descriptor, endpoint: .inherited(descriptor: descriptor), isPerShard: false)
    }

    private static func makeSocket(_ family: Int32) throws(SystemError) -> Int32 {
        try Syscall.check("make a socket") {
            socket(family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        }
    }

    private static func set(
        _ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32
    ) throws(SystemError) {
        var value = value
        try Syscall.check("set a socket option") {
            setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    private static func boundAddress(_ descriptor: Int32) throws(SystemError) -> SocketAddress {
        try SocketAddress { (storage, length) throws(SystemError) in
            try Syscall.check("read a socket's address") {
                getsockname(descriptor, storage.assumingMemoryBound(to: sockaddr.self), &length)
            }
        }
    }
}

/// Accepts on one shard.
final class Listener {
    /// Connections taken in one turn of the loop. Higher drains a burst sooner, lower lets the sockets that are there
    /// already wait less. A new connection's request is read at once, so more than the jobs of a turn
    /// (`Shard.jobsPerTurn`) would only wait for their answers.
    private static let acceptedPerTurn = Shard.jobsPerTurn
    /// How long we do not accept when not even the reserve descriptor could be opened again.
    private static let pause: Duration = .milliseconds(100)

    private let socket: ListeningSocket
    private let loop: Shard
    private let accepted: (Int32, SocketAddress) -> Void
    private var watch: (any DescriptorWatch)?
    /// Given up for a moment when the process is out of descriptors, so that a waiting client can be accepted and
    /// closed, instead of waking us for ever.
    private var reserve: Int32 = -1

    init(
        _ socket: ListeningSocket, on loop: Shard, _ accepted: @escaping (Int32, SocketAddress) -> Void
    ) throws(SystemError) {
        self.socket = socket
        self.loop = loop
        self.accepted = accepted
        openReserve()
        watch = try loop.watch(socket.descriptor, for: .readable) { [unowned self] _ in accept() }
    }

    /// Takes what has already connected, then stops.
    func close() {
        guard let watch else { return }
        accept(upTo: .max)
        watch.cancel()
        self.watch = nil
        Glibc.close(socket.descriptor)
        if reserve >= 0 { Glibc.close(reserve) }
        if case .unix(let path) = socket.endpoint { unlink(path) }
    }

    private func accept(upTo limit: Int = Listener.acceptedPerTurn) {
        var count = 0
        while count < limit, watch != nil {
            do throws(SystemError) {
                var descriptor: Int32 = -1
                let peer = try SocketAddress { (storage, length) throws(SystemError) in
                    descriptor = try Syscall.check("accept") { plexi_accept(socket.descriptor, storage, &length) }
                }
                accepted(descriptor, peer)
            } catch {
                guard mayGoOn(error.code) else {
                    if count > 0 { loop.connectionsMoved(count) }
                    return
                }
            }
            count += 1
        }
        loop.connectionsMoved(count)
        loop.connectionsWait()
    }

    private func mayGoOn(_ code: Int32) -> Bool {
        switch code {
        case EAGAIN: return false
        case EMFILE, ENFILE: return refuseOne()
        case ENOBUFS, ENOMEM:
            rest()
            return false
        default: return true  // accept(2): errors of the connection itself, which is gone
        }
    }

    private func refuseOne() -> Bool {
        guard reserve >= 0 else {
            rest()
            return false
        }
        Glibc.close(reserve)
        let descriptor = plexi_accept(socket.descriptor, nil, nil)
        if descriptor >= 0 { Glibc.close(descriptor) }
        openReserve()
        return descriptor >= 0
    }

    private func openReserve() { reserve = open("/dev/null", O_RDONLY | O_CLOEXEC) }

    private func rest() {
        watch?.interest = []
        _ = loop.schedule(after: Self.pause) { [weak self] in
            guard let self else { return }
            if reserve < 0 { openReserve() }
            watch?.interest = .readable
        }
    }
}

/// A socket that no child process inherits, or -1.
///
/// Here, and not beside its caller: libcurl's module has a copy of <sys/socket.h>, and where a whole module is optimised
/// at once, the first file that uses a name of both takes it away from files that import the other.
enum PlainSocket {
    static func make(family: Int32, type: Int32, protocol number: Int32) -> Int32 {
        socket(family, type | Int32(SOCK_CLOEXEC.rawValue), number)
    }
}
