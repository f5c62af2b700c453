// What a participant with forged addresses, or with layers in an odd order, does to others: nothing.

import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct PathOwnershipTests {
    @Test func `a check in another's name over a live path is refused, and the path stays`() throws {
        let world = try EngineWorld(seed: 3)
        let victim = try world.join("r", as: .publisher, [.init(.audio, .sendOnly)])
        let thief = try world.join("r", as: .publisher, [.init(.audio, .sendOnly)])
        world.run(.milliseconds(500))
        #expect(world.peer(victim).phase == .connected)
        let path = MediaPath(remote: world.peers[victim].address, socket: 0)
        let owner = world.engine.paths.find(path)
        #expect(owner != nil)
        // The thief's own check, valid in every way, from the victim's address.
        let check = try #require(world.peer(thief).makeCheck())
        world.net.send(check, from: world.peers[victim].address, to: EngineWorld.serverAddress)
        world.run(.milliseconds(100))
        let stillOwner = world.engine.paths.find(path)
        #expect(stillOwner == owner)
    }

    /// A check of the peer's from an address that nobody reads at.
    private func check(from address: TransportAddress, of peer: Int, in world: EngineWorld) throws {
        world.net.attach(address)
        let check = try #require(world.peer(peer).makeCheck())
        world.net.send(check, from: address, to: EngineWorld.serverAddress)
    }

    @Test func `all sessions together may have all the paths that each may have`() throws {
        var settings = MediaSettings()
        settings.limits.sessions = 6
        let world = try EngineWorld(seed: 4, settings: settings)
        for _ in 0..<settings.limits.sessions { _ = try world.join("r", as: .publisher, [.init(.audio, .sendOnly)]) }
        world.run(.milliseconds(500))
        #expect(world.engine.paths.count == 6)
        func address(_ peer: Int, _ number: Int) -> TransportAddress {
            TransportAddress(IPAddress(v4: 0xC633_6400 + UInt32(peer)), UInt16(9_000 + number))
        }
        for number in 1..<ICELiteSession.pathsMax {
            for peer in 0..<settings.limits.sessions { try check(from: address(peer, number), of: peer, in: world) }
            world.run(.milliseconds(10))
        }
        #expect(world.engine.paths.count == 6 * ICELiteSession.pathsMax)
        for peer in 0..<settings.limits.sessions {
            let last = MediaPath(remote: address(peer, ICELiteSession.pathsMax - 1), socket: 0)
            let owner = world.engine.paths.find(last)
            #expect(owner == world.id(peer).index)
        }
        // One more takes the place of one of its own, and the table is never asked for more than it has.
        try check(from: address(2, 77), of: 2, in: world)
        world.run(.milliseconds(10))
        let owner = world.engine.paths.find(MediaPath(remote: address(2, 77), socket: 0))
        #expect(owner == world.id(2).index)
        #expect(world.engine.paths.count == 6 * ICELiteSession.pathsMax)
        #expect(world.engine.counters.strangers == 0)
    }

    @Test func `who lost the path in use, and then was silent on the others, is removed`() throws {
        let world = try EngineWorld(seed: 5)
        let peer = try world.join("r", as: .publisher, [.init(.audio, .sendOnly)])
        world.run(.milliseconds(500))
        // The second path is nominated, and ends as a connection does; the first has nobody behind it any more.
        let second = TransportAddress(IPAddress(v4: 0xC633_6401), 9_001)
        try check(from: second, of: peer, in: world)
        world.run(.milliseconds(10))
        world.net.detach(world.peers[peer].address)
        world.engine.connectionEnded(MediaPath(remote: second, socket: 0), now: world.net.now)
        #expect(world.engine.paths.count == 1)
        world.run(.seconds(33))
        #expect(world.engine.participants.count == 0 && world.engine.paths.count == 0)
        #expect(world.engine.statistics().ends.silent == 1)
    }

    @Test func `who lost his only path to another has as long as consent lasts to come back`() throws {
        let world = try EngineWorld(seed: 6)
        let peer = try world.join("r", as: .publisher, [.init(.audio, .sendOnly)])
        world.run(.milliseconds(500))
        let path = MediaPath(remote: world.peers[peer].address, socket: 0)
        world.engine.connectionEnded(path, now: world.net.now)
        #expect(world.engine.paths.count == 0)
        // Its next check is due within six seconds.
        world.run(.seconds(7))
        #expect(world.engine.paths.count == 1)
        world.run(.seconds(30))
        #expect(world.engine.participants.count == 1)
    }
}
