// Many soft peers on one thread, against one media server: sends what publishers have to say when it is time, and takes
// what comes. Most subscribers only count what they see in clear headers; a few decrypt everything and know how old it is.

import Base
import CShims
import Crypto
import Media
import TestKit
import Wire

/// What one media section of a peer sends.
struct Publishing {
    let section: Int
    let kind: SoftPeer.Section.Kind
    var next: Instant
    var timestamp: UInt32 = 1_000
    var sequence: SequenceNumber = 1
    var pictureID: UInt16 = 1
    var keyframesAsked = -1
}

/// What is sent, the same to everybody who is compared.
enum MediaShape {
    /// A frame of video: 8 packets, 30 times a second: 2.3 Mbit/s.
    static let packetsPerFrame = 8
    static let videoPayload = 1_200
    static let frameInterval = UInt64(Arguments.integer("frame-microseconds", default: 33_333)) * 1_000
    /// Opus at 32 kbit/s: 50 packets a second.
    static let audioPayload = 80
    static let talkInterval: UInt64 = 20_000_000

    /// When within an interval somebody begins: spread, as people are.
    static func offset(_ seed: UInt64) -> UInt64 { (seed &* 7_919_333 % 33_333) * 1_000 }
}

final class LoadPeer {
    let peer: SoftPeer
    let socket: MediaSocket
    let joined: Instant
    let server: plexi_address
    /// Decrypts and checks all that it gets.
    var opens = false
    /// Receives nothing: its socket fills.
    var isDeaf = false
    /// So many of a hundred packets that come are taken for lost, and asked for again.
    var lossPercent = 0
    /// The kernel writes down when each packet came: what counts is not when we got round to looking.
    private(set) var isStamped = false
    /// Whether what it opens counts for the latencies.
    var isTimed = true
    /// How many get each packet of this one; `nil`: all others.
    var audience: Int?
    /// For a server that checks too: ours does not.
    var checks: CheckAnswers?
    /// What the server calls it.
    var session = ""
    var publishing: [Publishing] = []
    private(set) var sent = 0
    /// Who was kept from sending in time lets that frame be: many that were kept at once would send at once.
    var skipsLate = false
    private(set) var skipped = 0
    private static let lateMax: UInt64 = 2_000_000
    var media = 0
    var repairs = 0
    var opened = 0
    var firstMedia: Instant?
    var due = Instant(nanoseconds: 0)

    init(_ peer: SoftPeer, _ socket: MediaSocket, server: plexi_address, joined: Instant) {
        self.peer = peer
        self.socket = socket
        self.server = server
        self.joined = joined
    }

    func stamp() { isStamped = socket.stamp() }

    /// From `now` on it has something to say in each section that sends.
    func publish(sections: [SoftPeer.Section], seed: UInt64, now: Instant) {
        for (index, section) in sections.enumerated() where section.direction.sends {
            let first = Instant(nanoseconds: now.nanoseconds + MediaShape.offset(seed))
            publishing.append(Publishing(section: index, kind: section.kind, next: first))
        }
    }

    /// Sends what is due.
    func turn(_ now: Instant, isPublishing: Bool) {
        if isPublishing { for index in publishing.indices { publish(&publishing[index], now) } }
        if let deadline = peer.deadline, deadline <= now { peer.tick(now: now) }
        flush()
        due = peer.deadline ?? Instant(nanoseconds: now.nanoseconds + 1_000_000_000)
        for stream in publishing where stream.next < due { due = stream.next }
    }

    func flush() {
        guard !peer.outgoing.isEmpty else { return }
        socket.send(peer.takeOutgoing(), to: server)
    }

    /// RFC 4585 §6.2.1: a generic NACK for one packet.
    func askAgain(_ packet: UnsafeRawBufferPointer) {
        var report: Bytes = [0x81, 205, 0, 3, 0, 0, 0, 1]
        report += packet[8..<12]
        report += packet[2..<4]
        report += [0, 0]
        peer.sendReports(report)
    }

    private func publish(_ stream: inout Publishing, _ now: Instant) {
        guard stream.next <= now, peer.phase == .connected else { return }
        let isVideo = stream.kind == .video
        let interval = isVideo ? MediaShape.frameInterval : MediaShape.talkInterval
        if skipsLate, now.nanoseconds - stream.next.nanoseconds > Self.lateMax {
            stream.next.nanoseconds += ((now.nanoseconds - stream.next.nanoseconds) / interval + 1) * interval
            skipped += 1
            return
        }
        // After a pause the rhythm begins anew.
        let late = now.nanoseconds - stream.next.nanoseconds > 1_000_000_000
        stream.next.nanoseconds = (late ? now.nanoseconds : stream.next.nanoseconds) + interval
        if isVideo {
            let isKeyframe = stream.keyframesAsked != peer.keyframeRequests
            stream.keyframesAsked = peer.keyframeRequests
            peer.sendFrame(
                section: stream.section, packets: MediaShape.packetsPerFrame, size: MediaShape.videoPayload,
                timestamp: stream.timestamp, isKeyframe: isKeyframe, pictureID: stream.pictureID,
                sequence: &stream.sequence, now: now)
            stream.timestamp &+= 3_000
            sent += MediaShape.packetsPerFrame
            stream.pictureID = (stream.pictureID + 1) & 0x7FFF
        } else {
            peer.sendTalk(
                section: stream.section, size: MediaShape.audioPayload, timestamp: stream.timestamp,
                sequence: &stream.sequence, now: now)
            stream.timestamp &+= 960
            sent += 1
        }
    }
}

final class MediaLoad {
    private(set) var peers: [LoadPeer] = []
    /// `nil` where the server is not ours, and who drives it adds the peers.
    private let process: MediaProcess?
    let identity: DTLSIdentity
    private let readable = Readable()
    private let drain = DatagramDrain()
    private let timedDrain = TimedDrain()
    var isPublishing = true {
        didSet { for entry in peers { entry.due = Instant(nanoseconds: 0) } }
    }
    /// The next frame waits until the one before has come everywhere, or is lost: on a busy machine frames would pile up
    /// otherwise, leave together, and cost less each.
    var inStep = false
    /// Publishers send when it is time, whatever else there is to do, and we never sleep: otherwise those whose time
    /// came meanwhile would send at one moment, which people do not.
    var isPunctual = false
    private var publishers: [LoadPeer] = []
    private var total = 0
    private var awaited = 0
    private var patience = Instant(nanoseconds: 0)
    /// In nanoseconds, of peers that open what they get.
    var latencies: [UInt64] = []
    private var seed: UInt64 = 1
    private static let patience = Duration.milliseconds(500)

    init(_ process: MediaProcess) throws {
        self.process = process
        guard process.channel.line()?.hasPrefix("ports ") == true else {
            throw SystemError("start the media server", code: 0)
        }
        identity = try DTLSIdentity.make()
    }

    /// Peers of a server that is spoken to in other ways than ours.
    init() throws {
        process = nil
        identity = try DTLSIdentity.make()
    }

    func nextSeed() -> UInt64 {
        seed += 1
        return seed
    }

    /// Some of a crowd open what they get, with the kernel's times.
    func open(_ some: some Sequence<LoadPeer>) {
        for entry in some {
            entry.opens = true
            entry.stamp()
        }
    }

    func add(_ entry: LoadPeer) {
        readable.add(entry.socket)
        peers.append(entry)
        if !entry.publishing.isEmpty { publishers.append(entry) }
    }

    /// It stops reading, or goes on.
    func setDeaf(_ isDeaf: Bool, _ entry: LoadPeer) {
        entry.isDeaf = isDeaf
        if let number = peers.firstIndex(where: { $0 === entry }) { readable.setWatched(!isDeaf, number) }
    }

    @discardableResult
    func join(
        _ room: String, as role: String, _ sections: [SoftPeer.Section], reports: Bool, onlyCM: Bool = false
    ) throws -> LoadPeer {
        guard let process else { throw SystemError("join: the server is not ours", code: 0) }
        let seed = nextSeed()
        let peer = try SoftPeer(sections, identity: identity, seed: seed)
        peer.offersTransportFeedback = reports
        peer.sendsTransportFeedback = reports
        if onlyCM { peer.offerOnly(.aes128CMSHA1_80) }
        let joined = Instant.now()
        let offer = peer.offer()
        process.channel.say("join \(room) \(role) \(offer.utf8.count)\n\(offer)")
        let words = (process.channel.line() ?? "nothing").split(separator: " ").map(String.init)
        guard words.count == 3, words[0] == "ok", let count = Int(words[1]), let answer = process.channel.bytes(count)
        else { throw SystemError("join: the server said \(words.joined(separator: " "))", code: 0) }
        let now = Instant.now()
        try peer.accept(answer: answer, now: now)
        guard let server = peer.remoteAddress else { throw SystemError("join: an answer without candidates", code: 0) }
        let entry = LoadPeer(peer, try MediaSocket(), server: plexi_address(server), joined: joined)
        entry.session = words[2]
        entry.publish(sections: sections, seed: seed, now: now)
        add(entry)
        return entry
    }

    /// The last of them leave, all at once.
    func leave(last count: Int) throws {
        guard let process else { return }
        for entry in peers.suffix(count) { process.channel.say("leave \(entry.session)\n") }
        for _ in 0..<min(count, peers.count) {
            let line = process.channel.line() ?? "nothing"
            guard line == "ok" else { throw SystemError("leave: the server said \(line)", code: 0) }
        }
        readable.removeLast(min(count, peers.count))
        peers.removeLast(min(count, peers.count))
    }

    /// What the server's socket sent, and what it could not.
    func counters() -> [Int] {
        process?.channel.say("counters\n")
        return (process?.channel.line() ?? "").split(separator: " ").dropFirst().compactMap { Int($0) }
    }

    // MARK: Running

    func run(seconds: Double) {
        let end = Instant.now().nanoseconds + UInt64(seconds * 1e9)
        while Instant.now().nanoseconds < end { turn() }
    }

    /// False when it did not come about in time.
    func run(until condition: () -> Bool, seconds: Double) -> Bool {
        let end = Instant.now().nanoseconds + UInt64(seconds * 1e9)
        while Instant.now().nanoseconds < end {
            turn()
            if condition() { return true }
        }
        return false
    }

    func turn() {
        let now = Instant.now()
        send(peers, now)
        // Nobody sleeps while packets are on their way: waking us would cost the server, and of no network does it.
        let isAwaiting = isPunctual || inStep && total < awaited && now < patience
        readable.wait(milliseconds: isAwaiting ? 0 : 1) { number in
            read(peers[number])
            if isPunctual { send(publishers, .now()) }
        }
    }

    /// What is due of these.
    private func send(_ some: [LoadPeer], _ now: Instant) {
        let maySend = isPublishing && (!inStep || total >= awaited || now >= patience)
        var coming = 0
        for entry in some where entry.due <= now {
            let before = entry.sent
            // The time is written into what is sent: that of this peer's turn, however many had theirs before it.
            entry.turn(.now(), isPublishing: maySend)
            coming += (entry.sent - before) * (entry.audience ?? peers.count - 1)
        }
        guard coming > 0 else { return }
        awaited = total + coming
        patience = now + Self.patience
    }

    private func read(_ entry: LoadPeer) {
        guard !entry.isDeaf else { return }
        let now = Instant.now()
        if entry.isStamped {
            timedDrain.drain(entry.socket) { datagram, arrived in take(datagram, entry, now, arrived) }
        } else {
            drain.drain(entry.socket) { datagram in take(datagram, entry, now, now) }
        }
        entry.flush()
        entry.due = min(entry.due, entry.peer.deadline ?? entry.due)
    }

    private func take(_ datagram: UnsafeMutableRawBufferPointer, _ entry: LoadPeer, _ now: Instant, _ arrived: Instant)
    {
        guard datagram.count >= 12, datagram[0] & 0xC0 == 0x80, !(192...223).contains(datagram[1]) else {
            if let answer = entry.checks?.answer(UnsafeRawBufferPointer(datagram), to: entry.server) {
                return entry.socket.send([answer], to: entry.server)
            }
            return entry.peer.receive(Bytes(datagram), now: now)
        }
        if entry.lossPercent > 0, isLost(datagram, entry) { return }
        if datagram[1] & 0x7F == SoftPeer.rtx { entry.repairs += 1 } else { entry.media += 1 }
        total += 1
        entry.peer.noteArrival(of: UnsafeRawBufferPointer(datagram), now: now)
        guard entry.opens || entry.firstMedia == nil else { return }
        guard let (payload, type) = entry.peer.open(datagram) else { return }
        entry.opened += 1
        if entry.firstMedia == nil { entry.firstMedia = now }
        guard type != SoftPeer.rtx,
            let sent = SoftPeer.stamp(in: UnsafeRawBufferPointer(rebasing: datagram[payload]))
        else { return }
        if entry.isTimed, sent <= arrived { latencies.append(arrived.nanoseconds - sent.nanoseconds) }
    }

    /// Draws whether this packet came, and asks at once for one that did not.
    private func isLost(_ datagram: UnsafeMutableRawBufferPointer, _ entry: LoadPeer) -> Bool {
        guard Int.random(in: 0..<100) < entry.lossPercent else { return false }
        if datagram[1] & 0x7F != SoftPeer.rtx { entry.askAgain(UnsafeRawBufferPointer(datagram)) }
        return true
    }
}
