// What a forwarder must know of a packet of video, for all codecs the same: read once when the packet comes in, used for
// every subscriber.

package enum VideoCodec: UInt8, Sendable, BitwiseCopyable, CaseIterable {
    case vp8, vp9, h264, h265, av1
}

package struct VideoFrameInfo: Sendable, BitwiseCopyable {
    /// Nothing from before is needed, and this is the packet in which one can see it. With a descriptor: a structure
    /// comes along.
    package var isKeyframe = false
    /// The first packet of a frame. H.264 and H.265 do not tell without a descriptor: true where a keyframe begins.
    package var startsFrame = false
    /// The last packet of a frame of one spatial layer; false when only the RTP marker can tell.
    package var endsFrame = false
    package var spatial: UInt8 = 0
    package var temporal: UInt8 = 0
    /// No other frame refers to this one.
    package var isDiscardable = false
    /// Refers to no earlier picture: its spatial layer can be begun with, given the layer below of the same picture.
    package var startsSpatialLayer = false
    /// Who has the temporal layers up to `temporalUpFrom` can go up to `temporalUpTo` from here on. 0 and 0: no.
    package var temporalUpFrom: UInt8 = 0
    package var temporalUpTo: UInt8 = 0

    /// 0 (none), 7 or 15, and where it lies in the payload.
    package var pictureIDBits: UInt8 = 0
    package var pictureIDOffset: UInt8 = 0
    package var pictureID: UInt16 = 0
    package var hasTL0 = false
    package var tl0: UInt8 = 0
    package var tl0Offset: UInt8 = 0

    /// With a dependency descriptor the layers, `needed`, `switches` and the references are from there.
    package var hasDescriptor = false
    package var hasStructure = false
    package var hasActiveDecodeTargets = false
    package var frameNumber: UInt16 = 0
    /// By `LayerCell`: who asked for these layers needs the frame, or can begin with it when it has the references.
    package var needed: UInt32 = 0
    package var switches: UInt32 = 0
    package var referenceCount: UInt8 = 0
    package var references = InlineArray<8, UInt16>(repeating: 0)

    package init() {}

    package var isSwitchingUpPoint: Bool { hasDescriptor ? switches != 0 : isKeyframe || temporalUpTo > 0 }

    /// The descriptor first, for it holds under end-to-end encryption; the payload for what it does not say. Of the
    /// payload of a described frame only what packetisers leave in the clear is read: the descriptors of VP8 and VP9.
    package static func read(
        _ codec: VideoCodec, payload: RawSpan, descriptor: RawSpan?, structure: inout DependencyStructure
    ) throws(WireError) -> VideoFrameInfo {
        var info = VideoFrameInfo()
        switch codec {
        case .vp8: info.take(try VP8Descriptor(parsing: payload))
        case .vp9: info.take(try VP9Descriptor(parsing: payload))
        case .h264 where descriptor == nil: info.take(try H264Payload(parsing: payload))
        case .h265 where descriptor == nil: info.take(try H265Payload(parsing: payload))
        case .av1 where descriptor == nil: info.take(try AV1Payload(parsing: payload))
        default: if payload.isEmpty { throw .truncated }
        }
        if let descriptor { info.take(try DependencyDescriptor(parsing: descriptor, structure: &structure)) }
        return info
    }
}

extension VideoFrameInfo {
    private mutating func take(_ vp8: VP8Descriptor) {
        isKeyframe = vp8.isKeyframe
        startsFrame = vp8.startsPartition && vp8.partition == 0
        isDiscardable = vp8.isNonReference
        temporal = vp8.temporal
        pictureIDBits = vp8.pictureIDBits
        pictureIDOffset = vp8.pictureIDOffset
        pictureID = vp8.pictureID
        hasTL0 = vp8.hasTL0
        tl0 = vp8.tl0
        tl0Offset = vp8.tl0Offset
        startsSpatialLayer = isKeyframe
        if vp8.isLayerSync && temporal > 0 {
            temporalUpFrom = temporal &- 1
            temporalUpTo = temporal
        }
    }

    private mutating func take(_ vp9: VP9Descriptor) {
        startsFrame = vp9.startsFrame
        endsFrame = vp9.endsFrame
        isKeyframe = vp9.isKeyframe
        spatial = vp9.spatial
        temporal = vp9.temporal
        startsSpatialLayer = !vp9.isInterPicture
        pictureIDBits = vp9.pictureIDBits
        pictureIDOffset = vp9.pictureIDOffset
        pictureID = vp9.pictureID
        hasTL0 = vp9.hasTL0
        tl0 = vp9.tl0
        tl0Offset = vp9.tl0Offset
        if vp9.isSwitchingUpPoint {
            temporalUpFrom = temporal
            temporalUpTo = UInt8(LayerCell.temporalLayers) &- 1
        }
    }

    private mutating func take(_ h264: H264Payload) {
        isKeyframe = h264.startsKeyframe
        startsFrame = isKeyframe
        startsSpatialLayer = isKeyframe
        isDiscardable = h264.isDiscardable
    }

    private mutating func take(_ h265: H265Payload) {
        isKeyframe = h265.startsKeyframe
        startsFrame = isKeyframe
        startsSpatialLayer = isKeyframe
        isDiscardable = h265.isDiscardable
        temporal = h265.temporal
        guard temporal > 0, h265.isTemporalSwitch || h265.isStepwiseTemporalSwitch else { return }
        temporalUpFrom = temporal &- 1
        temporalUpTo = h265.isTemporalSwitch ? UInt8(LayerCell.temporalLayers) &- 1 : temporal
    }

    private mutating func take(_ av1: AV1Payload) {
        isKeyframe = av1.startsKeyframe
        startsFrame = !av1.continuesOBU
        startsSpatialLayer = isKeyframe
        temporal = av1.temporal
        spatial = av1.spatial
    }

    private mutating func take(_ descriptor: DependencyDescriptor) {
        hasDescriptor = true
        hasStructure = descriptor.hasStructure
        hasActiveDecodeTargets = descriptor.hasActiveDecodeTargets
        isDiscardable = descriptor.isDiscardable
        isKeyframe = descriptor.hasStructure && descriptor.referenceCount == 0
        startsFrame = descriptor.startsFrame
        endsFrame = descriptor.endsFrame
        spatial = descriptor.spatial
        temporal = descriptor.temporal
        frameNumber = descriptor.frameNumber
        needed = descriptor.needed
        switches = descriptor.switches
        referenceCount = descriptor.referenceCount
        references = descriptor.references
    }
}
