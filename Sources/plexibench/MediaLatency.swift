// plexibench media-latency: how old packets are that leave a server which is busy for a given share of its time.
//
//   --busy 50   --viewers 10   --seconds S   --rounds R   --audio 0|1   --reports 0|1
//
// Rooms of one who publishes and `viewers` who watch come in until the server's process is busy for so many hundredths of
// one core: that is the share of its capacity. One viewer of each room, another each time, opens what it gets.

import Base
import TestKit
import Wire

private struct LatencyOptions {
    let busy = Double(Arguments.integer("busy", default: 50))
    let viewers = Arguments.integer("viewers", default: 10)
    let seconds = Double(Arguments.integer("seconds", default: 3))
    let rounds = Arguments.integer("rounds", default: 3)
    let isAudio = Arguments.integer("audio", default: 0) != 0
    let reports = Arguments.integer("reports", default: 0) != 0
    /// However cheap they are.
    let roomsMax = 200
}

func benchmarkMediaLatency() {
    withMediaServer("media-latency") { load, process in
        let options = LatencyOptions()
        load.isPunctual = true
        let rooms = try fill(load, process, options)
        load.run(seconds: options.reports ? 5 : 0.5)
        for _ in 0..<options.rounds {
            let skipped = load.peers.reduce(0) { $0 + $1.skipped }
            let leg = measureWindow(load, process, seconds: options.seconds)
            print(
                "{\"leg\":\"latency\",\"busy\":\(oneDecimal(options.busy)),\"rooms\":\(rooms),"
                    + "\"viewers\":\(options.viewers),"
                    + "\"skipped\":\(load.peers.reduce(0) { $0 + $1.skipped } - skipped),\(leg.json)}")
        }
    }
}

/// Returns the number of rooms that it took.
private func fill(_ load: MediaLoad, _ process: MediaProcess, _ options: LatencyOptions) throws -> Int {
    var rooms = 0
    var share = 0.0
    while share < options.busy, rooms < options.roomsMax {
        // Towards the end few at a time: so as not to come out above.
        let each = rooms > 0 ? max(share / Double(rooms), 0.2) : options.busy
        let count = max(1, min(Int((options.busy - share) / each * 0.7), options.roomsMax - rooms))
        for _ in 0..<count {
            try addRoom(rooms, load, options)
            rooms += 1
        }
        guard load.run(until: { load.peers.allSatisfy { $0.peer.phase == .connected } }, seconds: 30) else {
            throw SystemError("connect everybody", code: 0)
        }
        load.run(seconds: 0.5)
        let leg = measureWindow(load, process, seconds: 1)
        share = Double(leg.nanoseconds) / (leg.seconds * 1e7)
    }
    return rooms
}

private func addRoom(_ number: Int, _ load: MediaLoad, _ options: LatencyOptions) throws {
    let kind: SoftPeer.Section.Kind = options.isAudio ? .audio : .video
    let room = "room-\(number)"
    let publisher = try load.join(room, as: "publisher", [.init(kind, .sendOnly)], reports: options.reports)
    publisher.audience = options.viewers
    publisher.skipsLate = true
    for index in 0..<options.viewers {
        let viewer = try load.join(room, as: "viewer", [.init(kind, .receiveOnly)], reports: options.reports)
        if index == number % options.viewers { load.open(CollectionOfOne(viewer)) }
        load.turn()
    }
}
