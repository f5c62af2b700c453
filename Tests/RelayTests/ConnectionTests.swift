// RFC 6062: TCP between the relay and peers.

import Base
import Relay
import TestKit
import Testing
import Wire

@Suite struct ConnectionTests {
    private let stage = openStage { $0.limits.connectionsPerAllocation = 3 }

    private func control(session: String = "alice", port: UInt16 = 1) -> RelayTestClient {
        let client = RelayTestClient(stage, session: session, port: port, transport: .tcp)
        let answer = client.ask(.allocate) { $0.add(.requestedTransport, UInt32(6) << 24) }
        #expect(answer?.isSuccess == true)
        _ = stage.takeCommands()
        return client
    }

    private func connect(_ client: RelayTestClient, _ peer: TransportAddress) -> PeerConnectionID? {
        #expect(client.ask(.connect) { $0.add(.xorPeerAddress, xor: peer) } == nil)
        for case .connect(let connection, _, peer) in stage.takeCommands() { return connection }
        return nil
    }

    @Test func `Connect is answered when the peer has answered, and then bound`() throws {
        let client = control()
        let connection = try #require(connect(client, peer4))
        stage.engine.peerConnected(connection, now: stage.now)
        stage.drain()
        let answer = try #require(stage.answer())
        #expect(answer.isSuccess && answer.method == .connect && answer.isAuthentic(client.key))
        #expect(answer.uint32(.connectionID) == connection.rawValue)

        let data = RelayTestClient(stage, port: 2, transport: .tcp)
        let bound = data.ask(.connectionBind) { $0.add(.connectionID, connection.rawValue) }
        #expect(bound?.isSuccess == true)
        #expect(stage.takeCommands() == [.join(data.path, connection)])
        let second = RelayTestClient(stage, port: 3, transport: .tcp)
        #expect(second.ask(.connectionBind) { $0.add(.connectionID, connection.rawValue) }?.code == .badRequest)

        stage.tick(after: .seconds(100))
        #expect(stage.engine.connectionCount == 1)
        stage.engine.peerClosed(connection, now: stage.now)
        #expect(stage.engine.connectionCount == 0)
    }

    @Test func `a peer that does not answer is 447, and one that is there already 446`() throws {
        let client = control()
        let connection = try #require(connect(client, peer4))
        #expect(
            client.ask(.connect) { $0.add(.xorPeerAddress, xor: peer4) }?.code == .connectionAlreadyExists)
        stage.engine.peerFailed(connection, now: stage.now)
        stage.drain()
        #expect(stage.answer()?.code == .connectionTimeoutOrFailure)
        let again = try #require(connect(client, peer4))
        #expect(again != connection)
        stage.tick(after: .seconds(32))
        #expect(stage.answer()?.code == .connectionTimeoutOrFailure)
        #expect(stage.takeCommands() == [.closePeer(again)] && stage.engine.connectionCount == 0)
        stage.engine.peerConnected(again, now: stage.now)
        stage.drain()
        #expect(stage.takeCommands() == [.closePeer(again)] && stage.take().isEmpty)
    }

    @Test func `a peer that calls is announced if it has a permission`() throws {
        let client = control()
        let relay = try #require(stage.sockets.keys.first)
        #expect(stage.engine.peerArrived(on: relay, from: peer4, now: stage.now) == nil)
        #expect(client.permit(peer4)?.isSuccess == true)
        let connection = try #require(stage.engine.peerArrived(on: relay, from: peer4, now: stage.now))
        stage.drain()
        let attempt = try #require(stage.answer())
        #expect(attempt.kind == .indication && attempt.method == .connectionAttempt)
        #expect(attempt.address(.xorPeerAddress) == peer4)
        #expect(attempt.uint32(.connectionID) == connection.rawValue)
        let data = RelayTestClient(stage, port: 2, transport: .tls)
        #expect(data.ask(.connectionBind) { $0.add(.connectionID, connection.rawValue) }?.isSuccess == true)
    }

    @Test func `nobody binds another user's connection, and none waits for ever`() throws {
        let client = control()
        let connection = try #require(connect(client, peer4))
        stage.engine.peerConnected(connection, now: stage.now)
        stage.drain()
        let thief = RelayTestClient(stage, session: "mallory", port: 2, transport: .tcp)
        #expect(thief.ask(.connectionBind) { $0.add(.connectionID, connection.rawValue) }?.code == .wrongCredentials)
        let guess = RelayTestClient(stage, port: 3, transport: .tcp)
        for id in [1, 0x10000, 0x8000_0000, .max].map({ connection.rawValue ^ $0 }) {
            #expect(guess.ask(.connectionBind) { $0.add(.connectionID, id) }?.code == .badRequest)
        }
        let udp = RelayTestClient(stage, port: 4)
        #expect(udp.ask(.connectionBind) { $0.add(.connectionID, connection.rawValue) }?.code == .badRequest)
        _ = stage.takeCommands()
        stage.tick(after: .seconds(32))
        #expect(stage.takeCommands() == [.closePeer(connection)] && stage.engine.connectionCount == 0)
    }

    @Test func `connections are bounded, and end with their allocation`() throws {
        let client = control()
        var open: [PeerConnectionID] = []
        for port: UInt16 in 1...3 { open.append(try #require(connect(client, TransportAddress(peer4.ip, port)))) }
        #expect(
            client.ask(.connect) { $0.add(.xorPeerAddress, xor: other4) }?.code == .insufficientCapacity)
        let relay = try #require(stage.sockets.keys.first)
        _ = client.permit(peer4)
        #expect(stage.engine.peerArrived(on: relay, from: peer4, now: stage.now) == nil)
        _ = stage.takeCommands()
        #expect(client.refresh(0)?.isSuccess == true)
        let commands = stage.takeCommands()
        for connection in open { #expect(commands.contains(.closePeer(connection))) }
        #expect(stage.engine.connectionCount == 0 && stage.engine.allocationCount == 0)
    }

    @Test func `a TCP allocation has no channels and no Send`() throws {
        let client = control()
        #expect(client.bind(0x4000, to: peer4)?.code == .badRequest)
        _ = client.permit(peer4)
        _ = stage.take()
        client.send([1], to: peer4)
        #expect(stage.take().isEmpty)
        let udp = RelayTestClient(stage, port: 9, transport: .tcp)
        _ = udp.allocate()
        #expect(udp.ask(.connect) { $0.add(.xorPeerAddress, xor: peer4) }?.code == .badRequest)
    }

    @Test func `TCP is slowed down to the bandwidth`() throws {
        let stage = openStage { $0.limits.bytesPerSecondPerAllocation = 100_000 }
        let client = RelayTestClient(stage, port: 1, transport: .tcp)
        _ = client.ask(.allocate) { $0.add(.requestedTransport, UInt32(6) << 24) }
        _ = client.ask(.connect) { $0.add(.xorPeerAddress, xor: peer4) }
        var found: PeerConnectionID?
        for case .connect(let connection, _, _) in stage.takeCommands() { found = connection }
        let connection = try #require(found)
        let engine = stage.engine
        #expect(engine.pause(after: 90_000, on: connection, toPeer: true, now: stage.now) == .zero)
        let wait = engine.pause(after: 110_000, on: connection, toPeer: false, now: stage.now)
        #expect(wait > .milliseconds(900) && wait < .milliseconds(1_100))
        #expect(engine.counters.bytesToPeers == 90_000 && engine.counters.bytesToClients == 110_000)
    }
}
