// Bounds, each with its refusal and its counter.

import Base
import Relay
import TestKit
import Testing
import Wire

@Suite struct LimitTests {
    @Test func `a user has so many allocations, a relay so many`() throws {
        let stage = openStage {
            $0.limits.allocationsPerUser = 2
            $0.limits.allocations = 3
        }
        let clients = (1...5).map { RelayTestClient(stage, session: $0 < 4 ? "alice" : "bob", port: $0) }
        #expect(clients[0].allocate()?.isSuccess == true && clients[1].allocate()?.isSuccess == true)
        #expect(clients[2].allocate()?.code == .allocationQuotaReached)
        #expect(clients[3].allocate()?.isSuccess == true)
        #expect(clients[4].allocate()?.code == .insufficientCapacity)
        #expect(stage.engine.counters[.userQuota] == 1 && stage.engine.counters[.capacity] == 1)
        // A pair of ports counts twice.
        #expect(clients[0].refresh(0)?.isSuccess == true)
        let pair = clients[2].allocate { $0.add(.evenPort, Bytes([0x80]).span.bytes) }
        #expect(pair?.code == .allocationQuotaReached)
        #expect(clients[2].allocate()?.isSuccess == true)
    }

    @Test func `no free port is 508, and costs nothing afterwards`() {
        let stage = openStage()
        stage.opening = .exhausts
        let client = RelayTestClient(stage)
        let answer = client.allocate()
        #expect(answer?.code == .insufficientCapacity && answer?.isAuthentic(client.key) == true)
        #expect(client.allocate { $0.add(.evenPort, Bytes([0x80]).span.bytes) }?.code == .insufficientCapacity)
        #expect(stage.engine.allocationCount == 0)
        stage.opening = .opens
        #expect(client.allocate()?.isSuccess == true)
    }

    @Test func `permissions and channels of an allocation, which make room when they expire`() throws {
        let stage = openStage {
            $0.limits.permissionsPerAllocation = 3
            $0.limits.channelsPerAllocation = 2
        }
        let client = RelayTestClient(stage)
        _ = client.allocate()
        func peer(_ number: UInt32) -> TransportAddress { TransportAddress(IPAddress(v4: 0x0808_0800 + number), 9) }
        #expect(client.permit(peer(1), peer(2))?.isSuccess == true)
        #expect(client.permit(peer(3), peer(4))?.code == .insufficientCapacity)
        #expect(stage.engine.permissionCount == 2)
        #expect(client.permit(peer(3))?.isSuccess == true)
        #expect(client.permit(peer(1), peer(2), peer(3))?.isSuccess == true)
        #expect(client.bind(0x4000, to: peer(4))?.code == .insufficientCapacity)
        #expect(client.bind(0x4000, to: peer(1))?.isSuccess == true)
        #expect(client.bind(0x4001, to: TransportAddress(peer(1).ip, 10))?.isSuccess == true)
        #expect(client.bind(0x4002, to: peer(2))?.code == .insufficientCapacity)
        #expect(stage.engine.counters[.permissionQuota] == 3)
        // Time passes, and nobody has looked yet.
        stage.now = stage.now + .seconds(301)
        #expect(client.permit(peer(5), peer(6))?.isSuccess == true)
        #expect(stage.engine.permissionCount == 3)
    }

    @Test func `a request names so many peers`() {
        let stage = openStage()
        let client = RelayTestClient(stage)
        _ = client.allocate()
        let none = client.ask(.createPermission)
        #expect(none?.code == .badRequest)
        let many = client.ask(.createPermission) { writer in
            for number in 0..<33 {
                writer.add(.xorPeerAddress, xor: TransportAddress(IPAddress(v4: 0x0808_0800 + UInt32(number)), 9))
            }
        }
        #expect(many?.code == .badRequest && stage.engine.permissionCount == 0)
    }

    @Test func `bandwidth of an allocation, both ways together, and of all`() throws {
        let stage = openStage {
            $0.limits.bytesPerSecondPerAllocation = 10_000
            $0.limits.bytesPerSecond = 15_000
        }
        let clients = (1...2).map { RelayTestClient(stage, port: $0) }
        for client in clients {
            #expect(client.allocate()?.isSuccess == true && client.bind(0x4000, to: peer4)?.isSuccess == true)
        }
        func count(_ client: RelayTestClient, of tries: Int) -> Int {
            _ = stage.take()
            for _ in 0..<tries {
                stage.client(RelayTestClient.channelData(0x4000, Bytes(repeating: 1, count: 1_000)), from: client.path)
            }
            return stage.take().count
        }
        #expect(count(clients[0], of: 20) == 10)
        #expect(count(clients[1], of: 20) == 5)
        #expect(stage.engine.counters[.bandwidth] == 25)
        stage.tick(after: .milliseconds(500))
        #expect(count(clients[0], of: 20) == 5)
        let relay = try #require(stage.sockets.keys.first { $0.index == 0 })
        _ = stage.take()
        stage.peer(Bytes(repeating: 1, count: 1_000), from: peer4, to: relay)
        #expect(stage.take().isEmpty)
    }

    @Test func `a relay that ends takes nobody new, and lets the others finish`() throws {
        let stage = openStage()
        let client = RelayTestClient(stage, port: 1)
        _ = client.allocate()
        stage.engine.drain(alternate: nil, until: stage.now + .seconds(120))
        let late = RelayTestClient(stage, port: 2)
        #expect(late.allocate()?.code == .insufficientCapacity)
        #expect(client.refresh(600)?.uint32(.lifetime) == 120 && !stage.engine.isDrained)
        let elsewhere = TransportAddress(IPAddress(v4: 0x0808_0404), 3_478)
        stage.engine.drain(alternate: elsewhere, until: stage.now + .seconds(120))
        let sent = late.allocate()
        #expect(sent?.code == .tryAlternate && sent?.plainAddress(.alternateServer) == elsewhere)
        stage.tick(after: .seconds(122))
        #expect(stage.engine.isDrained && stage.sockets.isEmpty)
    }
}
