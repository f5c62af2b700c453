// What changes in a copy of a packet on its way to one subscriber: decided by a forwarder, done by whoever copies.

package import Base
package import Wire

package struct Rewrite: Sendable, BitwiseCopyable {
    /// Where the packet is from: the simulcast layer, and 0 for audio.
    package var layer: UInt8 = 0
    /// Extended; its low 16 bits go into the header.
    package var sequence: UInt64 = 0
    package var timestamp: UInt32 = 0
    package var marker = false

    /// 0: nothing to write.
    package var pictureIDBits: UInt8 = 0
    package var pictureIDOffset: UInt8 = 0
    package var pictureID: UInt16 = 0
    package var hasTL0 = false
    package var tl0: UInt8 = 0
    package var tl0Offset: UInt8 = 0

    package var hasDescriptor = false
    package var frameNumber: UInt16 = 0
    /// The element must be written anew (`writeDescriptor`); otherwise its frame number in place is enough.
    package var writesDecodeTargets = false
    /// The layers forwarded: they tell the mask of active decode targets.
    package var spatial: UInt8 = 0
    package var temporal: UInt8 = 0

    package init() {}

    /// Writes the payload's fields. Nothing is written past the end, whatever the offsets.
    package func apply(to payload: inout MutableRawSpan) {
        if pictureIDBits == 15, Int(pictureIDOffset) &+ 1 < payload.byteCount {
            payload.store(bigEndian: pictureID | 0x8000, at: Int(pictureIDOffset))
        } else if pictureIDBits == 7, Int(pictureIDOffset) < payload.byteCount {
            payload.store(UInt8(truncatingIfNeeded: pictureID & 0x7F), at: Int(pictureIDOffset))
        }
        if hasTL0, Int(tl0Offset) < payload.byteCount { payload.store(tl0, at: Int(tl0Offset)) }
    }

    /// The frame number alone, in the copied element.
    package func apply(toDescriptor element: inout MutableRawSpan) {
        guard hasDescriptor else { return }
        DependencyDescriptor.store(frameNumber: frameNumber, in: &element)
    }

    /// The element as it goes out, when `writesDecodeTargets`; returns its length. `structure` is the one in force for
    /// the incoming stream.
    package func writeDescriptor(
        from element: RawSpan, structure: DependencyStructure, into output: inout MutableRawSpan
    ) throws(WireError) -> Int {
        var current = structure
        // The element may bring the mask or the structure that is to be narrowed.
        _ = try DependencyDescriptor(parsing: element, structure: &current)
        return try DependencyDescriptor.rewrite(
            element, structure: structure, frameNumber: frameNumber,
            activeDecodeTargets: current.decodeTargets(upToSpatial: spatial, temporal: temporal), into: &output)
    }
}

package enum ForwardVerdict: Sendable, BitwiseCopyable {
    case drop(DropReason)
    case forward(Rewrite)
    /// A number was kept for this packet while it was missing, but it is not to be shown: send it without a payload (as
    /// padding), so that the receiver stops asking. Sending nothing is allowed; the receiver then asks a few times more.
    case fillGap(Rewrite)
}

package enum DropReason: UInt8, Sendable, BitwiseCopyable {
    case paused
    /// Of a simulcast layer that is not forwarded now.
    case otherLayer
    /// Of the layer that was asked for, before its keyframe.
    case awaitingKeyframe
    case spatial, temporal
    /// Needs a frame that was not forwarded.
    case undecodable
    /// Came when its number was gone: too late, from before the switch, or again.
    case late
    /// Padding.
    case empty
    /// Audio that nobody would hear.
    case silence
}

package struct LayerTarget: Equatable, Sendable, BitwiseCopyable {
    /// `nil`: nothing.
    package var simulcast: UInt8?
    /// The highest wanted; more than there are is all of them.
    package var spatial: UInt8
    package var temporal: UInt8
    package var paused: Bool

    package init(simulcast: UInt8?, spatial: UInt8 = 3, temporal: UInt8 = 7, paused: Bool = false) {
        self.simulcast = simulcast
        self.spatial = min(spatial, 3)
        self.temporal = min(temporal, 7)
        self.paused = paused
    }
}

/// A packet as a forwarder sees it; made once, offered to every subscriber.
package struct ForwardInput: Sendable {
    package var simulcastLayer: UInt8
    /// Extended.
    package var sequence: UInt64
    package var timestamp: UInt32
    package var marker: Bool
    package var frame: VideoFrameInfo
    package var arrival: Instant
    /// 0 for padding; `frame` is not looked at then.
    package var payloadLength: Int
    /// What makes this layer's timestamps those of the publisher's clock (`PublisherTimeline.offset`), after a sender report.
    package var senderClock: UInt32?
    /// Audio that is not among the loudest of a large room.
    package var isSilenced = false

    package init(
        simulcastLayer: UInt8 = 0, sequence: UInt64, timestamp: UInt32, marker: Bool, frame: VideoFrameInfo,
        arrival: Instant, payloadLength: Int, senderClock: UInt32? = nil
    ) {
        self.simulcastLayer = simulcastLayer
        self.sequence = sequence
        self.timestamp = timestamp
        self.marker = marker
        self.frame = frame
        self.arrival = arrival
        self.payloadLength = payloadLength
        self.senderClock = senderClock
    }
}

package enum PublisherTimeline {
    /// What must be added, modulo 2^32, to a stream's timestamps to have the publisher's clock in ticks: streams of one
    /// publisher are then on one time line. From a sender report (RFC 3550 §6.4.1).
    package static func offset(ntp: UInt64, timestamp: UInt32, clockRate: UInt32) -> UInt32 {
        let seconds = (ntp >> 32) &* UInt64(clockRate)
        let fraction = (ntp & 0xFFFF_FFFF) &* UInt64(clockRate) >> 32
        return UInt32(truncatingIfNeeded: seconds &+ fraction) &- timestamp
    }
}
