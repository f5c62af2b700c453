// plexibench media-churn: people come, see something, and go, thousands of them, into one room in which somebody
// publishes. Shows the server's resident memory along the way, and by how much it grew after the first fifth.

import Base
import TestKit
import Wire

func benchmarkMediaChurn() {
    withMediaServer("media-churn") { load, process in
        let total = Arguments.integer("joins", default: 10_000)
        let wave = Arguments.integer("wave", default: 100)
        let steps = 10
        try load.join("room", as: "publisher", [.init(.video, .sendOnly)], reports: true)
        guard load.run(until: { load.peers.allSatisfy { $0.peer.phase == .connected } }, seconds: 10) else {
            throw SystemError("connect the publisher", code: 0)
        }
        var series: [Int] = [process.residentBytes]
        let start = Instant.now()
        for step in 0..<steps {
            for _ in 0..<total / steps / wave { try comeAndGo(wave, load) }
            // What is freed a little later than somebody goes is freed now.
            load.run(seconds: 0.3)
            series.append(process.residentBytes)
            print(
                "{\"leg\":\"churn\",\"joins\":\((step + 1) * total / steps),\"resident_kib\":\(series[step + 1] >> 10)}"
            )
        }
        let seconds = (Instant.now() - start).inSeconds
        let settled = series[steps / 5]
        print(
            "{\"profile\":\"churn\",\"joins\":\(total),\"per_second\":\(oneDecimal(Double(total) / seconds)),"
                + "\"before_kib\":\(series[0] >> 10),\"settled_kib\":\(settled >> 10),"
                + "\"end_kib\":\(series[steps] >> 10),"
                + "\"grown_bytes_per_join\":\(oneDecimal(Double(series[steps] - settled) / Double(total * 4 / 5)))}")
    }
}

private func comeAndGo(_ count: Int, _ load: MediaLoad) throws {
    for _ in 0..<count {
        try load.join(
            "room", as: "viewer", [.init(.audio, .receiveOnly), .init(.video, .receiveOnly)], reports: true)
        load.turn()
    }
    let comers = load.peers.suffix(count)
    guard load.run(until: { comers.allSatisfy { $0.firstMedia != nil } }, seconds: 20) else {
        throw SystemError("let everybody see something", code: 0)
    }
    try load.leave(last: count)
}
