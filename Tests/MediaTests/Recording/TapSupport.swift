// Who reads a tap in tests, and who is recorded.

import Base
import TestKit
import Wire

@testable import Media

/// Reads everything that a pipe has, and remembers it.
final class TapListener {
    struct Heard {
        let packet: TapPacket
        let payload: Bytes
        let descriptor: Bytes
    }

    let pipe: TapPipe
    private(set) var packets: [Heard] = []
    private(set) var reports: [TapReport] = []
    private(set) var gaps: [TapGap] = []
    private(set) var events: [TapEvent] = []
    private(set) var end: TapEnd?

    init(_ pipe: TapPipe) { self.pipe = pipe }

    /// At most so many items.
    func read(_ most: Int = .max) {
        pipe.begin()
        var count = 0
        while count < most, let item = pipe.next() {
            count += 1
            switch item {
            case .packet(let packet):
                packets.append(
                    Heard(packet: packet, payload: Bytes(pipe.payload), descriptor: Bytes(pipe.descriptor)))
            case .report(let report): reports.append(report)
            case .gap(let gap): gaps.append(gap)
            case .event(let event): events.append(event)
            case .ended(let end):
                self.end = end
                return
            }
        }
    }

    var tracks: [TapTrack] {
        events.compactMap { event in
            if case .began(let track) = event { track } else { nil }
        }
    }

    var ends: [UInt32: TapTrackEnd] {
        events.reduce(into: [:]) { ends, event in
            if case .trackEnded(let track, let reason, _, _) = event { ends[track] = reason }
        }
    }

    /// Packets of a track, in the order in which they were heard.
    func packets(of track: UInt32) -> [Heard] { packets.filter { $0.packet.track == track } }

    func track(_ kind: MediaKind) -> TapTrack? { tracks.last { $0.kind == kind } }
}

extension EngineWorld {
    /// Taps a room, with a pipe that the test reads.
    func tap(_ room: String, capacity: Int = TapPipe.capacity, wake: @escaping @Sendable () -> Void = {}) -> TapListener
    {
        let pipe = TapPipe(capacity: capacity, wake: wake)
        engine.startTap(ofRoom: room, into: pipe, now: net.now)
        return TapListener(pipe)
    }

    /// Gives a peer an owner, as the service does when it has joined.
    @discardableResult
    func own(_ number: Int, by owner: UUID = .random()) -> UUID {
        engine.setHolder(SessionHolder(session: .random(), owner: owner), of: id(number), now: net.now)
        return owner
    }

    func setTapped(_ owner: UUID, _ isTapped: Bool, in room: String) {
        engine.setTapped(owner, isTapped, inRoom: room, now: net.now)
    }
}

/// Sends voice in section 0 and a picture in section 1, of which every byte is remembered. Keyframes come when they are
/// asked for.
final class RecordedPerson {
    /// What was sent, by sequence number without wrap, as a tap counts them.
    private(set) var video: [UInt64: Bytes] = [:]
    private(set) var audio: [UInt64: Bytes] = [:]
    private(set) var keyframes = 0
    let peer: SoftPeer
    private var random: SplitMix
    private var frame = 0
    private var talk = 0
    private var answered = 0
    private var nextFrame: Instant
    private var nextTalk: Instant
    /// Soon over the wrap.
    private var videoSequence: UInt64 = 0x1_0000 | 65_400
    private var audioSequence: UInt64 = 0x1_0000 | 65_500
    static let packetsOfFrame = 4

    init(_ peer: SoftPeer, seed: UInt64, now: Instant) {
        self.peer = peer
        random = SplitMix(seed: seed)
        nextFrame = now
        nextTalk = now
    }

    func work(_ now: Instant) {
        if now >= nextFrame {
            nextFrame = nextFrame + .milliseconds(33)
            sendFrame(now)
        }
        if now >= nextTalk {
            nextTalk = nextTalk + .milliseconds(20)
            let payload = bytes(20...120)
            audio[audioSequence] = payload
            send(payload, 0, SoftPeer.opus, audioSequence, timestamp: UInt32(talk) * 960, marker: talk == 0, now)
            audioSequence += 1
            talk += 1
        }
    }

    private func sendFrame(_ now: Instant) {
        let isKeyframe = frame == 0 || peer.keyframeRequests > answered
        answered = peer.keyframeRequests
        if isKeyframe { keyframes += 1 }
        for index in 0..<Self.packetsOfFrame {
            // RFC 7741 §4.2: no extension; S on the first. Bit 0 of the next byte is clear in a keyframe.
            let payload = [index == 0 ? 0x10 : 0x00, isKeyframe ? 0x10 : 0x11] + bytes(200...1_100)
            video[videoSequence] = payload
            let isLast = index == Self.packetsOfFrame - 1
            send(payload, 1, SoftPeer.vp8, videoSequence, timestamp: UInt32(frame) * 3_000, marker: isLast, now)
            videoSequence += 1
        }
        frame += 1
    }

    private func send(
        _ payload: Bytes, _ section: Int, _ type: UInt8, _ sequence: UInt64, timestamp: UInt32, marker: Bool,
        _ now: Instant
    ) {
        peer.sendMedia(
            payload, section: section, type: type, sequence: SequenceNumber(truncatingIfNeeded: sequence),
            timestamp: timestamp, marker: marker, rollover: sequence >> 16 - 1, now: now)
    }

    private func bytes(_ counts: ClosedRange<Int>) -> Bytes {
        (0..<Int.random(in: counts, using: &random)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }
}
