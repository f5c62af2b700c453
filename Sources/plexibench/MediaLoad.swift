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
    var publishing: [Publishing] = []
    private(set) var sent = 0
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

    private func publish(_ stream: inout Publishing, _ now: Instant) {
        guard stream.next <= now, peer.phase == .connected else { return }
        let isVideo = stream.kind == .video
        let interval = isVideo ? MediaShape.frameInterval : MediaShape.talkInterval
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
    private let process: MediaProcess
    private let server: plexi_address
    private let identity: DTLSIdentity
    private let readable = Readable()
    private let drain = DatagramDrain()
    var isPublishing = true {
        didSet { for entry in peers { entry.due = Instant(nanoseconds: 0) } }
    }
    /// The next frame waits until the one before has come everywhere, or is lost: on a busy machine frames would pile up
    /// otherwise, leave together, and cost less each.
    var inStep = false
    private var total = 0
    private var awaited = 0
    private var patience = Instant(nanoseconds: 0)
    /// In nanoseconds, of peers that open what they get.
    var latencies: [UInt64] = []
    private var seed: UInt64 = 1
    private static let patience = Duration.milliseconds(500)

    init(_ process: MediaProcess) throws {
        self.process = process
        guard let line = process.channel.line(), let port = line.split(separator: " ").last.flatMap({ UInt16($0) })
        else { throw SystemError("start the media server", code: 0) }
        server = .loopback(port)
        identity = try DTLSIdentity.make()
    }

    @discardableResult
    func join(
        _ room: String, as role: String, _ sections: [SoftPeer.Section], reports: Bool, onlyCM: Bool = false
    ) throws -> LoadPeer {
        seed += 1
        let peer = try SoftPeer(sections, identity: identity, seed: seed)
        peer.offersTransportFeedback = reports
        peer.sendsTransportFeedback = reports
        if onlyCM { peer.offerOnly(.aes128CMSHA1_80) }
        let joined = Instant.now()
        let offer = peer.offer()
        process.channel.say("join \(room) \(role) \(offer.utf8.count)\n\(offer)")
        let line = process.channel.line() ?? "nothing"
        guard line.hasPrefix("ok "), let count = Int(line.dropFirst(3)), let answer = process.channel.bytes(count)
        else { throw SystemError("join: the server said \(line)", code: 0) }
        let now = Instant.now()
        try peer.accept(answer: answer, now: now)
        let entry = LoadPeer(peer, try MediaSocket(), server: server, joined: joined)
        for (index, section) in sections.enumerated() where section.direction.sends {
            // Spread within one interval, as people are.
            let offset = (seed &* 7_919 % 33) * 1_000_000
            entry.publishing.append(
                Publishing(section: index, kind: section.kind, next: Instant(nanoseconds: now.nanoseconds + offset)))
        }
        readable.add(entry.socket)
        peers.append(entry)
        return entry
    }

    /// What the server's socket sent, and what it could not.
    func counters() -> [Int] {
        process.channel.say("counters\n")
        return (process.channel.line() ?? "").split(separator: " ").dropFirst().compactMap { Int($0) }
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
        let maySend = isPublishing && (!inStep || total >= awaited || now >= patience)
        for entry in peers where entry.due <= now {
            let before = entry.sent
            entry.turn(now, isPublishing: maySend)
            guard entry.sent > before else { continue }
            awaited = total + (entry.sent - before) * (peers.count - 1)
            patience = now + Self.patience
        }
        // Nobody sleeps while packets are on their way: waking us would cost the server, and of no network does it.
        let isAwaiting = inStep && total < awaited && now < patience
        readable.wait(milliseconds: isAwaiting ? 0 : 1) { read(peers[$0]) }
    }

    private func read(_ entry: LoadPeer) {
        guard !entry.isDeaf else { return }
        let now = Instant.now()
        drain.drain(entry.socket) { datagram in take(datagram, entry, now) }
        entry.flush()
        entry.due = min(entry.due, entry.peer.deadline ?? entry.due)
    }

    private func take(_ datagram: UnsafeMutableRawBufferPointer, _ entry: LoadPeer, _ now: Instant) {
        guard datagram.count >= 12, datagram[0] & 0xC0 == 0x80, !(192...223).contains(datagram[1]) else {
            return entry.peer.receive(Bytes(datagram), now: now)
        }
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
        if sent <= now { latencies.append(now.nanoseconds - sent.nanoseconds) }
    }
}
