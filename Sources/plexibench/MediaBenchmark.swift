// plexibench media: what forwarding costs, ours beside the floor, in turns. Prints one line of JSON for each figure.
//
//   --profile video|audio|conference   --subscribers N   --seconds S   --rounds R   --reports 0|1   --cm 0|1
//   --in-step 0|1                      a frame waits for the one before (`MediaLoad.inStep`)
//   --frame-microseconds M             33,333 unless told: shorter keeps the caches warm
//   --server-core C                    pins what is measured; the generator is pinned by who starts it

import Base
import Crypto
import Glibc
import Media
import TestKit
import Wire

struct MediaLeg {
    var packets = 0
    var expected = 0
    var repairs = 0
    var nanoseconds: UInt64 = 0
    var seconds = 0.0
    var generatorNanoseconds: UInt64 = 0
    var latencies: [UInt64] = []

    var perPacket: Double { packets > 0 ? Double(nanoseconds) / Double(packets) : 0 }

    var json: String {
        let sorted = latencies.sorted()
        func percentile(_ share: Double) -> String {
            sorted.isEmpty ? "null" : "\(Int(Double(sorted[Int(Double(sorted.count - 1) * share)]) / 1_000))"
        }
        let core = Double(nanoseconds) / (seconds * 1e9)
        return "\"ns_per_packet\":\(oneDecimal(perPacket)),\"packets\":\(packets),\"expected\":\(expected),"
            + "\"repairs\":\(repairs),\"core\":\(oneDecimal(core * 100)),"
            + "\"generator\":\(oneDecimal(Double(generatorNanoseconds) / (seconds * 1e7))),"
            + "\"p50_us\":\(percentile(0.5)),\"p99_us\":\(percentile(0.99)),\"p999_us\":\(percentile(0.999))"
    }
}

/// Runs the load for a while: what was sent in it and came, and what it cost.
func measureWindow(_ load: MediaLoad, _ process: MediaProcess, seconds: Double) -> MediaLeg {
    func sum(_ part: (LoadPeer) -> Int) -> Int { load.peers.reduce(0) { $0 + part($1) } }
    func expected() -> Int { sum { $0.sent * ($0.audience ?? load.peers.count - 1) } }
    load.latencies.removeAll(keepingCapacity: true)
    var leg = MediaLeg()
    let (sent, media, repairs) = (expected(), sum(\.media), sum(\.repairs))
    let own = MediaProcess.processorNanoseconds(getpid())
    let start = process.processorNanoseconds
    let time = Instant.now()
    load.run(seconds: seconds)
    leg.seconds = (Instant.now() - time).inSeconds
    leg.nanoseconds = process.processorNanoseconds - start
    leg.generatorNanoseconds = MediaProcess.processorNanoseconds(getpid()) - own
    leg.packets = sum(\.media) - media
    leg.repairs = sum(\.repairs) - repairs
    leg.expected = expected() - sent
    leg.latencies = load.latencies
    return leg
}

/// Starts the media server with these words, fills it, and ends it.
func withMediaServer(_ name: String, _ words: [String] = [], _ body: (MediaLoad, MediaProcess) throws -> Void) {
    raiseDescriptorLimit()
    do {
        let core = Arguments.value("server-core").flatMap { Int($0) }
        guard let process = MediaProcess(["media-server"] + words, core: core) else {
            throw SystemError("start the media server")
        }
        defer { process.end() }
        try body(try MediaLoad(process), process)
    } catch {
        print("plexibench \(name): \(error)")
        exit(1)
    }
}

func oneDecimal(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(abs(tenths % 10))"
}

private func twoDecimals(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[sorted.count / 2]
}

struct MediaOptions {
    let profile = Arguments.value("profile") ?? "video"
    let subscribers = Arguments.integer("subscribers", default: 50)
    let seconds = Double(Arguments.integer("seconds", default: 3))
    let rounds = Arguments.integer("rounds", default: 3)
    let reports = Arguments.integer("reports", default: 0) != 0
    let onlyCM = Arguments.integer("cm", default: 0) != 0
    /// Subscribers that open what they get.
    let opening = Arguments.integer("open", default: 2)
    let warmUp = Double(Arguments.integer("warm-up", default: 1))
    let inStep = Arguments.integer("in-step", default: 0) != 0
    let core = Arguments.value("server-core").flatMap { Int($0) }

    var isVideo: Bool { profile != "audio" }
    var isConference: Bool { profile == "conference" }
}

/// Who publishes and who watches. Returns when everybody is connected.
func fillMedia(_ load: MediaLoad, _ options: MediaOptions, room: String = "room") throws {
    if options.isConference {
        let count = options.subscribers
        for _ in 0..<count {
            var sections: [SoftPeer.Section] = [.init(.audio, .sendOnly), .init(.video, .sendOnly)]
            for _ in 1..<count { sections += [.init(.audio, .receiveOnly), .init(.video, .receiveOnly)] }
            try load.join(room, as: "publisher", sections, reports: options.reports, onlyCM: options.onlyCM)
            load.run(seconds: 0.02)
        }
    } else {
        let kind: SoftPeer.Section.Kind = options.isVideo ? .video : .audio
        try load.join(
            room, as: "publisher", [.init(kind, .sendOnly)], reports: options.reports, onlyCM: options.onlyCM)
        load.isPublishing = false
        for number in 0..<options.subscribers {
            let peer = try load.join(
                room, as: "viewer", [.init(kind, .receiveOnly)], reports: options.reports, onlyCM: options.onlyCM)
            peer.opens = number < options.opening
            load.turn()
        }
        load.isPublishing = true
    }
    for entry in load.peers.prefix(options.opening + 1) { entry.opens = true }
    guard load.run(until: { load.peers.allSatisfy { $0.peer.phase == .connected } }, seconds: 30) else {
        let count = load.peers.count { $0.peer.phase == .connected }
        throw SystemError("connect everybody: \(count) of \(load.peers.count) are", code: 0)
    }
    load.run(seconds: options.warmUp)
}

func measureLeg(_ load: MediaLoad, _ process: MediaProcess, _ options: MediaOptions) -> MediaLeg {
    load.isPublishing = true
    load.run(seconds: 0.2)
    let leg = measureWindow(load, process, seconds: options.seconds)
    load.isPublishing = false
    load.run(seconds: 0.2)
    return leg
}

private func measure(_ floor: FloorLoad, _ options: MediaOptions) -> MediaLeg {
    var leg = MediaLeg()
    floor.run(seconds: 0.2)
    floor.latencies.removeAll(keepingCapacity: true)
    let received = floor.received
    let sent = floor.sent
    let own = MediaProcess.processorNanoseconds(getpid())
    let start = floor.processorNanoseconds
    let time = Instant.now()
    floor.run(seconds: options.seconds)
    leg.seconds = (Instant.now() - time).inSeconds
    leg.nanoseconds = floor.processorNanoseconds - start
    leg.generatorNanoseconds = MediaProcess.processorNanoseconds(getpid()) - own
    leg.packets = floor.received - received
    leg.expected = (floor.sent - sent) * (options.isConference ? options.subscribers - 1 : options.subscribers)
    leg.latencies = floor.latencies
    return leg
}

/// The bare floor; and where subscribers report, one that gets the same reports.
private func makeFloors(_ options: MediaOptions) throws -> [(name: String, load: FloorLoad)] {
    func make(_ senders: FloorSenders, reports: Bool) throws -> FloorLoad {
        let load = try FloorLoad(
            senders, subscribers: options.subscribers, isVideo: options.isVideo, onlyCM: options.onlyCM,
            reports: reports, opening: options.opening, core: options.core)
        load.inStep = options.inStep && !options.isConference
        return load
    }
    var floors = [("floor", try make(options.isConference ? .everybody : .publisher, reports: false))]
    if options.reports {
        let senders = options.isConference ? FloorSenders.everybody : .publisherAndReports
        floors.append(("floor with reports", try make(senders, reports: true)))
    }
    return floors
}

func benchmarkMedia() {
    raiseDescriptorLimit()
    let options = MediaOptions()
    do {
        guard let process = MediaProcess(["media-server"], core: options.core) else {
            throw SystemError("start the media server")
        }
        defer { process.end() }
        let load = try MediaLoad(process)
        try fillMedia(load, options)
        load.inStep = options.inStep && !options.isConference
        let floors = try makeFloors(options)
        defer { for floor in floors { floor.load.end() } }
        var ratios = [String: [Double]]()
        var ours: [Double] = []
        for round in 0..<options.rounds {
            let our = measureLeg(load, process, options)
            print("{\"leg\":\"ours\",\"round\":\(round),\(our.json)}")
            fflush(nil)
            ours.append(our.perPacket)
            for floor in floors {
                let least = measure(floor.load, options)
                print("{\"leg\":\"\(floor.name)\",\"round\":\(round),\(least.json)}")
                if least.perPacket > 0 { ratios[floor.name, default: []].append(our.perPacket / least.perPacket) }
            }
        }
        let counters = load.counters()
        print(
            "{\"profile\":\"\(options.profile)\",\"subscribers\":\(options.subscribers),"
                + "\"cm\":\(options.onlyCM),\"reports\":\(options.reports),"
                + "\"ns_per_packet\":\(oneDecimal(median(ours))),"
                + "\"ratio\":\(twoDecimals(median(ratios["floor"] ?? []))),"
                + "\"ratio_with_reports\":\(twoDecimals(median(ratios["floor with reports"] ?? []))),"
                + "\"kernel_dropped\":\(counters.dropFirst().first ?? -1)}")
    } catch {
        print("plexibench media: \(error)")
        exit(1)
    }
}
