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
}
