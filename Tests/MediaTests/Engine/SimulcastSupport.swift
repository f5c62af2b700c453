// A publisher of three simulcast layers and audio, and what a viewer got of them.

import Base
import TestKit
import Wire

@testable import Media

/// Sends like an encoder: 30 frames a second on each layer, keyframes when asked for, audio every 20 ms.
final class SimulcastPublisher {
    struct Layer {
        var packets: Int
        var size: Int
        var sequence: SequenceNumber
        var picture: UInt16
        var keyframesAnswered = 0
        var isPaused = false
    }

    /// About 140, 480 and 1,300 kbit/s.
    var layers = [
        Layer(packets: 1, size: 500, sequence: 100, picture: 1),
        Layer(packets: 2, size: 950, sequence: 20_000, picture: 7),
        Layer(packets: 5, size: 1_040, sequence: 60_000, picture: 9_000),
    ]
    static let frameTime: UInt64 = 33_333_333
    static let audioTime: UInt64 = 20_000_000
    let peer: SoftPeer
    let videoSection: Int
    let audioSection: Int?
    var level: UInt8 = 20
    private var frame = 0
    private var nextFrame: Instant
    private var nextAudio: Instant
    private var audioSequence: SequenceNumber = 9
    private(set) var audioSent = 0

    init(_ peer: SoftPeer, video: Int = 0, audio: Int? = 1, now: Instant) {
        self.peer = peer
        videoSection = video
        audioSection = audio
        nextFrame = now
        nextAudio = now
    }

    func work(_ now: Instant) {
        if now >= nextFrame {
            nextFrame = Instant(nanoseconds: nextFrame.nanoseconds + Self.frameTime)
            for index in layers.indices where !layers[index].isPaused { sendFrame(index) }
            frame += 1
        }
        if let audioSection, now >= nextAudio {
            nextAudio = Instant(nanoseconds: nextAudio.nanoseconds + Self.audioTime)
            audioSequence &+= 1
            audioSent += 1
            peer.sendAudio(
                section: audioSection, level: level, sequence: audioSequence,
                timestamp: UInt32(truncatingIfNeeded: audioSent * 960), now: now)
        }
    }

    private func sendFrame(_ index: Int) {
        let wanted = peer.keyframesWanted[peer.ssrc(videoSection, layer: index)] ?? 0
        let isKeyframe = frame == 0 || wanted > layers[index].keyframesAnswered
        layers[index].keyframesAnswered = wanted
        layers[index].picture = (layers[index].picture + 1) & 0x7FFF
        peer.sendLayerFrame(
            section: videoSection, layer: index, packets: layers[index].packets * (isKeyframe ? 3 : 1),
            size: layers[index].size, timestamp: UInt32(frame * 3_000 + index * 100_000), isKeyframe: isKeyframe,
            pictureID: layers[index].picture, sequence: &layers[index].sequence)
    }
}

/// What came to a viewer, by layer and time.
final class SimulcastWatcher {
    private(set) var series: [(second: Double, layer: Int, bytes: Int)] = []
    private(set) var audio = 0
    private(set) var videoSequences: [UInt64] = []
    /// Packets of a new layer that did not begin with a keyframe.
    private(set) var badSwitches = 0
    private(set) var switches = 0
    private(set) var repairs = 0
    private var newest: UInt64 = 0
    private var last: Int?
    private let clock: () -> Double

    init(_ peer: SoftPeer, clock: @escaping () -> Double) {
        self.clock = clock
        peer.onPacket = { [unowned self] header, packet in take(header, packet) }
    }

    private func take(_ header: RTPHeader, _ packet: Bytes) {
        switch header.payloadType {
        case SoftPeer.opus: audio += 1
        case SoftPeer.rtx: repairs += 1
        case SoftPeer.vp8:
            let start = Int(header.headerLength)
            guard packet.count > start + 5 else { return }
            let layer = Int(packet[start + 5])
            let sequence = unwrap(header.sequenceNumber)
            if sequence >= newest, layer != last {
                if packet[start] & 0x10 == 0 || packet[start + 4] & 1 != 0 { badSwitches += 1 }
                if last != nil { switches += 1 }
                last = layer
            }
            newest = max(newest, sequence)
            videoSequences.append(sequence)
            series.append((clock(), layer, packet.count))
        default: break
        }
    }

    private func unwrap(_ number: SequenceNumber) -> UInt64 {
        guard newest > 0 else { return 0x1_0000 + UInt64(number) }
        let distance = Int16(bitPattern: number &- SequenceNumber(truncatingIfNeeded: newest))
        return newest &+ UInt64(bitPattern: Int64(distance))
    }

    /// Numbers between the first and the last that never came on the stream itself.
    var gaps: Int {
        let numbers = Set(videoSequences)
        guard let first = numbers.min(), let last = numbers.max() else { return 0 }
        return Int(last - first) + 1 - numbers.count
    }

    /// The share of the packets between two times that were of a layer.
    func share(of layer: Int, _ from: Double, _ to: Double) -> Double {
        let part = series.filter { $0.second >= from && $0.second < to }
        return part.isEmpty ? 0 : Double(part.count { $0.layer == layer }) / Double(part.count)
    }

    func packets(_ from: Double, _ to: Double) -> Int { series.count { $0.second >= from && $0.second < to } }

    /// When a layer came first after a time.
    func first(_ layer: Int, after time: Double) -> Double? {
        series.first { $0.second >= time && $0.layer == layer }?.second
    }
}
