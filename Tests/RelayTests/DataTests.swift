import Base
import Relay
import TestKit
import Testing
import Wire

@Suite struct DataTests {
    private let stage = openStage()

    private func allocated(_ transport: ClientTransport = .udp, port: UInt16 = 40_000) throws -> (
        RelayTestClient, RelayID
    ) {
        let client = RelayTestClient(stage, port: port, transport: transport)
        let before = Set(stage.sockets.keys)
        #expect(client.allocate { $0.add(.additionalAddressFamily, UInt32(2) << 24) }?.isSuccess == true)
        let relay = try #require(stage.sockets.keys.first { !before.contains($0) && !$0.isV6 })
        return (client, relay)
    }

    private func six(_ relay: RelayID) throws -> RelayID {
        try #require(stage.sockets.keys.first { $0.index == relay.index && $0.isV6 })
    }

    // MARK: Permissions and indications

    @Test(arguments: [0, 1, 2, 3, 4, 1_200])
    func `indications go both ways, of any length`(length: Int) throws {
        let (client, relay) = try allocated()
        let data = Bytes((0..<length).map { UInt8(truncatingIfNeeded: $0) })
        #expect(client.permit(peer4, peer6)?.isSuccess == true)
        for (peer, socket) in [(peer4, relay), (peer6, try six(relay))] {
            _ = stage.take()
            client.send(data, to: peer)
            #expect(stage.take() == [.toPeer(socket, peer, data, dontFragment: false)])
            stage.peer(data, from: peer, to: socket)
            let got = try #require(stage.answer())
            #expect(got.kind == .indication && got.method == .data)
            #expect(got.address(.xorPeerAddress) == peer && got.value(.data) == data)
            #expect(got.bytes.count % 4 == 0 && got.bytes.suffix(-length & 3).allSatisfy { $0 == 0 })
        }
        #expect(stage.engine.counters.packetsToPeers == 2 && stage.engine.counters.packetsToClients == 2)
        #expect(stage.engine.counters.bytesToPeers == UInt64(2 * length))
    }

    @Test func `two indications have two transaction ids`() throws {
        let (client, relay) = try allocated()
        _ = client.permit(peer4)
        var ids: Set<STUNTransactionID> = []
        for _ in 0..<100 {
            stage.peer([1], from: peer4, to: relay)
            ids.insert(try #require(stage.answer()).transactionID)
        }
        #expect(ids.count == 100)
    }

    @Test func `DF goes with the datagram that asks for it`() throws {
        let (client, relay) = try allocated()
        _ = client.permit(peer4)
        _ = stage.take()
        client.send([1], to: peer4, dontFragment: true)
        #expect(stage.take() == [.toPeer(relay, peer4, [1], dontFragment: true)])
    }

    @Test func `without a permission nothing passes, and a permission ends`() throws {
        let (client, relay) = try allocated()
        _ = stage.take()
        client.send([1], to: peer4)
        stage.peer([1], from: peer4, to: relay)
        #expect(stage.take().isEmpty && stage.engine.counters[.noPermission] == 2)
        _ = client.permit(peer4)
        _ = stage.take()
        stage.peer([1], from: TransportAddress(peer4.ip, 1), to: relay)
        #expect(stage.take().count == 1)
        stage.peer([1], from: other4, to: relay)
        #expect(stage.take().isEmpty)
        stage.tick(after: .seconds(299))
        client.send([1], to: peer4)
        #expect(stage.take().count == 1)
        stage.tick(after: .seconds(3))
        client.send([1], to: peer4)
        stage.peer([1], from: peer4, to: relay)
        #expect(stage.take().isEmpty && stage.engine.permissionCount == 0)
    }

    @Test func `another client's allocation is not mine`() throws {
        let (client, relay) = try allocated()
        _ = client.bind(0x4000, to: peer4)
        let stranger = RelayTestClient(stage, session: "mallory", port: 9)
        stranger.path = client.path
        #expect(stranger.permit(other4)?.code == .wrongCredentials)
        #expect(stranger.refresh(0)?.code == .wrongCredentials)
        #expect(stranger.bind(0x4001, to: other4)?.code == .wrongCredentials)
        let elsewhere = RelayTestClient(stage, port: 10)
        _ = stage.take()
        stage.client(RelayTestClient.channelData(0x4000, [1]), from: elsewhere.path)
        #expect(stage.take().isEmpty)
        #expect(elsewhere.permit(other4)?.code == .allocationMismatch)
        stage.peer([1], from: peer4, to: relay)
        guard case .toClient(let path, _)? = stage.take().first else {
            Issue.record("the owner gets what is his")
            return
        }
        #expect(path == client.path)
    }

    // MARK: Channels

    @Test(arguments: [ClientTransport.udp, .tcp, .tls, .dtls], [0, 1, 3, 4, 1_200])
    func `channels go both ways, filled up on streams only`(transport: ClientTransport, length: Int) throws {
        let (client, relay) = try allocated(transport)
        let data = Bytes((0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        #expect(client.bind(0x4000, to: peer4)?.isSuccess == true)
        #expect(client.bind(0x4FFF, to: peer6)?.isSuccess == true)
        for (number, peer, socket) in [(UInt16(0x4000), peer4, relay), (0x4FFF, peer6, try six(relay))] {
            _ = stage.take()
            let message = RelayTestClient.channelData(number, data)
            stage.client(message, from: client.path)
            #expect(stage.take() == [.toPeer(socket, peer, data, dontFragment: false)])
            stage.peer(data, from: peer, to: socket)
            let filled = message + Bytes(repeating: 0, count: transport == .tcp || transport == .tls ? -length & 3 : 0)
            #expect(stage.take() == [.toClient(client.path, filled)])
        }
    }

    @Test func `what follows the data in a datagram is nobody's`() throws {
        let (client, relay) = try allocated()
        _ = client.bind(0x4000, to: peer4)
        _ = stage.take()
        stage.client(RelayTestClient.channelData(0x4000, [1, 2, 3]) + [0, 9, 9, 9, 9], from: client.path)
        #expect(stage.take() == [.toPeer(relay, peer4, [1, 2, 3], dontFragment: false)])
        stage.client([0x40, 0x00, 0x00, 0x04, 1, 2, 3], from: client.path)
        stage.client([0x40, 0x00, 0xFF, 0xFF], from: client.path)
        #expect(stage.take().isEmpty && stage.engine.counters[.malformed] == 2)
    }

    @Test(arguments: [0x0000, 0x3FFF, 0x5000, 0x7FFF, 0x8000, 0xFFFF] as [UInt16])
    func `a number out of range is no channel`(number: UInt16) throws {
        let (client, _) = try allocated()
        #expect(client.bind(number, to: peer4)?.code == .badRequest)
        _ = stage.take()
        stage.client(RelayTestClient.channelData(number, [1, 2, 3, 4]), from: client.path)
        #expect(stage.take().isEmpty && stage.engine.channelCount == 0)
    }

    @Test func `numbers of RFC 5766 are channels where they are asked for`() throws {
        let stage = openStage { $0.acceptsOldNumbers = true }
        let client = RelayTestClient(stage)
        _ = client.allocate()
        for (number, peer) in [(UInt16(0x5000), peer4), (0x7FFE, other4)] {
            #expect(client.bind(number, to: peer)?.isSuccess == true)
            _ = stage.take()
            stage.client(RelayTestClient.channelData(number, [1]), from: client.path)
            #expect(stage.take().count == 1)
        }
        for number: UInt16 in [0x3FFF, 0x7FFF, 0x8000] { #expect(client.bind(number, to: peer4)?.code == .badRequest) }
    }

    @Test func `a channel is of one peer, and a peer of one channel`() throws {
        let (client, _) = try allocated()
        #expect(client.bind(0x4000, to: peer4)?.isSuccess == true)
        #expect(client.bind(0x4000, to: other4)?.code == .badRequest)
        #expect(client.bind(0x4001, to: peer4)?.code == .badRequest)
        #expect(client.bind(0x4000, to: peer4)?.isSuccess == true)
        #expect(client.bind(0x4001, to: TransportAddress(peer4.ip, 1))?.isSuccess == true)
        #expect(stage.engine.channelCount == 2 && stage.engine.permissionCount == 1)
        let missing = client.ask(.channelBind) { $0.add(.channelNumber, UInt32(0x4005) << 16) }
        #expect(missing?.code == .badRequest)
    }

    @Test func `a channel outlives its permission, which hears nothing in between`() throws {
        let (client, relay) = try allocated()
        _ = client.bind(0x4000, to: peer4)
        stage.tick(after: .seconds(310))
        _ = stage.take()
        stage.client(RelayTestClient.channelData(0x4000, [1]), from: client.path)
        #expect(stage.take().count == 1)
        stage.peer([1], from: peer4, to: relay)
        #expect(stage.take().isEmpty)
        #expect(client.permit(peer4)?.isSuccess == true)
        _ = stage.take()
        stage.peer([1], from: peer4, to: relay)
        #expect(stage.take().count == 1)
        _ = client.refresh(3_600)
        stage.tick(after: .seconds(295))
        _ = stage.take()
        stage.client(RelayTestClient.channelData(0x4000, [1]), from: client.path)
        #expect(stage.take().isEmpty && stage.engine.channelCount == 0)
        #expect(client.bind(0x4000, to: other4)?.isSuccess == true)
    }

    @Test func `an ICMP error is told to who has a permission`() throws {
        let (client, relay) = try allocated()
        stage.engine.peerUnreachable(on: relay, peer: peer4, icmpType: 3, icmpCode: 4, data: 1_400, now: stage.now)
        stage.drain()
        _ = client.permit(peer4)
        _ = stage.take()
        stage.engine.peerUnreachable(on: relay, peer: peer4, icmpType: 3, icmpCode: 4, data: 1_400, now: stage.now)
        stage.drain()
        let told = try #require(stage.answer())
        #expect(told.method == .data && !told.has(.data) && told.address(.xorPeerAddress) == peer4)
        #expect(told.value(.icmp) == [0, 0, 3 << 1, 4, 0, 0, 0x05, 0x78])
    }

    @Test func `a Send that lacks something, or asks for what it may not, is dropped`() throws {
        let (client, _) = try allocated()
        _ = client.permit(peer4)
        func send(_ add: (inout STUNWriter) -> Void) {
            var writer = STUNWriter()
            writer.begin(.indication, .send, client.nextTransaction())
            add(&writer)
            stage.client(writer.bytes, from: client.path)
        }
        _ = stage.take()
        send { $0.add(.xorPeerAddress, xor: peer4) }
        send { $0.add(.data, Bytes([1]).span.bytes) }
        send {
            $0.add(.xorPeerAddress, xor: peer4)
            $0.add(STUNAttributeType(rawValue: 0x7FFE), UInt32(0))
            $0.add(.data, Bytes([1]).span.bytes)
        }
        #expect(stage.take().isEmpty)
        // The first of two counts.
        send {
            $0.add(.xorPeerAddress, xor: peer4)
            $0.add(.xorPeerAddress, xor: other4)
            $0.add(.data, Bytes([1]).span.bytes)
            $0.add(.data, Bytes([2]).span.bytes)
        }
        guard case .toPeer(_, peer4, [1], _)? = stage.take().first else {
            Issue.record("the first attribute of each kind")
            return
        }
    }
}
