// What Prometheus hears of the relay: over all shards, as it was at most a second ago. docs/operate/relay.md explains.

import Base
import Relay

enum RelayMetrics {
    private typealias Value = @Sendable (RelayStatistics) -> UInt64

    static func register(_ metrics: Metrics, _ relay: RelayServer) {
        let source = Source(metrics: metrics, relay: relay)
        source.gauge("plexichat_relay_allocations", "Allocations of clients.") { UInt64(clamping: $0.allocations) }
        source.gauge("plexichat_relay_connections", "TCP and TLS connections of clients.") {
            UInt64(clamping: $0.streams)
        }
        source.gauge("plexichat_relay_associations", "DTLS associations of clients.") {
            UInt64(clamping: $0.associations)
        }
        registerWork(source)
        registerTraffic(source)
        registerDrops(source)
        for refusal in RelayRefusal.allCases {
            source.counter(
                "plexichat_relay_refusals_total", "Requests refused and bytes not relayed.", ["reason": "\(refusal)"]
            ) { $0.counters[refusal] }
        }
    }

    /// All shards' statistics, and where they are shown.
    private struct Source {
        let metrics: Metrics
        let relay: RelayServer

        private func sum(_ value: @escaping Value) -> @Sendable () -> Double {
            { [relay] in Double(relay.statistics.reduce(UInt64(0)) { $0 &+ value($1) }) }
        }

        func gauge(_ name: String, _ help: String, _ value: @escaping Value) {
            metrics.sampled(name, help, sum(value))
        }

        func counter(
            _ name: String, _ help: String, _ labels: KeyValuePairs<String, String> = [:], _ value: @escaping Value
        ) {
            metrics.sampledCounter(name, help, labels: labels, sum(value))
        }
    }

    private static func registerWork(_ source: Source) {
        source.counter("plexichat_relay_bindings_total", "Binding requests answered.") { $0.counters.bindings }
        source.counter("plexichat_relay_allocated_total", "Allocations made.") { $0.counters.allocated }
        source.counter("plexichat_relay_expired_total", "Allocations whose time ran out.") { $0.counters.expired }
        source.counter("plexichat_relay_released_total", "Allocations given back.") { $0.counters.released }
        source.counter("plexichat_relay_moved_total", "Allocations that moved to another address.") {
            $0.counters.moved
        }
    }

    private static func registerTraffic(_ source: Source) {
        let packets = ("plexichat_relay_packets_total", "Datagrams relayed.")
        source.counter(packets.0, packets.1, ["to": "peers"]) { $0.counters.packetsToPeers }
        source.counter(packets.0, packets.1, ["to": "clients"]) { $0.counters.packetsToClients }
        let bytes = ("plexichat_relay_bytes_total", "Bytes relayed, without headers.")
        source.counter(bytes.0, bytes.1, ["to": "peers"]) { $0.counters.bytesToPeers }
        source.counter(bytes.0, bytes.1, ["to": "clients"]) { $0.counters.bytesToClients }
    }

    private static func registerDrops(_ source: Source) {
        let (name, help) = ("plexichat_relay_drops_total", "Datagrams that were lost here.")
        source.counter(name, help, ["reason": "socket_full"]) { $0.sockets.droppedByKernel }
        source.counter(name, help, ["reason": "unreachable"]) { $0.sockets.unreachable }
        source.counter(name, help, ["reason": "stream_full"]) { $0.sockets.droppedForStreams }
        source.counter(name, help, ["reason": "too_long"]) { $0.sockets.truncated }
        source.counter(name, help, ["reason": "dtls_full"]) { $0.refusedAssociations }
    }
}
