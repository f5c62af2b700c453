import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

/// What a message to a room costs the engine. The figures are printed; meaningful with `-c release` only.
@Suite struct DataCostTests {
    @Test(arguments: [100, 1_000, 16_000]) func `a message to fifty others`(size: Int) throws {
        let world = try EngineWorld(seed: 1)
        let identity = try DTLSIdentity.make()
        for _ in 0...50 {
            _ = try world.join("r", as: .viewer, [.init(.application, .sendReceive)], identity: identity)
        }
        world.run(.seconds(2))
        for entry in world.peers { #expect(entry.peer.openChannel(DataChannelOpen(label: "x"), now: world.net.now)) }
        world.run(.seconds(1))
        let payload = Bytes(repeating: 7, count: size)
        let path = MediaPath(remote: world.peers[0].address, socket: 0)
        var spent = Duration.zero
        let rounds = 40
        for _ in 0..<rounds {
            #expect(world.peer(0).say(payload, on: "x", now: world.net.now) == .accepted)
            for datagram in world.peer(0).takeOutgoing() {
                guard let slot = world.engine.slab.allocate() else { return }
                world.engine.slab[slot].copyBytes(from: datagram)
                let start = Instant.now()
                let free = world.engine.receive(slot, datagram.count, from: path, now: world.net.now)
                spent = spent + (Instant.now() - start)
                world.engine.slab.release(free)
            }
            world.run(.milliseconds(200))
        }
        #expect(world.peer(50).data?.messages.count == rounds)
        print("data: \(size) bytes to 50: \(spent.nanoseconds / Int64(rounds * 50)) ns per recipient")
    }
}
