// A conference on a simulated network: everybody sends a camera and a microphone and gets those of all others.

import Base
import Crypto
import TestKit
import Wire

@testable import Media

/// One stream of video and one of audio, without layers: 2.3 Mbit/s and 50 packets a second unless told.
final class Camera {
    static let frameTime: UInt64 = 33_333_333
    static let audioTime: UInt64 = 20_000_000

    let peer: SoftPeer
    private let videoSection: Int
    private let audioSection: Int
    var packetsPerFrame = 8
    var size = 1_200
    var isPaused = false
    private(set) var videoSent = 0
    private(set) var audioSent = 0
    private var frame = 0
    private var nextFrame: Instant
    private var nextAudio: Instant
    private var videoSequence: SequenceNumber = 1
    private var audioSequence: SequenceNumber = 1
    private var keyframesAnswered = -1

    /// `phase`, below a frame's time: people's cameras are not in step.
    init(_ peer: SoftPeer, audio: Int = 0, video: Int = 1, phase: UInt64, now: Instant) {
        self.peer = peer
        audioSection = audio
        videoSection = video
        nextFrame = Instant(nanoseconds: now.nanoseconds + phase)
        nextAudio = nextFrame
    }

    func work(_ now: Instant) {
        if now >= nextAudio {
            nextAudio = Instant(nanoseconds: nextAudio.nanoseconds + Self.audioTime)
            audioSent += 1
            audioSequence &+= 1
            peer.sendAudio(
                section: audioSection, level: 30, sequence: audioSequence,
                timestamp: UInt32(truncatingIfNeeded: audioSent * 960), now: now)
        }
        guard now >= nextFrame else { return }
        nextFrame = Instant(nanoseconds: nextFrame.nanoseconds + Self.frameTime)
        frame += 1
        guard !isPaused else { return }
        let isKeyframe = keyframesAnswered != peer.keyframeRequests
        keyframesAnswered = peer.keyframeRequests
        peer.sendFrame(
            section: videoSection, packets: packetsPerFrame, size: size,
            timestamp: UInt32(truncatingIfNeeded: frame * 3_000), isKeyframe: isKeyframe,
            pictureID: UInt16(frame & 0x7FFF), sequence: &videoSequence, now: now)
        videoSent += packetsPerFrame
    }
}

final class Conference {
    /// What came to one, by kind.
    struct Counts {
        var video = 0
        var audio = 0
        var repairs = 0
        /// Of them those that nobody could decode anything from: bytes for probes.
        var padding = 0
        /// Longest time behind other packets and on the way, of video, since it was last asked.
        var latest: Duration = .zero
    }

    let world: EngineWorld
    private(set) var cameras: [Camera] = []
    private(set) var counts: [Counts]
    private var downlinks: [SimNet.LinkID] = []
    let count: Int

    /// `downlink` makes the link to each member. Returns with everybody connected and nothing sent.
    init(_ count: Int, seed: UInt64 = 1, settings: MediaSettings = MediaSettings(), downlink: SimLink) throws {
        self.count = count
        world = try EngineWorld(seed: seed, settings: settings, packetSlots: 16_384)
        counts = Array(repeating: Counts(), count: count)
        let identity = try DTLSIdentity.make()
        for _ in 0..<count {
            var sections: [SoftPeer.Section] = [.init(.audio, .sendOnly), .init(.video, .sendOnly)]
            for _ in 1..<count { sections += [.init(.audio, .receiveOnly), .init(.video, .receiveOnly)] }
            let down = world.net.add(downlink)
            downlinks.append(down)
            let number = try world.join("room", as: .publisher, sections, down: [down], identity: identity)
            world.peer(number).onPacket = { [unowned self] header, packet in
                take(number, header, packet, at: world.net.now)
            }
        }
        world.run(.milliseconds(500))
        for number in 0..<count {
            let phase = UInt64(number) * Camera.frameTime / UInt64(count)
            cameras.append(Camera(world.peer(number), phase: phase, now: world.net.now))
        }
    }

    private func take(_ number: Int, _ header: RTPHeader, _ packet: Bytes, at now: Instant) {
        switch header.payloadType {
        case SoftPeer.vp8:
            counts[number].video += 1
            let sent = packet.withUnsafeBytes {
                SoftPeer.stamp(in: UnsafeRawBufferPointer(rebasing: $0[Int(header.headerLength)...]))
            }
            if let sent, sent < now { counts[number].latest = max(counts[number].latest, now - sent) }
        case SoftPeer.opus: counts[number].audio += 1
        default:
            counts[number].repairs += 1
            if header.hasPadding { counts[number].padding += 1 }
        }
    }

    func run(seconds: Double) {
        world.run(.milliseconds(Int64(seconds * 1_000))) { now in for camera in cameras { camera.work(now) } }
    }

    /// Of all members, from now on.
    func changeDownlinks(_ body: (inout SimLink) -> Void) {
        for link in downlinks { world.net.change(link, body) }
    }

    func statistics(_ number: Int) -> ParticipantStatistics? {
        world.engine.statistics(of: world.id(number), now: world.net.now)
    }

    struct Delivery {
        /// Of the video that was sent to everybody meanwhile, for who got least.
        var video = 1.0
        var audio = 1.0
        /// Packets per member that carried no media and were not asked for.
        var probes = 0.0
        var latest: Duration = .zero
    }

    /// Runs for a while and tells what came of what was sent.
    func deliver(seconds: Double) -> Delivery {
        let before = counts
        let video = cameras.map(\.videoSent)
        let audio = cameras.map(\.audioSent)
        for index in counts.indices { counts[index].latest = .zero }
        run(seconds: seconds)
        var result = Delivery()
        for index in counts.indices {
            var wanted = 0
            var spoken = 0
            for other in cameras.indices where other != index {
                wanted += cameras[other].videoSent - video[other]
                spoken += cameras[other].audioSent - audio[other]
            }
            if wanted > 0 {
                result.video = min(result.video, Double(counts[index].video - before[index].video) / Double(wanted))
            }
            result.audio = min(
                result.audio, Double(counts[index].audio - before[index].audio) / Double(max(spoken, 1)))
            result.probes += Double(counts[index].repairs - before[index].repairs) / Double(count)
            result.latest = max(result.latest, counts[index].latest)
        }
        return result
    }

    func describe(_ number: Int = 0) -> String {
        guard let statistics = statistics(number), let bandwidth = statistics.bandwidth else { return "no estimate" }
        let paused = statistics.subscriptions.count { $0.paused != nil }
        return "target \(bandwidth.target / 1_000)k wanted \(statistics.wantedBitsPerSecond / 1_000)k acknowledged "
            + "\((bandwidth.acknowledged ?? 0) / 1_000)k queue \(bandwidth.queueDelay) paused \(paused) limited "
            + "\(bandwidth.isApplicationLimited) loss limit \(bandwidth.lossLimit ?? 0) \(bandwidth.use)"
    }
}
