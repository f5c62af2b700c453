// Lip sync through the whole engine: what a viewer makes of the reports that it gets.

import Base
import TestKit
import Testing
import Wire

@testable import Media

/// Sends voice and picture of one clock. The picture comes later, as encoders make it, and so do its reports: nothing
/// but the reports says what belongs together.
final class SyncedPublisher {
    /// Seconds since 1900 on the publisher's clock when it began; it is wrong by years, as clocks may be.
    private let epoch: UInt64
    private let audioStart: UInt32
    private let videoStart: UInt32
    private let began: Instant
    private let peer: SoftPeer
    private var frame = 0
    private var talk = 0
    private var reports = 0
    private var videoSequence: SequenceNumber = 7_000
    private var audioSequence: SequenceNumber = 40_000

    static let audioDelay = Duration.milliseconds(20)
    static let videoDelay = Duration.milliseconds(180)

    init(_ peer: SoftPeer, seed: UInt32, now: Instant) {
        self.peer = peer
        epoch = UInt64(1_000_000_000 + seed) << 32
        audioStart = seed &* 0x9E37_79B9
        videoStart = seed &* 0x85EB_CA6B
        began = now
    }

    func work(_ now: Instant) {
        while case let captured = began + .milliseconds(Int64(20 * talk)), captured + Self.audioDelay <= now {
            peer.sendTalk(
                section: 0, size: 80, timestamp: audioStart &+ UInt32(talk * 960), sequence: &audioSequence,
                now: captured)
            talk += 1
        }
        while case let captured = began + .milliseconds(Int64(40 * frame)), captured + Self.videoDelay <= now {
            let isKeyframe = frame % 25 == 0
            peer.sendFrame(
                section: 1, packets: 2, size: 700, timestamp: videoStart &+ UInt32(frame * 3_600),
                isKeyframe: isKeyframe, pictureID: UInt16(frame & 0x7FFF), sequence: &videoSequence, now: captured)
            frame += 1
        }
        while case let due = began + .milliseconds(Int64(500 + 1_000 * reports)), due <= now {
            report(peer.ssrc(0), audioStart, 48, at: due, tookMilliseconds: 5)
            report(peer.ssrc(1), videoStart, 90, at: due, tookMilliseconds: 60)
            reports += 1
        }
    }

    private func report(
        _ ssrc: SSRC, _ start: UInt32, _ unitsPerMillisecond: Int64, at time: Instant, tookMilliseconds delay: Int64
    ) {
        let passed = time - began - .milliseconds(delay)
        let info = RTCPSenderInfo(
            ssrc: ssrc, ntpTime: epoch &+ NTPTime.duration(passed),
            rtpTimestamp: start &+ UInt32(truncatingIfNeeded: passed.milliseconds * unitsPerMillisecond),
            packetCount: 1, octetCount: 1)
        let none: [RTCPReportBlock] = []
        var bytes: [UInt8] = []
        RTCPReports.writeSenderReport(info, reports: none.span, into: &bytes)
        peer.sendReports(bytes)
    }
}

/// Of each stream the last packet: its timestamp, and when it was captured.
final class SyncedViewer {
    struct Shown {
        let ssrc: SSRC
        let timestamp: UInt32
        let captured: Instant
    }

    private let peer: SoftPeer
    private(set) var audio: Shown?
    private(set) var video: Shown?

    init(_ peer: SoftPeer) {
        self.peer = peer
        peer.onPacket = { [unowned self] header, packet in
            let stamp = packet.withUnsafeBytes { bytes in
                SoftPeer.stamp(in: UnsafeRawBufferPointer(rebasing: bytes[Int(header.headerLength)...]))
            }
            guard let stamp else { return }
            let shown = Shown(ssrc: header.ssrc, timestamp: header.timestamp, captured: stamp)
            if header.payloadType == SoftPeer.opus { audio = shown }
            if header.payloadType == SoftPeer.vp8 { video = shown }
        }
    }

    /// How much later than captured the packet lies on the server's clock, in milliseconds, by the reports.
    private func lag(_ shown: Shown?, rate: Double) -> Double? {
        guard let shown, let report = peer.senderReports[shown.ssrc] else { return nil }
        let units = Double(Int32(bitPattern: shown.timestamp &- report.rtpTimestamp))
        let time = Double(report.ntpTime & 0xFFFF_FFFF_FFFF) / 4_294_967.296 + units / rate * 1_000
        return time - Double(shown.captured.nanoseconds) / 1_000_000
    }

    /// By how much the picture would be shown after the voice; negative: before it.
    var milliseconds: Double? {
        guard let heard = lag(audio, rate: 48_000), let seen = lag(video, rate: 90_000) else { return nil }
        return seen - heard
    }
}

@Suite struct SenderReportCallTests {
    private static let sending: [SoftPeer.Section] = [.init(.audio, .sendOnly), .init(.video, .sendOnly)]
    private static let receiving: [SoftPeer.Section] = [.init(.audio, .receiveOnly), .init(.video, .receiveOnly)]

    @Test func `voice and picture of a publisher stay together, however late its packets and reports come`() throws {
        let world = try EngineWorld(seed: 41)
        let publisher = try world.join("r", as: .publisher, Self.sending)
        let viewer = SyncedViewer(world.peer(try world.join("r", as: .viewer, Self.receiving)))
        world.run(.milliseconds(500))
        let synced = SyncedPublisher(world.peer(publisher), seed: 77, now: world.net.now)
        world.run(.seconds(4)) { synced.work($0) }
        let apart = try #require(viewer.milliseconds)
        #expect(abs(apart) < 1)
    }

    @Test func `sections that show another publisher tell that one's clock`() throws {
        let world = try EngineWorld(seed: 42)
        let first = try world.join("r", as: .publisher, Self.sending)
        let viewer = SyncedViewer(world.peer(try world.join("r", as: .viewer, Self.receiving)))
        let second = try world.join("r", as: .publisher, Self.sending)
        world.run(.milliseconds(500))
        let one = SyncedPublisher(world.peer(first), seed: 5, now: world.net.now)
        let other = SyncedPublisher(world.peer(second), seed: 6_000, now: world.net.now + .milliseconds(13))
        world.run(.milliseconds(2_200)) {
            one.work($0)
            other.work($0)
        }
        world.engine.leave(world.id(first), now: world.net.now)
        world.run(.seconds(4)) { other.work($0) }
        let apart = try #require(viewer.milliseconds)
        #expect(abs(apart) < 1)
    }

    @Test func `a publisher that has no clock is carried on from its last packets`() throws {
        let world = try EngineWorld(seed: 43)
        let publisher = try world.join("r", as: .publisher, [.init(.audio, .sendOnly)])
        let viewer = world.peer(try world.join("r", as: .viewer, [.init(.audio, .receiveOnly)]))
        world.run(.milliseconds(500))
        let peer = world.peer(publisher)
        var sequence: SequenceNumber = 1
        for packet in 0..<150 {
            peer.sendTalk(
                section: 0, size: 80, timestamp: UInt32(packet * 960), sequence: &sequence, now: world.net.now)
            if packet % 20 == 0 {
                let none: [RTCPReportBlock] = []
                var bytes: [UInt8] = []
                RTCPReports.writeSenderReport(
                    RTCPSenderInfo(ssrc: peer.ssrc(0), ntpTime: 0, rtpTimestamp: 99, packetCount: 1, octetCount: 1),
                    reports: none.span, into: &bytes)
                peer.sendReports(bytes)
            }
            world.run(.milliseconds(20))
        }
        let report = try #require(viewer.senderReports.values.first)
        #expect((0...150 * 960).contains(Int(report.rtpTimestamp)))
        #expect(report.packetCount > 50)
    }
}
