// plexibench media-joins: how fast people come into a room where somebody publishes, from offer to the first packet that
// they can decrypt; and what those cost in memory who sit in rooms where nobody does.

import Base
import Glibc
import TestKit
import Wire

func benchmarkMediaJoins() {
    raiseDescriptorLimit()
    let count = Arguments.integer("subscribers", default: 200)
    let core = Arguments.value("server-core").flatMap { Int($0) }
    do {
        guard let process = MediaProcess(["media-server"], core: core) else {
            throw SystemError("start the media server")
        }
        defer { process.end() }
        let load = try MediaLoad(process)
        try measureJoins(load, process, count)
        try measureIdle(load, process, count)
    } catch {
        print("plexibench media-joins: \(error)")
        exit(1)
    }
}

private func measureJoins(_ load: MediaLoad, _ process: MediaProcess, _ count: Int) throws {
    try load.join("busy", as: "publisher", [.init(.audio, .sendOnly)], reports: false)
    guard load.run(until: { load.peers.allSatisfy { $0.peer.phase == .connected } }, seconds: 10) else {
        throw SystemError("connect the publisher", code: 0)
    }
    let processor = process.processorNanoseconds
    let start = Instant.now()
    // Some at a time, as a crowd behind one door: each is timed from its own offer.
    for _ in 0..<count {
        try load.join("busy", as: "viewer", [.init(.audio, .receiveOnly)], reports: false)
        while load.peers.count(where: { $0.firstMedia == nil }) > 16 + 1 { load.turn() }
    }
    let viewers = load.peers.dropFirst()
    guard load.run(until: { viewers.allSatisfy { $0.firstMedia != nil } }, seconds: 30) else {
        throw SystemError("let everybody hear something", code: 0)
    }
    let seconds = (Instant.now() - start).inSeconds
    let cost = process.processorNanoseconds - processor
    let latencies = Latencies()
    latencies.add(viewers.compactMap { peer in peer.firstMedia.map { $0 - peer.joined } })
    print(
        "{\"profile\":\"joins\",\"count\":\(count),\"per_second\":\(oneDecimal(Double(count) / seconds)),"
            + "\"per_second_of_cpu\":\(oneDecimal(Double(count) * 1e9 / Double(max(cost, 1)))),"
            + "\"offer_to_first_packet\":\"\(latencies.summary)\"}")
    load.isPublishing = false
}

/// Rooms of eight, as meetings are, in which nobody has anything to say. Memory is what the server grew by.
private func measureIdle(_ load: MediaLoad, _ process: MediaProcess, _ count: Int) throws {
    let before = process.residentBytes
    for number in 0..<count {
        try load.join(
            "idle-\(number / 8)", as: "viewer", [.init(.audio, .receiveOnly), .init(.video, .receiveOnly)],
            reports: true)
        load.turn()
    }
    guard load.run(until: { load.peers.allSatisfy { $0.peer.phase == .connected } }, seconds: 30) else {
        throw SystemError("connect everybody", code: 0)
    }
    let grown = Double(process.residentBytes - before) / 1_024 / Double(count)
    let processor = process.processorNanoseconds
    load.run(seconds: 3)
    let share = Double(process.processorNanoseconds - processor) / 3e9 * 100
    print(
        "{\"profile\":\"idle\",\"count\":\(count),\"kib_each\":\(oneDecimal(grown)),"
            + "\"core_percent\":\(oneDecimal(share))}")
}
