// plexibench: small measurements that print figures. The argument says which.

import Content

// Its own workers for images: this program again.
if CommandLine.arguments.dropFirst().first == ImageWorkerMain.command {
    ImageWorkerMain.run(Array(CommandLine.arguments.dropFirst(2)))
}

let benchmarks: [(name: String, body: () -> Void)] = [
    ("parser", benchmarkParser),
    ("store", benchmarkStore),
    ("store-writer", runStoreWriter),
    ("store-check", runStoreCheck),
    ("chat", benchmarkChat),
    ("chat-history", benchmarkChatHistory),
    ("chat-deliveries", benchmarkChatDeliveries),
    ("chat-storm", benchmarkChatStorm),
    ("chat-soak", benchmarkChatSoak),
    ("chat-server", runChatServer),
    ("images", benchmarkImages),
    ("logins", benchmarkLogins),
    ("ws-server", runWebSocketServer),
    ("ws-idle", benchmarkIdleWebSockets),
    ("ws-handshakes", benchmarkWebSocketHandshakes),
    ("ws-fanout", benchmarkWebSocketFanout),
    ("calls-offers", benchmarkCallsOffers),
    ("calls-idle", benchmarkCallsIdle),
    ("calls-change", benchmarkCallsChange),
    ("calls-joins", benchmarkCallsJoins),
    ("calls-server", runCallsServer),
    ("calls-janus", benchmarkCallsJanus),
    ("crypto", benchmarkCrypto),
    ("erasure", benchmarkErasure),
    ("crypto-secrets", checkCryptoSecrets),
    ("media", benchmarkMedia),
    ("media-joins", benchmarkMediaJoins),
    ("media-janus", benchmarkMediaJanus),
    ("media-latency", benchmarkMediaLatency),
    ("media-neighbours", benchmarkMediaNeighbours),
    ("media-churn", benchmarkMediaChurn),
    ("media-shards", benchmarkMediaShards),
    ("media-server", runMediaServer),
    ("media-floor", runMediaFloor),
    ("relay-load", benchmarkRelayLoad),
]

for benchmark in benchmarks where CommandLine.arguments.dropFirst().contains(benchmark.name) { benchmark.body() }
if CommandLine.argc < 2 { print("usage: plexibench \(benchmarks.map(\.name).joined(separator: "|"))") }
