// RFC 8016: an allocation follows its client.

import Base
import Relay
import TestKit
import Testing
import Wire

@Suite struct MobilityTests {
    private func mobile(_ stage: RelayStage, port: UInt16 = 1) throws -> (RelayTestClient, ticket: Bytes) {
        let client = RelayTestClient(stage, port: port)
        let answer = try #require(client.allocate { $0.add(flag: .mobilityTicket) })
        return (client, try #require(answer.value(.mobilityTicket)))
    }

    private func move(_ client: RelayTestClient, _ ticket: Bytes, lifetime: UInt32 = 600) -> RelayAnswer? {
        client.ask(.refresh) {
            $0.add(.lifetime, lifetime)
            $0.add(.mobilityTicket, ticket.span.bytes)
        }
    }

    @Test func `a client that comes from elsewhere keeps its relayed address and channels`() throws {
        let stage = openStage()
        let (client, ticket) = try mobile(stage)
        _ = client.bind(0x4000, to: peer4)
        let relay = try #require(stage.sockets.keys.first)
        let moved = RelayTestClient(stage, port: 2)
        let answer = try #require(move(moved, ticket))
        #expect(answer.isSuccess && answer.uint32(.lifetime) == 600)
        let next = try #require(answer.value(.mobilityTicket))
        #expect(next != ticket && stage.engine.allocationCount == 1)

        stage.peer([7], from: peer4, to: relay)
        #expect(stage.take() == [.toClient(moved.path, RelayTestClient.channelData(0x4000, [7]))])
        stage.client(RelayTestClient.channelData(0x4000, [8]), from: moved.path)
        #expect(stage.take() == [.toPeer(relay, peer4, [8], dontFragment: false)])
        stage.client(RelayTestClient.channelData(0x4000, [8]), from: client.path)
        #expect(stage.take().isEmpty)

        let third = RelayTestClient(stage, port: 3)
        #expect(move(third, ticket)?.code == .allocationMismatch)
        #expect(move(third, next)?.isSuccess == true)
    }

    @Test func `a repeated move is answered alike`() throws {
        let stage = openStage()
        let (_, ticket) = try mobile(stage)
        let moved = RelayTestClient(stage, port: 2)
        moved.fetchNonce()
        let request = moved.message(.refresh) { $0.add(.mobilityTicket, ticket.span.bytes) }
        stage.client(request, from: moved.path)
        let first = stage.answer()
        stage.client(request, from: moved.path)
        #expect(first?.isSuccess == true && stage.answer()?.bytes == first?.bytes)
    }

    @Test func `a ticket of another user, a forged one and one that is over`() throws {
        let stage = openStage()
        let (client, ticket) = try mobile(stage)
        let thief = RelayTestClient(stage, session: "mallory", port: 2)
        #expect(move(thief, ticket)?.code == .wrongCredentials)
        for index in ticket.indices {
            var forged = ticket
            forged[index] ^= 1
            #expect(move(thief, forged)?.code == .badRequest)
        }
        #expect(move(thief, [])?.code == .badRequest && move(thief, ticket + [0])?.code == .badRequest)
        #expect(client.refresh(0)?.isSuccess == true)
        let late = RelayTestClient(stage, port: 3)
        #expect(move(late, ticket)?.code == .allocationMismatch)
    }

    @Test func `without mobility a ticket is refused`() throws {
        let stage = openStage { $0.allowsMobility = false }
        let client = RelayTestClient(stage)
        #expect(client.allocate { $0.add(flag: .mobilityTicket) }?.code == .mobilityForbidden)
        #expect(move(client, [1])?.code == .mobilityForbidden)
    }

    @Test func `a stream that ends leaves a mobile allocation waiting for its client`() throws {
        let stage = openStage()
        let client = RelayTestClient(stage, port: 1, transport: .tls)
        let ticket = try #require(client.allocate { $0.add(flag: .mobilityTicket) }?.value(.mobilityTicket))
        _ = client.bind(0x4000, to: peer4)
        let relay = try #require(stage.sockets.keys.first)
        stage.engine.connectionClosed(client.path, now: stage.now)
        #expect(stage.engine.allocationCount == 1)
        _ = stage.take()
        stage.peer([1], from: peer4, to: relay)
        #expect(stage.take().isEmpty)
        let back = RelayTestClient(stage, port: 2)
        #expect(move(back, ticket)?.isSuccess == true)
        stage.peer([1], from: peer4, to: relay)
        #expect(stage.take().count == 1)
        stage.engine.connectionClosed(client.path, now: stage.now)
        #expect(stage.engine.allocationCount == 1)
        stage.tick(after: .seconds(602))
        #expect(stage.engine.allocationCount == 0 && stage.sockets.isEmpty)
    }

    @Test func `a driver sees whose ticket it is`() throws {
        let stage = openStage { $0.shard = 3 }
        let (_, ticket) = try mobile(stage)
        let moved = RelayTestClient(stage, port: 2)
        let request = moved.message(.refresh) { $0.add(.mobilityTicket, ticket.span.bytes) }
        #expect(RelayEngine.shard(ofTicketIn: request.span.bytes) == 3)
        #expect(RelayEngine.shard(ofTicketIn: moved.message(.refresh).span.bytes) == nil)
        #expect(RelayEngine.shard(ofTicketIn: Bytes([1, 2]).span.bytes) == nil)
    }
}
