// Media shards for tests: sockets on loopback, on a loop of the test's choosing.

package import Base
import Crypto
package import Media
import Wire

package struct TestMedia: Sendable {
    package let service: MediaService
    package let shards: [MediaShard]

    /// On the test loop nothing is received and no timer fires: enough for who only negotiates.
    package static func make(
        on loops: [any EventLoop] = [TestLoop()], settings: MediaSettings = MediaSettings()
    ) async throws -> TestMedia {
        var small = settings
        small.limits.packetSlots = 2_048
        let identity = try DTLSIdentity.make()
        var shards: [MediaShard] = []
        for (index, loop) in loops.enumerated() {
            let engine = MediaEngine(
                settings: small, identity: identity, now: .now(), wallClock: .now(), seed: (UInt64(index), 7))
            let shard = try MediaShard(
                on: loop, engine: engine, addresses: [TransportAddress(IPAddress(v4: 0x7F00_0001), 0)])
            engine.advertise(shard.addresses, tcp: shard.connectionAddresses)
            shards.append(shard)
        }
        let media = TestMedia(service: MediaService(shards: shards, settings: small), shards: shards)
        try await media.service.start()
        return media
    }
}
