import Base
import Testing

@testable import Wire

@Suite struct PayloadDescriptorTests {
    private func vp8(_ hex: String) throws(WireError) -> VP8Descriptor {
        try VP8Descriptor(parsing: PayloadVectors.bytes(hex).span.bytes)
    }
    private func vp9(_ bytes: Bytes) throws(WireError) -> VP9Descriptor { try VP9Descriptor(parsing: bytes.span.bytes) }
    private func h264(_ hex: String) throws(WireError) -> H264Payload {
        try H264Payload(parsing: PayloadVectors.bytes(hex).span.bytes)
    }
    private func h265(_ hex: String) throws(WireError) -> H265Payload {
        try H265Payload(parsing: PayloadVectors.bytes(hex).span.bytes)
    }
    private func av1(_ bytes: Bytes) throws(WireError) -> AV1Payload { try AV1Payload(parsing: bytes.span.bytes) }

    // MARK: VP8

    @Test func `VP8 descriptors have what another server asserts of them`() throws {
        let first = try vp8("d0801100")
        #expect(first.startsPartition && first.partition == 0 && !first.isNonReference)
        #expect(first.pictureIDBits == 7 && first.pictureID == 17 && first.pictureIDOffset == 2)
        #expect(!first.hasTL0 && !first.hasTemporal && !first.hasKeyIndex && first.isKeyframe)
        let second = try vp8("883ee400")
        #expect(!second.startsPartition && second.pictureIDBits == 0 && !second.isKeyframe)
        #expect(second.hasTemporal && second.temporal == 3 && second.isLayerSync)
        #expect(second.hasKeyIndex && second.keyIndex == 4 && second.length == 3)
    }

    @Test func `every field of a VP8 descriptor has its place`() throws {
        let all = try vp8("b0f0ffee2a6501")
        #expect(all.isNonReference && all.startsPartition)
        #expect(all.pictureIDBits == 15 && all.pictureID == 0x7FEE && all.pictureIDOffset == 2)
        #expect(all.hasTL0 && all.tl0 == 0x2A && all.tl0Offset == 4)
        #expect(all.temporal == 1 && all.isLayerSync && all.keyIndex == 5 && all.length == 6 && !all.isKeyframe)
    }

    @Test(arguments: ["", "90", "9080", "908080", "10", "90e0ff", "b0f0ffee2a", "b0f0ffee2a65"])
    func `a VP8 packet that ends early is refused`(hex: String) {
        #expect(throws: WireError.truncated) { try vp8(hex) }
    }

    @Test func `VP8 packets of a library are read as its decoder reads them`() throws {
        var count = 0
        for packet in PayloadVectors.named("werift-packets.json", containing: "vp8") {
            let decoded = try #require(packet["decoded"])
            let expected = try #require(decoded["vp8"])
            let bytes = try #require(packet["hex"]?.hexBytes)
            let descriptor = try VP8Descriptor(
                parsing: bytes.span.bytes.extracting((decoded["header_size"]?.int ?? 0)..<bytes.count))
            check(descriptor, expected)
            count += 1
        }
        #expect(count == 23)
    }

    private func check(_ descriptor: VP8Descriptor, _ expected: JSONValue) {
        #expect(descriptor.startsPartition == (expected["s"]?.int == 1))
        #expect(Int(descriptor.partition) == expected["pid"]?.int)
        #expect(descriptor.isNonReference == (expected["n"]?.int == 1))
        #expect(Int(descriptor.pictureID) == expected["picture_id"]?.int ?? 0)
        #expect(Int(descriptor.pictureIDBits) == expected["picture_id_bits"]?.int ?? 0)
        #expect(descriptor.length == expected["descriptor_size"]?.int)
        #expect(descriptor.isKeyframe == (expected["keyframe"]?.int == 1))
    }

    // MARK: VP9

    @Test func `VP9 descriptors of a library's tests`() throws {
        var count = 0
        for vector in PayloadVectors.named("payload-vectors.json", containing: "TestVP9Packet_Unmarshal/") {
            let name = vector["name"]?.stringValue ?? ""
            let bytes = vector["hex"]?.hexBytes ?? []
            count += 1
            guard let packet = vector["expected"]?["pkt"] else {
                #expect(throws: WireError.self, "\(name)") { try vp9(bytes) }
                continue
            }
            let descriptor = try vp9(bytes)
            #expect((descriptor.pictureIDBits > 0) == (packet["I"]?.boolValue ?? false), "\(name)")
            #expect(Int(descriptor.pictureID) == packet["PictureID"]?.int ?? 0, "\(name)")
            #expect(descriptor.isInterPicture == (packet["P"]?.boolValue ?? false), "\(name)")
            #expect(descriptor.isFlexible == (packet["F"]?.boolValue ?? false), "\(name)")
            #expect(descriptor.startsFrame == (packet["B"]?.boolValue ?? false), "\(name)")
            #expect(descriptor.hasStructure == (packet["V"]?.boolValue ?? false), "\(name)")
            if let widths = packet["Width"]?.integers, let heights = packet["Height"]?.integers {
                #expect(widths == widths.indices.map { Int(descriptor.size(ofLayer: $0)?.width ?? 0) })
                #expect(heights == heights.indices.map { Int(descriptor.size(ofLayer: $0)?.height ?? 0) })
            }
            let payload = String(packet["Payload"]?.stringValue?.dropFirst(4) ?? "")
            #expect(Bytes(bytes[descriptor.length...]) == PayloadVectors.bytes(payload), "\(name)")
        }
        #expect(count == 16)
    }

    @Test func `layers of VP9 without flexible references have TL0PICIDX`() throws {
        // I L B E; picture 300; TID 2, U, SID 1, D; TL0PICIDX 77.
        let descriptor = try vp9([0xAC, 0x81, 0x2C, 0b010_1_001_1, 77, 0])
        #expect(descriptor.pictureID == 300 && descriptor.pictureIDBits == 15)
        #expect(descriptor.temporal == 2 && descriptor.spatial == 1)
        #expect(descriptor.isSwitchingUpPoint && descriptor.usesLayerBelow)
        #expect(descriptor.hasTL0 && descriptor.tl0 == 77 && descriptor.tl0Offset == 4)
        #expect(!descriptor.isKeyframe, "of a higher spatial layer")
    }

    @Test func `a picture group of VP9 is passed over`() throws {
        // V: one layer, no sizes, two pictures in the group, the second with two references.
        let descriptor = try vp9([0x0A, 0x08, 2, 0b000_1_00_00, 0b010_0_10_00, 1, 2, 0xAA])
        #expect(descriptor.pictureGroup == 2 && descriptor.length == 7)
        #expect(throws: WireError.truncated) { try vp9([0x0A, 0x08, 2, 0b000_1_00_00, 0b010_0_10_00, 1]) }
    }

    // MARK: H.264 and H.265

    @Test func `H.264 keyframes begin with parameters or an IDR slice`() throws {
        #expect(try h264("78000f6742c01f1a323501407a403c2211a80005681a34e3c8").startsKeyframe)
        #expect(try h264("78000f6742c01f1a323501407a403c2211a800").hasSequenceParameters, "one byte is left over")
        #expect(try h264("6742c01f").startsKeyframe)
        #expect(try h264("85b80004").startsIDR)
        #expect(try h264("7c85b80004").startsIDR)
        #expect(try !h264("7c05b80004").startsKeyframe, "a middle fragment")
        #expect(try !h264("7c45b80004").startsKeyframe, "the last fragment")
        #expect(try !h264("68ce01a8").startsKeyframe, "picture parameters alone")
        #expect(try !h264("81e0004e").startsKeyframe)
        #expect(try !h264("6e809020").startsKeyframe)
        #expect(try h264("07801100").isDiscardable)
        #expect(try !h264("61e0004e").isDiscardable)
    }

    @Test(arguments: ["", "7c", "ff0000", "00", "780000", "78", "78000f6742c01f1a323501407a403c2211", "7cc5aa", "7900"])
    func `malformed H.264 is refused`(hex: String) { #expect(throws: WireError.self) { try h264(hex) } }

    @Test func `H.265 keyframes and temporal layers`() throws {
        let idr = try h265("620193aa")
        #expect(idr.startsRandomAccess && idr.temporal == 0)
        #expect(try !h265("620153aa").startsKeyframe, "the last fragment")
        #expect(try !h265("0101abcdef").startsKeyframe)
        #expect(try h265("40010c01").hasParameters)
        #expect(try h265("60010004400142000006420101016000").hasParameters)
        let switching = try h265("0603aabb")
        #expect(switching.temporal == 2 && switching.isTemporalSwitch && !switching.isStepwiseTemporalSwitch)
        #expect(try h265("0802aabb").isStepwiseTemporalSwitch)
        #expect(try h265("0002aabb").isDiscardable)
        #expect(try !h265("0202aabb").isDiscardable)
    }

    @Test(arguments: ["", "01", "800000", "6001", "600100", "60010001aa", "60010004aabb", "6201", "6201d3", "6401aa"])
    func `malformed H.265 is refused`(hex: String) { #expect(throws: WireError.self) { try h265(hex) } }

    // MARK: AV1

    @Test func `AV1 packets of a library's tests`() throws {
        for vector in PayloadVectors.named("payload-vectors.json", containing: "AV1_Unmarshal_Error") {
            #expect(throws: WireError.self, "\(vector["name"]?.stringValue ?? "")") {
                try av1(vector["hex"]?.hexBytes ?? [])
            }
        }
        for vector in PayloadVectors.named("payload-vectors.json", containing: "AV1Depacketizer_aggregationHeader") {
            let bytes = vector["hex"]?.hexBytes ?? []
            let isContradiction = bytes[0] & 0x88 == 0x88
            if isContradiction {
                #expect(throws: WireError.self) { try av1(bytes) }
                continue
            }
            let packet = try av1(bytes)
            #expect(packet.continuesOBU == (vector["expected"]?["Z"]?.boolValue ?? false))
            #expect(packet.startsSequence == (vector["expected"]?["N"]?.boolValue ?? false))
            #expect(packet.isContinued == (vector["expected"]?["Y"]?.boolValue ?? false))
        }
    }

    @Test func `an AV1 keyframe has N and a sequence header, and layers come from the first OBU`() throws {
        #expect(try av1([0x18, 0x08, 0, 0]).startsKeyframe)
        #expect(try !av1([0x18, 0x30, 0, 0]).startsKeyframe)
        #expect(try !av1([0x10, 0x08, 0, 0]).startsKeyframe)
        let layered = try av1([0x10, 0x34, 0b010_01_000, 9])
        #expect(layered.temporal == 2 && layered.spatial == 1)
        let two = try av1([0x20, 2, 0x30, 1, 0x30, 2, 3])
        #expect(two.elements == 2)
        #expect(throws: WireError.truncated) { try av1([0x20, 2, 0x30, 1]) }
        #expect(throws: WireError.truncated) { try av1([0x10, 0x34]) }
    }

    // MARK: Audio

    @Test func `redundant audio has its blocks`() throws {
        let bytes: Bytes = [0x80 | 111, 0x0F, 0x00, 0x03, 0x80 | 111, 0x07, 0x80, 0x02, 111, 1, 2, 3, 4, 5, 6, 7, 8, 9]
        let red = try RedundantAudio(parsing: bytes.span.bytes)
        #expect(red.count == 3)
        #expect(red[0] == RedundantAudio.Block(payloadType: 111, timestampOffset: 960, offset: 9, length: 3))
        #expect(red[1] == RedundantAudio.Block(payloadType: 111, timestampOffset: 480, offset: 12, length: 2))
        #expect(red.newest == RedundantAudio.Block(payloadType: 111, timestampOffset: 0, offset: 14, length: 4))
        #expect(red[3] == nil)
    }

    @Test func `redundant audio with too many or too long blocks is refused`() {
        for bytes: Bytes in [[], [0xEF], [0xEF, 0, 0, 9, 111, 1], Bytes(repeating: 0x80, count: 200)] {
            #expect(throws: WireError.self) { try RedundantAudio(parsing: bytes.span.bytes) }
        }
    }

    @Test func `Opus of at most two bytes is silence`() {
        let verdicts = [[0x78], [0x78, 1], [0x78, 1, 2]].map { (bytes: Bytes) in OpusPayload.isSilence(bytes.span.bytes)
        }
        #expect(verdicts == [true, true, false])
    }

    // MARK: Layers allocation

    @Test func `layer allocations have the bitrates and sizes of the vectors`() throws {
        var count = 0
        for vector in PayloadVectors.list("vla-vectors.json") {
            let bytes = vector["hex"]?.hexBytes ?? []
            let allocation = try VideoLayersAllocation(parsing: bytes.span.bytes)
            let streams = vector["decoded"]?["streams"]?.arrayValue ?? []
            #expect(Int(allocation.streams) == streams.count)
            #expect(Int(allocation.stream) == vector["decoded"]?["rid"]?.int ?? 0)
            var index = 0
            for (number, stream) in streams.enumerated() {
                for expected in stream["spatial_layers"]?.arrayValue ?? [] {
                    let layer = try #require(allocation[index])
                    #expect(Int(layer.stream) == number && Int(layer.spatial) == expected["id"]?.int)
                    let bitrates = expected["target_bitrates_kbps"]?.integers ?? []
                    #expect(bitrates == (0..<Int(layer.temporalCount)).map { Int(layer.kilobits(temporal: $0) ?? 0) })
                    #expect(Int(layer.width) == expected["width"]?.int ?? 0)
                    #expect(Int(layer.height) == expected["height"]?.int ?? 0)
                    #expect(Int(layer.frameRate) == expected["max_framerate"]?.int ?? 0)
                    index += 1
                }
            }
            #expect(allocation.count == index)
            for length in 1..<max(bytes.count, 1) where length < bytes.count - Int(allocation.count) * 5 {
                #expect(throws: WireError.self) {
                    try VideoLayersAllocation(parsing: bytes.span.bytes.extracting(0..<length))
                }
            }
            count += 1
        }
        #expect(count == 16)
    }
}
