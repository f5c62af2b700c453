import Base
import CShims
import Crypto
import Glibc
import Testing
import Wire

@testable import Relay

/// The relay's side of DTLS over a socket of the loopback, without a loop: what is sent there has arrived.
private final class DTLSPort {
    let clients: RelayClients
    let listener: RelaySocketListener

    init() throws {
        var address = plexi_address(TransportAddress(IPAddress(v4: 0x7F00_0001), 0))
        let descriptor = plexi_datagram_socket(&address, 64 << 10)
        guard descriptor >= 0 else { throw SystemError("bind a socket") }
        listener = RelaySocketListener(descriptor: descriptor, handle: 0, address: TransportAddress(address))
        clients = RelayClients(RelayDriverOptions(), try .make(offersSRTP: false))
    }

    deinit { close(listener.descriptor) }

    /// What a shard does with a datagram.
    func receive(_ datagram: Bytes, from remote: TransportAddress) -> RelayDTLSPeer? {
        datagram.withUnsafeBytes { bytes in
            let peer = clients.receiveDTLS(bytes, from: remote, listener, now: .now())
            if let peer { clients.flush(peer) }
            return peer
        }
    }
}

/// A client with a port of its own.
private final class DTLSCaller {
    private let descriptor: Int32
    private let address: TransportAddress
    private let identity: DTLSIdentity
    private(set) var session: DTLSSession
    private(set) var peer: RelayDTLSPeer?
    private(set) var sent: [Bytes] = []

    init() throws {
        var address = plexi_address(TransportAddress(IPAddress(v4: 0x7F00_0001), 0))
        descriptor = plexi_datagram_socket(&address, 64 << 10)
        guard descriptor >= 0 else { throw SystemError("bind a socket") }
        self.address = TransportAddress(address)
        identity = try .make(offersSRTP: false)
        session = try DTLSSession(.client, identity)
        session.start(now: .now())
    }

    deinit { close(descriptor) }

    /// Forgets its association, and keeps its port.
    func startAnew() throws {
        session = try DTLSSession(.client, identity)
        session.start(now: .now())
        sent = []
    }

    func send(to port: DTLSPort, _ change: (inout Bytes) -> Void = { _ in }) {
        while var datagram = session.takeDatagram() {
            change(&datagram)
            sent.append(datagram)
            peer = port.receive(datagram, from: address) ?? peer
        }
    }

    func give(_ datagram: Bytes, to port: DTLSPort) -> RelayDTLSPeer? { port.receive(datagram, from: address) }

    /// The datagrams that have arrived, which the session has taken.
    @discardableResult
    func receive() -> [Bytes] {
        var arrived: [Bytes] = []
        var (buffer, source) = (Bytes(repeating: 0, count: 2_048), plexi_address())
        while case let count = plexi_datagram_receive(descriptor, &buffer, UInt(buffer.count), &source), count >= 0 {
            arrived.append(Bytes(buffer[..<count]))
            session.receive(Bytes(buffer[..<count]), now: .now())
        }
        return arrived
    }

    func shakeHands(with port: DTLSPort) {
        // Hello, hello with the cookie, and the flight with Finished.
        for _ in 0..<3 {
            send(to: port)
            receive()
        }
    }
}

@Suite(.serialized) struct RelayDTLSTests {
    @Test func `clients that begin at the same time do not get in each other's way`() throws {
        let port = try DTLSPort()
        let callers = try (0..<8).map { _ in try DTLSCaller() }
        for _ in 0..<3 {
            for caller in callers { caller.send(to: port) }
            for caller in callers { caller.receive() }
        }
        #expect(callers.allSatisfy { $0.session.phase == .established })
        #expect(port.clients.associationCount == 8 && Set(callers.compactMap { $0.peer?.path.handle }).count == 8)
        for caller in callers {
            let peer = try #require(caller.peer)
            #expect(peer.session.send([1, 2, 3]))
            port.clients.flush(peer)
            caller.receive()
            #expect(caller.session.takeApplicationData() == [1, 2, 3])
        }
    }

    @Test func `who speaks no version of ours is told so, and the next one is not harmed`() throws {
        let port = try DTLSPort()
        let old = try DTLSCaller()
        // The version of the hello, after the headers of the record and of the message: DTLS 1.0.
        let speakOld = { (hello: inout Bytes) in hello.replaceSubrange(25..<27, with: [0xFE, 0xFF]) }
        old.send(to: port, speakOld)
        let verify = try #require(old.receive().first)
        #expect(verify.first == 22 && verify.dropFirst(13).first == 3)
        old.send(to: port, speakOld)
        // A fatal alert: protocol_version.
        let alert = try #require(old.receive().first)
        #expect(alert.first == 21 && alert.suffix(2) == [2, 70])
        #expect(port.clients.associationCount == 0)
        let good = try DTLSCaller()
        good.shakeHands(with: port)
        #expect(good.session.phase == .established && port.clients.associationCount == 1)
    }

    @Test func `a client that forgot its association begins anew from the same port`() throws {
        let port = try DTLSPort()
        let caller = try DTLSCaller()
        caller.shakeHands(with: port)
        let first = try #require(caller.peer)
        #expect(first.session.phase == .established && port.clients.takeReplaced() == nil)
        try caller.startAnew()
        // Whoever has not shown the cookie may be anybody: what there is goes on.
        caller.send(to: port)
        #expect(port.clients.dtlsPeer(first.path) === first && port.clients.takeReplaced() == nil)
        caller.receive()
        caller.send(to: port)
        #expect(port.clients.takeReplaced() == first.path)
        caller.receive()
        caller.shakeHands(with: port)
        let second = try #require(caller.peer)
        #expect(second !== first && second.session.phase == .established && caller.session.phase == .established)
        #expect(port.clients.associationCount == 1 && port.clients.dtlsPeer(second.path) === second)
    }

    @Test func `a hello that comes twice ends nothing`() throws {
        let port = try DTLSPort()
        let caller = try DTLSCaller()
        caller.shakeHands(with: port)
        let peer = try #require(caller.peer)
        for hello in caller.sent.prefix(2) {
            #expect(caller.give(hello, to: port) === peer)
            #expect(port.clients.takeReplaced() == nil && peer.session.phase == .established)
        }
    }
}
