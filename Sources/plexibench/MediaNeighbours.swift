// plexibench media-neighbours: whether one subscriber's trouble is felt by the others of its room. One publishes video to
// `subscribers`; in every other leg one of them loses packets and asks for them again, and one does not read at all.

import Base
import TestKit
import Wire

func benchmarkMediaNeighbours() {
    withMediaServer("media-neighbours") { load, process in
        let subscribers = Arguments.integer("subscribers", default: 50)
        let seconds = Double(Arguments.integer("seconds", default: 4))
        let loss = Arguments.integer("loss", default: 10)
        try load.join("room", as: "publisher", [.init(.video, .sendOnly)], reports: true)
        for _ in 0..<subscribers {
            try load.join("room", as: "viewer", [.init(.video, .receiveOnly)], reports: true)
            load.turn()
        }
        guard load.run(until: { load.peers.allSatisfy { $0.peer.phase == .connected } }, seconds: 30) else {
            throw SystemError("connect everybody", code: 0)
        }
        // Every fourth of the others is timed; the two in trouble stand in their midst.
        let (lossy, blocked) = (load.peers[subscribers / 3], load.peers[2 * subscribers / 3])
        load.open(
            load.peers.dropFirst().enumerated().filter {
                $0.offset % 4 == 0 && $0.element !== lossy && $0.element !== blocked
            }.map(\.element))
        load.run(seconds: 8)
        for round in 0..<Arguments.integer("rounds", default: 5) {
            for isTroubled in [false, true] {
                lossy.lossPercent = isTroubled ? loss : 0
                load.setDeaf(isTroubled, blocked)
                load.run(seconds: isTroubled ? 0.5 : 2)
                let repairs = lossy.repairs
                let missed = blocked.media
                let leg = measureWindow(load, process, seconds: seconds)
                print(
                    "{\"leg\":\"\(isTroubled ? "troubled" : "calm")\",\"round\":\(round),\(leg.json),"
                        + "\"lossy_repairs\":\(lossy.repairs - repairs),\"blocked_got\":\(blocked.media - missed)}")
            }
        }
    }
}
