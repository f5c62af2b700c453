// plexibench calls-offers|calls-idle|calls-change|calls-joins: what signaling costs a whole server (calls-server): HTTP,
// sockets, call service, media. One line of JSON each.
//
//   calls-offers  --people 1000    CPU of an offer for data channels and its answer, up to the DTLS handshake
//   calls-idle    --sockets 5000   resident memory of a signaling socket that says nothing
//   calls-change  --people 201     how long until a change of one participant has reached all the others
//   calls-joins   --people 100     from `join` to the first packet that can be decrypted

import Base
import CShims
import Crypto
import Glibc
import TestKit
import Wire

private func runCalls(_ name: String, _ body: (CallsLoad) throws -> String) {
    raiseDescriptorLimit()
    signal(SIGPIPE, SIG_IGN)
    do {
        let load = try CallsLoad(core: Arguments.value("server-core").flatMap { Int($0) })
        defer { load.process.end() }
        print("{\"profile\":\"\(name)\",\(try body(load))}")
        fflush(nil)
    } catch {
        print("plexibench calls-\(name): \(error)")
        exit(1)
    }
}

private func milliseconds(_ sorted: [Int64], _ share: Double) -> String {
    guard !sorted.isEmpty else { return "null" }
    let nanoseconds = sorted[Int(Double(sorted.count - 1) * share)]
    return "\(Double(nanoseconds / 10_000) / 100)"
}

func percentiles(_ durations: [Duration]) -> String {
    let sorted = durations.map(\.nanoseconds).sorted()
    return "\"p50_ms\":\(milliseconds(sorted, 0.5)),\"p99_ms\":\(milliseconds(sorted, 0.99)),"
        + "\"max_ms\":\(milliseconds(sorted, 1))"
}

// MARK: - Offers

func benchmarkCallsOffers() {
    runCalls("offers") { load in
        let people = Arguments.integer("people", default: 1_000)
        let perCall = 100
        try load.addPeople(people)
        let calls = try stride(from: 0, to: people, by: perCall).map {
            try load.call(from: $0, people: min(perCall, people - $0))
        }
        let sockets = try (0..<people).map { try load.socket($0) }
        try load.join(sockets) { calls[$0 / perCall] }
        try load.quiet(sockets, .seconds(2))
        let offer = try SoftPeer(
            [.init(.application, .sendReceive)], identity: try DTLSIdentity.make(), seed: 1
        ).offer()
        return try measureOffers(load, sockets, offer)
    }
}

/// So many wait for their answers at one time.
private func measureOffers(_ load: CallsLoad, _ sockets: [CallSocket], _ offer: String) throws -> String {
    let outstanding = 32
    var sent: [Instant] = []
    var latencies: [Duration] = []
    func sendNext() throws {
        guard sent.count < sockets.count else { return }
        sent.append(.now())
        try sockets[sent.count - 1].say(("type", .string("sdp:offer")), ("sdp", .string(offer)), ("id", .integer(1)))
    }
    let processor = load.processorSeconds
    let start = Instant.now()
    for _ in 0..<outstanding { try sendNext() }
    try load.read(sockets, until: { latencies.count == sockets.count }) { number, text in
        if text.hasPrefix(#"{"type":"error""#) { throw LoadError(text) }
        guard text.hasPrefix(#"{"type":"sdp:answer""#) else { return }
        latencies.append(.now() - sent[number])
        try sendNext()
    }
    let seconds = (Instant.now() - start).inSeconds
    let cost = load.processorSeconds - processor
    let count = Double(sockets.count)
    return "\"count\":\(sockets.count),\"per_second\":\(oneDecimal(count / seconds)),"
        + "\"per_second_of_cpu\":\(oneDecimal(count / max(cost, 0.01))),\(percentiles(latencies))"
}

// MARK: - Idle sockets

func benchmarkCallsIdle() {
    runCalls("idle") { load in
        let count = Arguments.integer("sockets", default: 5_000)
        // As many as anybody may have.
        let perPerson = 5
        try load.addPeople((count + perPerson - 1) / perPerson + 1)
        // The first of all touches what is there once.
        let first = try load.socket(load.tokens.count - 1)
        try load.quiet([first], .seconds(1))
        let before = load.process.residentBytes
        let sockets = try (0..<count).map { try load.socket($0 / perPerson) }
        try load.quiet(sockets, .seconds(3))
        let grown = load.process.residentBytes - before
        let processor = load.processorSeconds
        try load.quiet(sockets, .seconds(3))
        let share = (load.processorSeconds - processor) / 3 * 100
        return "\"count\":\(count),\"kib_each\":\(oneDecimal(Double(grown) / 1_024 / Double(count))),"
            + "\"core_percent\":\(oneDecimal(share))"
    }
}

// MARK: - A change

func benchmarkCallsChange() {
    runCalls("change") { load in
        let people = Arguments.integer("people", default: 201)
        let rounds = Arguments.integer("rounds", default: 60)
        try load.addPeople(people)
        let call = try load.call(from: 0, people: people)
        let sockets = try (0..<people).map { try load.socket($0) }
        try load.join(sockets) { _ in call }
        try load.quiet(sockets, .seconds(3))
        var latencies: [Duration] = []
        for round in 0..<rounds {
            let isUp = round % 2 == 0
            let told = #""hand":\#(isUp)"#
            var missing = Set(1..<people)
            let sent = Instant.now()
            try sockets[0].say(
                ("type", .string("control")), ("action", .string("hand")), ("on", .bool(isUp)))
            try load.read(sockets, until: { missing.isEmpty }) { number, text in
                guard text.hasPrefix(#"{"type":"participant:updated""#), text.contains(told),
                    missing.remove(number) != nil
                else { return }
                latencies.append(.now() - sent)
            }
            // Below what one socket may say.
            try load.quiet(sockets, .milliseconds(60))
        }
        return "\"others\":\(people - 1),\"changes\":\(rounds),\(percentiles(latencies))"
    }
}

// MARK: - Joins

/// One after the other, each from its `join` on an open socket; the publisher talks all the time.
func benchmarkCallsJoins() {
    runCalls("joins") { load in
        let people = Arguments.integer("people", default: 100)
        try load.addPeople(people + 1)
        let call = try load.call(from: 0, people: people + 1)
        let media = try MediaLoad()
        let speaker = try Joining(try load.socket(0), media, [.init(.audio, .sendOnly)])
        try speaker.offer(in: call, load)
        guard media.run(until: { media.peers.allSatisfy { $0.peer.phase == .connected } }, seconds: 10) else {
            throw LoadError("the publisher did not connect")
        }
        media.run(seconds: 0.5)
        var firsts: [Duration] = []
        var answers: [Duration] = []
        var listeners: [Joining] = []
        for person in 1...people {
            let listener = try Joining(try load.socket(person), media, [])
            listeners.append(listener)
            let (offered, first) = try listener.listen(in: call, load)
            answers.append(offered)
            firsts.append(first)
        }
        let offers = answers.map(\.nanoseconds).sorted()
        return "\"count\":\(people),\"to_offer_p50_ms\":\(milliseconds(offers, 0.5)),\(percentiles(firsts))"
    }
}

/// A page: its socket and its peer.
private final class Joining {
    private let socket: CallSocket
    private let media: MediaLoad
    private let peer: SoftPeer
    private let sections: [SoftPeer.Section]
    private let seed: UInt64
    private var entry: LoadPeer?

    init(_ socket: CallSocket, _ media: MediaLoad, _ sections: [SoftPeer.Section]) throws {
        self.socket = socket
        self.media = media
        self.sections = sections
        seed = media.nextSeed()
        peer = try SoftPeer(sections, identity: media.identity, seed: seed)
    }

    /// Publishes.
    func offer(in call: String, _ load: CallsLoad) throws {
        try socket.join(call)
        try socket.say(("type", .string("sdp:offer")), ("sdp", .string(peer.offer())), ("id", .integer(1)))
        let joined = Instant.now()
        while entry == nil {
            guard Instant.now() - joined < .seconds(10) else { throw LoadError("no answer to the publisher") }
            try socket.read { text in try self.take(text, joined) }
        }
        entry?.publish(sections: sections, seed: seed, now: .now())
        entry.map { media.add($0) }
    }

    /// Until the first packet: when the offer came, and when that.
    func listen(in call: String, _ load: CallsLoad) throws -> (offered: Duration, first: Duration) {
        let joined = Instant.now()
        try socket.join(call, as: "answerer")
        var offered: Duration?
        while entry?.firstMedia == nil {
            guard Instant.now() - joined < .seconds(10) else { throw LoadError("nothing was forwarded") }
            let isNew = entry == nil
            try socket.read { text in try self.take(text, joined) }
            if isNew, let entry {
                offered = .now() - joined
                media.add(entry)
            }
            media.turn()
        }
        let first = entry?.firstMedia ?? .now()
        return (offered ?? .zero, first - joined)
    }

    private func take(_ text: String, _ joined: Instant) throws {
        let isOffer = text.hasPrefix(#"{"type":"sdp:offer""#)
        guard isOffer || text.hasPrefix(#"{"type":"sdp:answer""#) else {
            if text.hasPrefix(#"{"type":"error""#) { throw LoadError(text) }
            return
        }
        let message = try JSONValue(parsing: Bytes(text.utf8))
        guard let sdp = message["sdp"]?.stringValue else { return }
        if isOffer {
            let answer = try peer.accept(offer: sdp, now: .now())
            try socket.say(
                ("type", .string("sdp:answer")), ("sdp", .string(answer)), ("id", message["id"] ?? .null))
        } else {
            try peer.accept(answer: sdp, now: .now())
        }
        guard entry == nil, let server = peer.remoteAddress else { return }
        entry = LoadPeer(peer, try MediaSocket(), server: plexi_address(server), joined: joined)
    }
}
