// The fuzzers of payload descriptors and of the dependency descriptor.

import Base
import Wire

extension Fuzzers {
    package static let payloads = [
        Fuzzer("vp8", fuzzVP8), Fuzzer("vp9", fuzzVP9), Fuzzer("h264", fuzzH264), Fuzzer("h265", fuzzH265),
        Fuzzer("av1", fuzzAV1), Fuzzer("dependency-descriptor", fuzzDependencies),
    ]
}

private func fuzzVP8(_ bytes: Bytes) {
    guard let descriptor = try? VP8Descriptor(parsing: bytes.span.bytes) else { return }
    promise(descriptor.length >= 1 && descriptor.length < bytes.count, "a descriptor has a payload after it")
    checkRewrite(.vp8, bytes)
    // What else arrives as small elements of audio and of layers must not trap either.
    if let red = try? RedundantAudio(parsing: bytes.span.bytes) {
        let newest = red.newest
        promise(Int(newest.offset) + Int(newest.length) == bytes.count, "the newest block goes to the end")
    }
    if let allocation = try? VideoLayersAllocation(parsing: bytes.span.bytes) {
        promise(allocation.count <= 16, "layers are bounded")
    }
}

private func fuzzVP9(_ bytes: Bytes) {
    guard let descriptor = try? VP9Descriptor(parsing: bytes.span.bytes) else { return }
    promise(descriptor.length >= 1 && descriptor.length <= bytes.count, "a descriptor lies within the payload")
    promise(descriptor.referenceCount <= VP9Descriptor.maximumReferences, "references are bounded")
    checkRewrite(.vp9, bytes)
}

private func fuzzH264(_ bytes: Bytes) { checkFrame(.h264, bytes) }
private func fuzzH265(_ bytes: Bytes) { checkFrame(.h265, bytes) }
private func fuzzAV1(_ bytes: Bytes) { checkFrame(.av1, bytes) }

private func checkFrame(_ codec: VideoCodec, _ bytes: Bytes) {
    var structure = DependencyStructure()
    guard
        let frame = try? VideoFrameInfo.read(
            codec, payload: bytes.span.bytes, descriptor: nil, structure: &structure)
    else { return }
    promise(frame.spatial < LayerCell.spatialLayers && frame.temporal < LayerCell.temporalLayers, "layers are bounded")
    promise(!frame.isKeyframe || frame.startsFrame, "a keyframe is seen where it starts")
}

/// The offsets of fields are where the fields were read: writing others there reads back as those others.
private func checkRewrite(_ codec: VideoCodec, _ bytes: Bytes) {
    var structure = DependencyStructure()
    guard
        let frame = try? VideoFrameInfo.read(
            codec, payload: bytes.span.bytes, descriptor: nil, structure: &structure)
    else { return }
    var copy = bytes
    if frame.pictureIDBits == 15 {
        copy[Int(frame.pictureIDOffset)] = 0xAA
        copy[Int(frame.pictureIDOffset) + 1] = 0x55
    } else if frame.pictureIDBits == 7 {
        copy[Int(frame.pictureIDOffset)] = 0x2A
    }
    if frame.hasTL0 { copy[Int(frame.tl0Offset)] = 0x77 }
    let again = try? VideoFrameInfo.read(codec, payload: copy.span.bytes, descriptor: nil, structure: &structure)
    promise(again != nil, "a rewritten payload is read")
    promise(again?.pictureIDBits == frame.pictureIDBits, "the picture id keeps its width")
    let expected: UInt16 = frame.pictureIDBits == 15 ? 0x2A55 : frame.pictureIDBits == 7 ? 0x2A : 0
    promise(again?.pictureID == expected, "the picture id is where it was read")
    promise(!frame.hasTL0 || again?.tl0 == 0x77, "TL0PICIDX is where it was read")
    promise(again?.temporal == frame.temporal && again?.isKeyframe == frame.isKeyframe, "nothing else changes")
}

/// Two elements: the first, of the length in the first byte, may bring a structure that the second is read by.
private func fuzzDependencies(_ bytes: Bytes) {
    guard let length = bytes.first.map(Int.init), bytes.count > length else { return }
    var structure = DependencyStructure()
    for element in [Bytes(bytes[1..<(1 + length)]), Bytes(bytes[(1 + length)...])] {
        var next = structure
        guard let old = try? DependencyDescriptor(parsing: element.span.bytes, structure: &next) else { continue }
        promise(old.spatial < 4 && old.temporal < 8, "layers are bounded")
        promise(next.isKnown, "nothing is read without a structure")
        var output = Bytes(repeating: 0xFF, count: element.count + 5)
        let written: Int? = {
            var span = output.mutableSpan
            var room = span.mutableBytes
            return try? DependencyDescriptor.rewrite(
                element.span.bytes, structure: structure, frameNumber: 0x1234, activeDecodeTargets: 1, into: &room)
        }()
        promise(written != nil, "what is read can be rewritten in five bytes more")
        var again = structure
        let new = try? DependencyDescriptor(
            parsing: output.span.bytes.extracting(0..<(written ?? 0)), structure: &again)
        promise(new?.frameNumber == 0x1234 && again.activeDecodeTargets == 1, "the number and the mask are new")
        promise(
            new?.templateID == old.templateID && new?.referenceCount == old.referenceCount, "nothing else changes")
        structure = next
    }
}
