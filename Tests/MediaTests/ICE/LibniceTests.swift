import Base
import CShims
import Glibc
import TestKit
import Testing
import Wire

@testable import Media

/// Our lite agent on a socket of the loopback, in real time.
private final class LiteSocket {
    private static let bufferSize: Int32 = 1 << 16
    let port: UInt16
    private let descriptor: Int32
    private var server: LiteServer
    private var buffer = Bytes(repeating: 0, count: 2_048)
    private var peer = sockaddr_in()
    /// Of each check: what became of it.
    private(set) var outcomes: [ICEOutcome] = []
    /// What was no STUN.
    private(set) var received: [Bytes] = []

    init(_ credentials: ICECredentials) throws {
        var address = plexi_address()
        address.ip.0 = 127
        address.ip.3 = 1
        descriptor = plexi_datagram_socket(&address, Self.bufferSize)
        try #require(descriptor >= 0)
        port = address.port
        server = LiteServer(credentials)
    }

    deinit { close(descriptor) }

    var session: ICELiteSession { server.session }

    var answered: Int {
        outcomes.count {
            switch $0.action {
            case .respond, .respondAndSelect: true
            default: false
            }
        }
    }

    func restart(_ credentials: ICECredentials) { _ = server.session.restart(local: credentials, remoteUfrag: nil) }

    func expect(_ remote: ICECredentials) { server.session.setRemoteUfrag(remote.ufrag) }

    func turn() {
        var source = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        while true {
            let count = withUnsafeMutablePointer(to: &source) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, &buffer, buffer.count, 0, $0, &length)
                }
            }
            guard count > 0 else { return }
            take(Bytes(buffer[..<count]), source)
        }
    }

    private func take(_ datagram: Bytes, _ source: sockaddr_in) {
        let host = UInt32(bigEndian: source.sin_addr.s_addr)
        let path = MediaPath(
            remote: TransportAddress(IPAddress(v4: host), UInt16(bigEndian: source.sin_port)), socket: 0)
        guard let outcome = server.take(datagram, on: path, at: .now()) else { return received.append(datagram) }
        outcomes.append(outcome)
        peer = source
        if !server.response.bytes.isEmpty { send(server.response.bytes) }
    }

    /// To who checked last.
    func send(_ bytes: Bytes) {
        withUnsafePointer(to: &peer) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// Our lite agent against libnice, the agent of GStreamer and of Janus. See `LibniceLibrary`.
@Suite(.serialized, .enabled(if: LibniceLibrary.shared != nil, "no libnice; PLEXI_LIBNICE names one"))
struct LibniceTests {
    private static func turn(_ server: LiteSocket, _ agent: LibniceAgent) {
        server.turn()
        agent.turn()
        usleep(1_000)
    }

    private static func run(
        _ server: LiteSocket, _ agent: LibniceAgent, seconds: Int64 = 5, until condition: () -> Bool
    ) -> Bool {
        let end = Instant.now() + .seconds(seconds)
        while Instant.now() < end {
            turn(server, agent)
            if condition() { return true }
        }
        return false
    }

    private static func connected(_ options: LibniceAgent.Options) throws -> (LiteSocket, LibniceAgent) {
        let agent = try LibniceAgent(try #require(LibniceLibrary.shared), options)
        let credentials = testCredentials(1)
        let server = try LiteSocket(credentials)
        server.expect(try agent.localCredentials())
        try agent.connect(to: credentials, port: server.port)
        #expect(run(server, agent) { agent.state == .ready && server.session.isNominated })
        return (server, agent)
    }

    private static func rejected(_ outcome: ICEOutcome) -> Bool {
        if case .reject = outcome.action { true } else { false }
    }

    @Test(arguments: [LibniceAgent.Options.regularNomination, []])
    func `libnice connects and nominates, whichever way it does, and data goes both ways`(
        _ options: LibniceAgent.Options
    ) throws {
        let (server, agent) = try Self.connected(options)
        #expect(!server.outcomes.contains(where: Self.rejected))
        #expect(server.session.pathCount == 1)
        // The first byte tells it from STUN.
        let (there, back): (Bytes, Bytes) = ([0x80, 1, 2, 3], [0x90, 4, 5])
        #expect(agent.send(there) == there.count)
        server.send(back)
        #expect(Self.run(server, agent) { server.received == [there] && LibniceAgent.received == [back] })
    }

    @Test func `a restart of libnice's keeps the path until it is nominated anew`() throws {
        let (server, agent) = try Self.connected([])
        let path = try #require(server.session.selectedPath)
        let fresh = testCredentials(2)
        try agent.restart()
        server.restart(fresh)
        server.expect(try agent.localCredentials())
        #expect(server.session.selectedPath == path)
        try agent.connect(to: fresh, port: server.port)
        var wasLost = false
        #expect(
            Self.run(server, agent) {
                if server.session.selectedPath == nil { wasLost = true }
                return server.session.pendingUfrag == nil && agent.state == .ready
            })
        #expect(!wasLost)
        #expect(server.session.localUfrag == fresh.localUfrag)
        #expect(!server.outcomes.contains(where: Self.rejected))
    }

    @Test func `libnice's requests for consent are answered, and keep the path in use`() throws {
        let (server, agent) = try Self.connected(.consentFreshness)
        let path = try #require(server.session.selectedPath)
        let before = server.answered
        // Every 4 to 6 s (RFC 7675 §5.1).
        #expect(Self.run(server, agent, seconds: 14) { server.answered >= before + 2 })
        #expect(agent.state == .ready)
        #expect(server.session.isInUse(path, now: .now()))
        #expect(server.session.selectedPath == path)
        #expect(!server.outcomes.contains(where: Self.rejected))
    }
}
