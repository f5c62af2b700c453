// What Prometheus hears of calls: per shard, as it was at most a second ago.

import Base
import Media

enum MediaMetrics {
    private typealias Value = @Sendable (EngineStatistics) -> UInt64

    static func register(_ metrics: Metrics, _ service: MediaService, shards: Int) {
        for shard in 0..<shards {
            let source = Source(metrics, service, shard)
            registerGauges(source)
            registerTraffic(source)
            registerDrops(source)
            registerEnds(source)
        }
    }

    /// One shard's statistics, and where they are shown.
    private struct Source {
        let metrics: Metrics
        let service: MediaService
        let shard: Int

        init(_ metrics: Metrics, _ service: MediaService, _ shard: Int) {
            self.metrics = metrics
            self.service = service
            self.shard = shard
        }

        func gauge(_ name: String, _ help: String, _ value: @escaping Value) {
            metrics.sampled(name, help, labels: ["shard": "\(shard)"]) { [service, shard] in
                Double(value(service.statistics(ofShard: shard)))
            }
        }

        func counter(_ name: String, _ help: String, _ value: @escaping Value) {
            metrics.sampledCounter(name, help, labels: ["shard": "\(shard)"]) { [service, shard] in
                Double(value(service.statistics(ofShard: shard)))
            }
        }

        func counter(_ name: String, _ help: String, reason: String, _ value: @escaping Value) {
            metrics.sampledCounter(name, help, labels: ["shard": "\(shard)", "reason": reason]) { [service, shard] in
                Double(value(service.statistics(ofShard: shard)))
            }
        }
    }

    private static func registerGauges(_ source: Source) {
        source.gauge("plexichat_media_participants", "Peer connections, connected or about to be.") {
            UInt64($0.participants)
        }
        source.gauge("plexichat_media_connected", "Peer connections that have keys.") { UInt64($0.connected) }
        source.gauge("plexichat_media_tracks", "Tracks that participants send.") { UInt64($0.tracks) }
    }

    private static func registerTraffic(_ source: Source) {
        source.counter("plexichat_media_datagrams_received_total", "UDP datagrams of any kind.") {
            $0.datagramsReceived
        }
        source.counter("plexichat_media_packets_received_total", "Media packets taken from publishers.") {
            $0.media.receivedPackets
        }
        source.counter("plexichat_media_bytes_received_total", "Their payload.") { $0.media.receivedBytes }
        source.counter("plexichat_media_packets_forwarded_total", "Media packets sent to subscribers.") {
            $0.media.forwardedPackets
        }
        source.counter("plexichat_media_bytes_forwarded_total", "Their bytes, encrypted.") {
            $0.media.forwardedBytes
        }
        source.counter("plexichat_media_retransmissions_total", "Packets sent again to subscribers that missed them.") {
            $0.media.retransmissions
        }
    }

    private static func registerDrops(_ source: Source) {
        let reasons: [(String, Value)] = [
            ("malformed", { $0.drops.malformed }), ("forged", { $0.drops.forged }),
            ("replayed", { $0.drops.replayed }), ("unknown_source", { $0.drops.unknownSource }),
            ("no_memory", { $0.drops.noMemory }), ("unknown_path", { $0.drops.unknownPath }),
            ("stranger", { $0.drops.strangers }), ("bandwidth", { $0.drops.bandwidth }),
            ("socket_full", { $0.drops.socketFull }), ("unreachable", { $0.drops.unreachable }),
            ("too_long", { $0.drops.tooLong }),
        ]
        for (reason, value) in reasons {
            source.counter(
                "plexichat_media_dropped_total", "Datagrams and packets not taken, or not sent, by reason.",
                reason: reason, value)
        }
    }

    private static func registerEnds(_ source: Source) {
        let reasons: [(String, Value)] = [
            ("left", { $0.ends.left }), ("silent", { $0.ends.silent }),
            ("handshake_failed", { $0.ends.handshakeFailed }), ("never_connected", { $0.ends.neverConnected }),
        ]
        for (reason, value) in reasons {
            source.counter(
                "plexichat_media_ended_total", "Peer connections that ended, by reason.", reason: reason, value)
        }
    }
}
