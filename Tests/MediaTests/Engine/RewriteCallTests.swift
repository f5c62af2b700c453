// What a viewer's packets hold that the publisher's did not: padding where a number was kept in vain, and the mask of
// active decode targets.

import Base
import TestKit
import Testing
import Wire

@testable import Media

/// Spatial and temporal layers in one stream, told by a dependency descriptor.
struct LayeredVideo {
    static let descriptorExtension: UInt8 = 8

    /// AV1 and the descriptor instead of what a soft peer offers.
    static func edit(_ offer: String) -> String {
        offer.replacing(
            "a=rtpmap:96 VP8/90000",
            with:
                "a=extmap:\(descriptorExtension) \(RTPExtensionKind.dependencyDescriptor.uri)\r\na=rtpmap:96 AV1/90000")
    }

    private let peer: SoftPeer
    private var source = SyntheticLayers(keyOnly: false)
    private var random = SplitMix(seed: 3)

    init(_ peer: SoftPeer) { self.peer = peer }

    /// The next picture, of three spatial layers.
    mutating func send() {
        for packet in source.next(random: &random) {
            let descriptor = packet.descriptor ?? []
            // Two-byte form: a structure is longer than 16 bytes.
            var block: Bytes = [Self.descriptorExtension, UInt8(descriptor.count)] + descriptor
            while block.count % 4 != 0 { block.append(0) }
            var plain = Bytes(repeating: 0, count: 12)
            plain.withUnsafeMutableBytes { bytes in
                var span = MutableRawSpan(_unsafeBytes: bytes)
                RTPFixedHeader.write(
                    marker: packet.input.marker, payloadType: SoftPeer.vp8,
                    sequenceNumber: SequenceNumber(truncatingIfNeeded: packet.input.sequence),
                    timestamp: packet.input.timestamp, ssrc: peer.ssrc(0), hasExtension: true, into: &span)
            }
            plain += [0x10, 0x00, 0, UInt8(block.count / 4)] + block + packet.payload
            peer.sendRaw(plain, index: packet.input.sequence)
        }
    }
}

/// Reads the descriptors that came to a viewer.
final class LayeredWatcher {
    private(set) var masks: [UInt32] = []
    private(set) var unreadable = 0
    /// Of the last packet.
    private(set) var spatial: UInt8 = 0
    private var structure = DependencyStructure()
    private var map = RTPExtensionMap()

    init(_ peer: SoftPeer) {
        _ = map.set(LayeredVideo.descriptorExtension, .dependencyDescriptor)
        peer.onPacket = { [unowned self] header, packet in take(header, packet) }
    }

    private func take(_ header: RTPHeader, _ packet: Bytes) {
        let bytes = packet.span.bytes
        let reading = RTPExtensionReading(reading: bytes, header: header, map: map)
        guard let element = reading[.dependencyDescriptor],
            let descriptor = try? DependencyDescriptor(
                parsing: bytes.extracting(element.range), structure: &structure)
        else {
            unreadable += 1
            return
        }
        spatial = descriptor.spatial
        if descriptor.hasStructure || descriptor.hasActiveDecodeTargets { masks.append(structure.activeDecodeTargets) }
    }
}

@Suite struct RewriteCallTests {
    @Test func `a viewer of fewer layers is told which decode targets are active`() throws {
        let world = try EngineWorld(seed: 51)
        world.reportsNetwork = false
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)], edit: LayeredVideo.edit)
        let viewer = try world.join("r", as: .viewer, [.init(.video, .receiveOnly)], edit: LayeredVideo.edit)
        let watcher = LayeredWatcher(world.peer(viewer))
        world.run(.milliseconds(500))
        var video = LayeredVideo(world.peer(publisher))
        for picture in 0..<60 {
            if picture == 20 {
                var preference = StreamPreference()
                preference.largestLayer = 0
                try world.engine.setPreference(preference, of: "0", for: world.id(viewer), now: world.net.now)
            }
            video.send()
            world.run(.milliseconds(33))
        }
        #expect(watcher.masks == [0x1FF, 0x07])
        #expect(watcher.spatial == 0)
        #expect(watcher.unreadable == 0)
    }

    @Test func `padding that comes late is passed on as padding, so that nobody asks for its number`() throws {
        let world = try EngineWorld(seed: 52)
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let viewer = world.peer(try world.join("r", as: .viewer, [.init(.video, .receiveOnly)]))
        var empty: [SequenceNumber] = []
        viewer.onPacket = { header, packet in
            guard packet[0] & 0x20 != 0 else { return }
            #expect(packet.count == Int(header.headerLength) + 1 && packet.last == 1)
            #expect(!header.marker)
            empty.append(header.sequenceNumber)
        }
        world.run(.milliseconds(500))
        let peer = world.peer(publisher)
        var sequence: SequenceNumber = 100
        for frame in 0..<10 {
            peer.sendFrame(
                section: 0, packets: 2, size: 500, timestamp: UInt32(frame) * 3_000, isKeyframe: frame == 0,
                pictureID: UInt16(frame), sequence: &sequence, now: world.net.now)
            if frame == 4 { sequence &+= 1 }
            world.run(.milliseconds(33))
            guard frame == 5 else { continue }
            var padding = peer.plainPacket(
                [0, 0, 0, 4], ssrc: peer.ssrc(0), type: SoftPeer.vp8, sequence: 110, timestamp: 12_000)
            padding[0] |= 0x20
            peer.sendRaw(padding, index: 110)
        }
        world.run(.milliseconds(100))
        #expect(empty == [110])
        let stream = try #require(viewer.streams.values.first { $0.packets == 21 })
        #expect(stream.sequences == Set(100..<121))
        #expect(stream.duplicates == 0 && viewer.unreadable == 0)
    }

    @Test func `what overtook the start of its keyframe is sent when it is asked for`() throws {
        let world = try EngineWorld(seed: 53)
        // Probes repeat packets, too.
        world.reportsNetwork = false
        let publisher = try world.join("r", as: .publisher, [.init(.video, .sendOnly)])
        let viewer = world.peer(try world.join("r", as: .viewer, [.init(.video, .receiveOnly)]))
        world.run(.milliseconds(500))
        let peer = world.peer(publisher)
        var sequence: SequenceNumber = 100
        peer.sendFrame(
            section: 0, packets: 4, size: 500, timestamp: 0, isKeyframe: true, pictureID: 1, sequence: &sequence,
            now: world.net.now)
        let packets = peer.takeOutgoing()
        #expect(packets.count == 4)
        for index in [1, 0, 2, 3] {
            peer.sendDatagram(packets[index])
            world.run(.milliseconds(5))
        }
        let ssrc = try #require(viewer.streams.keys.first)
        #expect(viewer.streams[ssrc]?.sequences == [100, 102, 103])
        let lost: [SequenceNumber] = [101]
        var nack: [UInt8] = []
        _ = RTCPNACK.write(from: 1, to: ssrc, lost: lost.span, into: &nack)
        // Once is enough; what is asked for again then is a repair.
        viewer.sendReports(nack)
        world.run(.milliseconds(50))
        #expect(viewer.streams[ssrc]?.sequences == [100, 101, 102, 103])
        #expect(viewer.streams[ssrc]?.retransmissions == 0)
        viewer.sendReports(nack)
        world.run(.milliseconds(50))
        #expect(viewer.streams[ssrc]?.packets == 4)
        #expect(viewer.streams.values.contains { $0.retransmissions == 1 })
    }
}
