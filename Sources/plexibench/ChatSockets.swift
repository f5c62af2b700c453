// plexibench chat-…: what live chat costs a server, over real sockets. Server and client are two processes.
//
//   chat-deliveries --folder DIR --sockets 1000 --rate 50 --seconds 10    latency after the commit, deliveries per
//                                                                         second of the server's CPU
//   chat-storm      --folder DIR --sockets 5000 --missed 20 --at-once 512   all come back at once, and are caught up
//   chat-soak       --folder DIR --sockets 500 --minutes 10               people come, go and talk; memory must not grow
//
// `--core N` pins the server. Each run fails when a socket misses an event or gets one twice.

import Base
import Glibc
import Synchronization

private struct ChatStage {
    /// As many as one may have (docs/protocol/chat-sockets.md).
    static let socketsPerPerson = 5

    let server: ChatProcess
    let crowd: ChatCrowd
    var place: ChatPlace

    /// A room with as many people as so many sockets need.
    static func run(sockets: Int, _ body: (inout ChatStage) throws -> Void) {
        raiseDescriptorLimit()
        let folder = (Arguments.value("folder") ?? ".") + "/plexibench-chat-\(getpid())"
        guard mkdir(folder, 0o700) == 0 else { return fail(LoadError("the folder \(folder) cannot be made")) }
        defer {
            for suffix in ["", "-wal", "-shm"] { unlink(folder + "/chat-server.db" + suffix) }
            rmdir(folder)
        }
        do {
            let server = try ChatProcess(folder: folder, core: Arguments.value("core").flatMap { Int($0) })
            defer { server.process.end() }
            try server.addPeople((sockets + socketsPerPerson - 1) / socketsPerPerson)
            var stage = ChatStage(
                server: server, crowd: try ChatCrowd(port: server.port), place: try server.room(server.tokens.count))
            try body(&stage)
            try stage.crowd.end()
        } catch {
            fail(error)
        }
    }

    private static func fail(_ error: any Error) {
        print("plexibench: \(error)")
        hasFailed.store(true, ordering: .relaxed)
    }

    func guests(_ count: Int, _ styles: [ChatStyleUnderTest]) -> [(token: String, style: ChatStyleUnderTest)] {
        (0..<count).map { (server.tokens[$0 / Self.socketsPerPerson], styles[$0 % styles.count]) }
    }
}

/// Set by a run that could not be measured; the server is ended and its folder removed before the program ends so.
private let hasFailed = Atomic(false)

private func exitIfFailed() { if hasFailed.load(ordering: .relaxed) { exit(1) } }

// MARK: - Deliveries

func benchmarkChatDeliveries() {
    let sockets = Arguments.integer("sockets", default: 1_000)
    let styles = ChatStyleUnderTest.allCases
    for (name, styles) in styles.map({ ($0.rawValue, [$0]) }) + [("both, half of the sockets each", styles)] {
        ChatStage.run(sockets: sockets) { stage in
            print("\(sockets) sockets, style: \(name)")
            _ = try stage.crowd.open(
                stage.guests(sockets, styles), at: stage.place, upTo: stage.place.offset, atOnce: 128)
            try measureLatency(&stage)
            for burst in [1, 16, 64] { try measureBursts(&stage, of: burst) }
        }
        exitIfFailed()
    }
}

/// Messages at an even pace: from the commit of each to its arrival at each socket.
private func measureLatency(_ stage: inout ChatStage) throws {
    let rate = max(1, Arguments.integer("rate", default: 50))
    let count = rate * Arguments.integer("seconds", default: 10)
    try stage.crowd.noteArrivals(room: count * stage.crowd.count)
    let before = stage.server.process.processorNanoseconds
    let goal = try stage.server.say(count, in: stage.place, every: 1_000_000 / rate)
    try stage.crowd.hear(upTo: goal)
    let processor = Double(stage.server.process.processorNanoseconds - before) / 1e9
    let committed = try stage.server.times(in: stage.place)
    let latencies = Latencies()
    let arrivals = try stage.crowd.takeArrivals()
    latencies.add(
        try arrivals.map { arrival in
            guard let commit = committed[arrival.offset] else { throw LoadError("an event that nobody committed") }
            return .nanoseconds(Int64(arrival.time) - Int64(commit))
        })
    print(
        "  \(rate) messages/s: after the commit \(latencies.summary), "
            + "\(Int(Double(arrivals.count) / processor)) deliveries per server CPU-second")
    stage.place.offset = goal
}

/// So many messages at once, the next when all have got them.
private func measureBursts(_ stage: inout ChatStage, of burst: Int) throws {
    let end = Instant.now() + .seconds(Arguments.integer("seconds", default: 10)) / 2
    let before = stage.server.process.processorNanoseconds
    let begin = Instant.now()
    var messages = 0
    while Instant.now() < end {
        stage.place.offset = try stage.server.say(burst, in: stage.place, writers: min(burst, 16))
        try stage.crowd.hear(upTo: stage.place.offset)
        messages += burst
    }
    let deliveries = Double(messages * stage.crowd.count)
    let processor = Double(stage.server.process.processorNanoseconds - before) / 1e9
    print(
        "  \(burst) at once: \(Int(deliveries / (Instant.now() - begin).inSeconds)) deliveries/s, "
            + "\(Int(deliveries / processor)) per server CPU-second")
}

// MARK: - Storm

func benchmarkChatStorm() {
    let sockets = Arguments.integer("sockets", default: 5_000)
    let missed = Arguments.integer("missed", default: 20)
    let atOnce = Arguments.integer("at-once", default: 512)
    for style in ChatStyleUnderTest.allCases {
        ChatStage.run(sockets: sockets) { stage in
            let first = try stage.crowd.open(
                stage.guests(sockets, [style]), at: stage.place, upTo: stage.place.offset, atOnce: atOnce)
            try stage.crowd.cut()
            stage.place.offset = try stage.server.say(missed, in: stage.place)
            let before = stage.server.process.processorNanoseconds
            let back = try stage.crowd.comeBack(upTo: stage.place.offset, atOnce: atOnce)
            let processor = Double(stage.server.process.processorNanoseconds - before) / 1e9
            print(
                "\(sockets) sockets, style \(style.rawValue): opened in \(hundredths(first.inSeconds)) s; after "
                    + "\(missed) missed messages all back in \(hundredths(back.inSeconds)) s, "
                    + "\(hundredths(processor)) s of the server's CPU")
        }
        exitIfFailed()
    }
}

private func hundredths(_ value: Double) -> String {
    let rounded = Int((value * 100).rounded())
    return "\(rounded / 100).\(rounded % 100 < 10 ? "0" : "")\(rounded % 100)"
}

// MARK: - Soak

/// How much resident memory may rise from the second quarter of the run to the last: the allocator takes and gives back
/// a MiB now and then.
private let soakGrowth = 2 << 20

/// Said before anybody looks: SQLite's caches are full then, which would look like growth.
private let soakPreamble = 20_000

func benchmarkChatSoak() {
    let sockets = Arguments.integer("sockets", default: 500)
    let minutes = max(1, Arguments.integer("minutes", default: 10))
    ChatStage.run(sockets: sockets) { stage in
        stage.place.offset = try stage.server.say(soakPreamble, in: stage.place, writers: 16)
        _ = try stage.crowd.open(
            stage.guests(sockets, ChatStyleUnderTest.allCases), at: stage.place, upTo: stage.place.offset, atOnce: 128)
        let begin = Instant.now()
        let end = begin + .seconds(minutes * 60)
        var samples: [Int] = []
        while Instant.now() < end {
            try talkAndChurn(&stage, until: begin + .seconds((samples.count + 1) * 10))
            samples.append(stage.server.process.residentBytes)
            let seconds = Int((Instant.now() - begin).inSeconds)
            print("\(seconds) s: RSS \(samples[samples.count - 1] >> 10) KiB, \(stage.place.offset) events")
            fflush(nil)
        }
        try judge(samples)
    }
    exitIfFailed()
}

/// Once in a second a twentieth of the sockets go, miss what is said, and come back to where they were.
private func talkAndChurn(_ stage: inout ChatStage, until end: Instant) throws {
    while Instant.now() < end {
        let next = Instant.now() + .seconds(1)
        try stage.crowd.cut(oneIn: 20)
        stage.place.offset = try stage.server.say(25, in: stage.place, every: 10_000, writers: 4)
        _ = try stage.crowd.comeBack(upTo: stage.place.offset, atOnce: 64)
        let rest = (next - .now()).inSeconds
        if rest > 0 { usleep(UInt32(rest * 1e6)) }
    }
}

private func judge(_ samples: [Int]) throws {
    let quarter = samples.count / 4
    guard quarter > 0, let last = samples.suffix(quarter).min() else {
        throw LoadError("too short to say anything about growth")
    }
    let settled = samples[quarter..<(2 * quarter)].max() ?? 0
    print("second quarter at most \(settled >> 10) KiB, last quarter at least \(last >> 10) KiB")
    guard last <= settled + soakGrowth else {
        throw LoadError("memory grows: \((last - settled) >> 10) KiB in the second half")
    }
}
