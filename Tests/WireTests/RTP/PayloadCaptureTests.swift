import Base
import Testing

@testable import Wire

/// Recorded traffic of a browser through frame reading.
@Suite struct PayloadCaptureTests {
    private let codecs: [String: VideoCodec] = [
        "VP8/90000": .vp8, "VP9/90000": .vp9, "H264/90000": .h264, "AV1/90000": .av1,
    ]

    private func packets(_ file: String) -> [CapturedPacket] {
        PayloadVectors.packets(ofCapture: file).compactMap(CapturedPacket.init)
    }

    private func frames(_ file: String) throws -> [(packet: CapturedPacket, frame: VideoFrameInfo)] {
        var structures: [Int: DependencyStructure] = [:]
        var frames: [(CapturedPacket, VideoFrameInfo)] = []
        for packet in packets(file) {
            guard let codec = codecs[packet.codec] else { continue }
            var structure = structures[packet.ssrc] ?? DependencyStructure()
            frames.append((packet, try packet.frame(codec, &structure)))
            structures[packet.ssrc] = structure
        }
        return frames
    }

    @Test func `every video packet is read, and each stream begins with a keyframe`() throws {
        var count = 0
        for file in PayloadVectors.captures() {
            var seen: Set<Int> = []
            for (packet, frame) in try frames(file) {
                if seen.insert(packet.ssrc).inserted { #expect(frame.isKeyframe && frame.startsFrame, "\(file)") }
                count += 1
            }
        }
        #expect(count > 200)
    }

    @Test func `payload fields are those of the independent decoder`() throws {
        for file in PayloadVectors.captures() {
            for packet in packets(file) {
                if let expected = packet.decoded["vp8"] {
                    let descriptor = try VP8Descriptor(parsing: packet.payload.span.bytes)
                    #expect(Int(descriptor.pictureID) == expected["picture_id"]?.int ?? 0)
                    #expect(descriptor.length == expected["descriptor_size"]?.int)
                    #expect(descriptor.isKeyframe == (expected["keyframe"]?.int == 1))
                }
                if let expected = packet.decoded["vp9"] {
                    let descriptor = try VP9Descriptor(parsing: packet.payload.span.bytes)
                    #expect(Int(descriptor.pictureID) == expected["picture_id"]?.int)
                    #expect(Int(descriptor.temporal) == expected["tid"]?.int)
                    #expect(Int(descriptor.spatial) == expected["sid"]?.int)
                    #expect(descriptor.isSwitchingUpPoint == (expected["u"]?.int == 1))
                    #expect(descriptor.startsFrame == (expected["b"]?.int == 1))
                    #expect(descriptor.endsFrame == (expected["e"]?.int == 1))
                    #expect(descriptor.length == expected["descriptor_size"]?.int)
                }
                if let expected = packet.decoded["h264"] {
                    let payload = try H264Payload(parsing: packet.payload.span.bytes)
                    let types = expected["nalus"]?.arrayValue?.compactMap { $0["type"]?.int } ?? []
                    if !types.isEmpty { #expect(payload.startsKeyframe == types.contains { $0 == 5 || $0 == 7 }) }
                }
                if let expected = packet.decoded["av1"] {
                    let payload = try AV1Payload(parsing: packet.payload.span.bytes)
                    #expect(payload.continuesOBU == (expected["z"]?.int == 1))
                    #expect(payload.isContinued == (expected["y"]?.int == 1))
                    #expect(payload.startsSequence == (expected["n"]?.int == 1))
                    #expect(payload.elements == expected["elements"]?.arrayValue?.count)
                    if !payload.continuesOBU {
                        #expect(Int(payload.firstType) == expected["elements"]?.arrayValue?.first?["obu_type"]?.int)
                    }
                }
                if let allocation = packet.allocation {
                    _ = try VideoLayersAllocation(parsing: allocation.span.bytes)
                }
            }
        }
    }

    @Test func `two spatial and three temporal layers of AV1 come in their pattern`() throws {
        let frames = try frames("chromium156-av1_l3t3.json")
        #expect(Set(frames.map(\.frame.spatial)) == [0, 1])
        #expect(Set(frames.map(\.frame.temporal)) == [0, 1, 2])
        #expect(frames.filter(\.frame.isKeyframe).count >= 1)
        for (packet, frame) in frames where packet.marker { #expect(frame.endsFrame, "a picture ends with a frame") }
        // Whoever wants all layers needs every frame; whoever wants the lowest needs those alone.
        for (_, frame) in frames {
            #expect(frame.needed & LayerCell.bit(spatial: 3, temporal: 7) != 0)
            let isBase = frame.spatial == 0 && frame.temporal == 0
            #expect((frame.needed & LayerCell.bit(spatial: 0, temporal: 0) != 0) == isBase)
        }
    }

    @Test func `three temporal layers of VP9 are told alike by payload and descriptor`() throws {
        let all = packets("chromium156-vp9_l1t3.json")
        #expect(!all.isEmpty)
        var structure = DependencyStructure()
        var temporals: Set<UInt8> = []
        for packet in all {
            let described = try packet.frame(.vp9, &structure)
            var none = DependencyStructure()
            let plain = try VideoFrameInfo.read(
                .vp9, payload: packet.payload.span.bytes, descriptor: nil, structure: &none)
            #expect(described.hasDescriptor && !plain.hasDescriptor)
            #expect(described.temporal == plain.temporal && described.spatial == plain.spatial)
            #expect(described.startsFrame == plain.startsFrame && described.endsFrame == plain.endsFrame)
            #expect(described.pictureID == plain.pictureID)
            #expect(!described.isKeyframe || plain.isKeyframe)
            temporals.insert(plain.temporal)
        }
        #expect(temporals == [0, 1, 2])
    }

    @Test func `a frame is read from a descriptor though its payload is encrypted`() throws {
        var structure = DependencyStructure()
        for packet in packets("chromium156-av1_l3t3.json") {
            guard let descriptor = packet.descriptor else { continue }
            let scrambled = packet.payload.map { $0 ^ 0xA5 }
            let frame = try VideoFrameInfo.read(
                .av1, payload: scrambled.span.bytes, descriptor: descriptor.span.bytes, structure: &structure)
            #expect(frame.hasDescriptor)
        }
        #expect(structure.isKnown)
    }
}
