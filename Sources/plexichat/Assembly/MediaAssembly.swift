// Calls: media shards on the loops of the server's own shards, their UDP sockets, and what clients are told of them.

import Base
import Configuration
import Crypto
import Media
import Net
import Wire

enum MediaAssembly {
    private static let log = Logger("media")

    static let portRemedy = "If another program has the UDP port, choose another one with media.port; 0 takes any."

    /// What serves calls, and where: its own UDP addresses and those that clients are told.
    struct Serving: Sendable {
        let service: MediaService
        let addresses: [TransportAddress]
    }

    /// `nil` when media is off.
    static func start(
        _ configuration: Configuration, on shards: ShardGroup, besides endpoints: [Endpoint], _ metrics: Metrics
    ) async throws(StartFailure) -> Serving? {
        guard configuration.media.enabled else { return nil }
        let identity: DTLSIdentity
        do {
            identity = try DTLSIdentity.make()
        } catch {
            throw StartFailure("media", error, remedy: "OpenSSL could not make a certificate; see its message.")
        }
        var made: [MediaShard] = []
        let bindings = try MediaAddresses.bindings(configuration, besides: endpoints)
        for (addresses, loop) in zip(bindings, shards.shards) {
            made.append(try makeShard(configuration, identity, addresses, loop))
        }
        let service = MediaService(shards: made, settings: configuration.mediaSettings)
        do {
            try await service.start()
        } catch {
            throw StartFailure("media", error, remedy: "Raise the process's limit of descriptors.")
        }
        MediaMetrics.register(metrics, service, shards: made.count)
        let ports = made.flatMap(\.addresses).map(\.description).joined(separator: " ")
        log.info("calls are served", [.text("udp", ports)])
        let shown = made.flatMap { MediaAddresses.advertised(configuration.media.advertised, for: $0.addresses) }
        let own = made.flatMap(\.addresses)
        return Serving(service: service, addresses: shown + own.filter { !shown.contains($0) })
    }

    private static func makeShard(
        _ configuration: Configuration, _ identity: DTLSIdentity, _ addresses: [TransportAddress], _ loop: Shard
    ) throws(StartFailure) -> MediaShard {
        var random = SystemRandomNumberGenerator()
        let engine = MediaEngine(
            settings: configuration.mediaSettings, identity: identity, now: .now(), wallClock: .now(),
            seed: (random.next(), random.next()))
        do {
            let shard = try MediaShard(on: loop, engine: engine, addresses: addresses)
            engine.advertise(
                MediaAddresses.advertised(configuration.media.advertised, for: shard.addresses),
                tcp: MediaAddresses.advertised(configuration.media.advertised, for: shard.connectionAddresses))
            return shard
        } catch {
            throw StartFailure("media", error, remedy: portRemedy)
        }
    }
}

extension Configuration {
    var mediaSettings: MediaSettings {
        var settings = MediaSettings()
        settings.limits.sessions = media.maxSessions
        settings.limits.sessionsPerRoom = media.maxSessionsPerRoom
        settings.subscriberBitrateMax = media.subscriberBitrateMax
        settings.publisherBitrateMax = media.publisherBitrateMax
        return settings
    }

    /// A media shard lives on the loop of a server's shard.
    var mediaShardCount: Int { media.shards == 0 ? shardCount : min(media.shards, shardCount) }
}
