// plexibench media-shards: what a packet costs when two shards carry the load, beside one. On a machine of two cores the
// generator needs one of them, so it cannot be seen how much two shards carry; but it can be seen what each packet costs:
// two shards that never wait for each other carry twice as much as one where it costs no more.

import Base
import TestKit
import Wire

private struct ShardLeg {
    let name: String
    let load: MediaLoad
    let process: MediaProcess
    var costs: [Double] = []
}

func benchmarkMediaShards() {
    withMediaServer("media-shards") { load, process in
        try withServer(["--shards", "2"]) { second, secondProcess in
            // Half of the viewers sit beside the publisher, the other half behind the pipe.
            let span = ["--shards", "2", "--span", "\(Arguments.integer("subscribers", default: 50) + 1)"]
            try withServer(span) { third, thirdProcess in
                try measureShards([
                    ShardLeg(name: "two rooms, one shard", load: load, process: process),
                    ShardLeg(name: "two rooms, two shards", load: second, process: secondProcess),
                    ShardLeg(name: "one room on two shards", load: third, process: thirdProcess),
                ])
            }
        }
    }
}

private func withServer(_ words: [String], _ body: (MediaLoad, MediaProcess) throws -> Void) throws {
    let core = Arguments.value("server-core").flatMap { Int($0) }
    guard let process = MediaProcess(["media-server"] + words, core: core) else {
        throw SystemError("start the media server")
    }
    defer { process.end() }
    try body(try MediaLoad(process), process)
}

private func measureShards(_ given: [ShardLeg]) throws {
    let subscribers = Arguments.integer("subscribers", default: 50)
    var legs = given
    for leg in legs {
        let isOneRoom = leg.name.hasPrefix("one room")
        for room in isOneRoom ? ["one"] : ["one", "two"] {
            let publisher = try leg.load.join(room, as: "publisher", [.init(.video, .sendOnly)], reports: false)
            publisher.audience = subscribers * (isOneRoom ? 2 : 1)
            for _ in 0..<subscribers * (isOneRoom ? 2 : 1) {
                try leg.load.join(room, as: "viewer", [.init(.video, .receiveOnly)], reports: false)
                leg.load.turn()
            }
        }
        guard leg.load.run(until: { leg.load.peers.allSatisfy { $0.peer.phase == .connected } }, seconds: 30) else {
            throw SystemError("connect everybody", code: 0)
        }
        leg.load.run(seconds: 1)
        leg.load.inStep = true
    }
    for round in 0..<Arguments.integer("rounds", default: 3) {
        for index in legs.indices {
            legs[index].load.isPublishing = true
            legs[index].load.run(seconds: 0.3)
            let leg = measureWindow(
                legs[index].load, legs[index].process, seconds: Double(Arguments.integer("seconds", default: 3)))
            legs[index].load.isPublishing = false
            legs[index].load.run(seconds: 0.1)
            legs[index].costs.append(leg.perPacket)
            print("{\"leg\":\"\(legs[index].name)\",\"round\":\(round),\(leg.json)}")
        }
    }
    let alone = median(legs[0].costs)
    for leg in legs.dropFirst() {
        let hundredths = Int((2 * alone / max(median(leg.costs), 1) * 100).rounded())
        print(
            "{\"profile\":\"\(leg.name)\",\"ns_per_packet\":\(oneDecimal(median(leg.costs))),"
                + "\"one_shard\":\(oneDecimal(alone)),\"carries_percent_of_one\":\(hundredths)}")
    }
}
