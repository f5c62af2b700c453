// What of a publisher's video goes to one subscriber, and under which numbers. A trivial struct per subscription; no
// socket, no clock, no memory of its own. The rules are in docs/media/forwarding.md.

package import Wire

package struct VideoForwarder: Sendable, BitwiseCopyable {
    /// A larger jump of incoming sequence numbers is no loss that anybody would repair: the receiver sees one packet
    /// missing, and a keyframe is asked for. Higher lets a receiver ask for packets that are gone; lower cuts bursts.
    static let largestGap: UInt64 = 512
    /// Base frames to wait for a way down to fewer spatial layers before a keyframe is asked for. Lower asks where the
    /// next base frame would do; higher leaves a congested subscriber waiting.
    static let baseFramesBeforeKeyframe: UInt8 = 2
    /// Added to incoming picture ids and frame numbers, so that those a little older are no negative numbers.
    private static let numberBase: UInt64 = 1 << 32

    private var codec: VideoCodec
    package private(set) var target = LayerTarget(simulcast: nil)
    /// The simulcast layer that is forwarded now, and the last one that was.
    package private(set) var current: UInt8?
    private var previous: UInt8?
    /// The layers that are forwarded now.
    package private(set) var spatial: UInt8 = 0
    package private(set) var temporal: UInt8 = 0
    /// From which packet on, and what was forwarded before it: late packets are judged by the layers of their time. Of the
    /// last change only: two within the lateness of a packet are rare, and cost a frame.
    private var changedAt: UInt64 = 0
    private var spatialBefore: UInt8 = 0
    private var temporalBefore: UInt8 = 0
    /// A frame that this subscriber needs refers to one that it never had.
    private var isBroken = false
    /// A spatial layer above those forwarded came by.
    private var sawHigherSpatial = false
    private var baseFramesWaited: UInt8 = 0
    /// The mask of active decode targets is to be told with the next frame.
    private var owesDecodeTargets = false

    private var sequences = NumberMapper()
    private var timestamps = TimestampMapper(clockRate: 90_000)
    private var newestTimestamp: UInt32 = 0

    private var pictures = NumberMapper()
    private var hasPictures = false
    private var lastTL0: UInt8 = 0
    private var tl0Offset: UInt8 = 0
    private var hasTL0 = false

    /// Frames by number of the dependency descriptor.
    private var newestFrame: UInt64 = 0
    private var droppedFrames = DropRing()
    private var frameOffset: UInt16 = 0
    private var lastFrameNumber: UInt16 = 0
    private var hasFrames = false

    /// The first sequence number out is the first one in, below 2^15, unless one is given.
    private let firstSequence: UInt16?

    package init(codec: VideoCodec, firstSequence: UInt16? = nil) {
        self.codec = codec
        self.firstSequence = firstSequence
    }

    /// Another publisher takes the stream over. Its layers are others, whatever their numbers; the stream's own numbers
    /// go on.
    package mutating func beginSource(codec: VideoCodec) {
        self.codec = codec
        current = nil
        previous = previous.map { _ in Self.otherSource }
        isBroken = false
    }

    /// No layer has this number: what was shown before was another publisher's.
    private static let otherSource: UInt8 = 0xFF

    /// Takes effect at the next packet that allows it; a pause at once.
    package mutating func setTarget(_ target: LayerTarget) {
        if target != self.target { baseFramesWaited = 0 }
        self.target = target
        if target.paused || target.simulcast == nil { current = nil }
    }

    /// The simulcast layer of which this subscriber waits for a keyframe. How often one is asked for is the caller's
    /// matter.
    package var wantsKeyframe: UInt8? {
        guard !target.paused, let wanted = target.simulcast else { return nil }
        if current != wanted || isBroken { return wanted }
        if spatial < target.spatial && sawHigherSpatial { return wanted }
        return spatial > target.spatial && baseFramesWaited >= Self.baseFramesBeforeKeyframe ? wanted : nil
    }

    /// What the timestamps of the layer shown have been moved by; `nil` while none is.
    package var timestampOffset: UInt32? { current == nil ? nil : timestamps.offset }

    package mutating func offer(_ packet: ForwardInput) -> ForwardVerdict {
        guard !target.paused, let wanted = target.simulcast else { return .drop(.paused) }
        if packet.simulcastLayer != current {
            guard packet.simulcastLayer == wanted else { return .drop(.otherLayer) }
            guard packet.payloadLength > 0, packet.frame.isKeyframe, packet.frame.startsFrame else {
                return .drop(.awaitingKeyframe)
            }
            begin(packet)
            return .forward(rewrite(packet, sequence: sequences.highestOutgoing, picture: pictures.highestOutgoing))
        }
        return packet.sequence > sequences.highest ? offerNewest(packet) : offerLate(packet)
    }

    /// The incoming packet whose number is kept but was never sent: when a receiver asks for it and the publisher's ring
    /// has it by now, offer it again.
    package func unsentSource(of outgoing: UInt64) -> (layer: UInt8, sequence: UInt64)? {
        guard let current, let sequence = sequences.source(of: outgoing) else { return nil }
        return (current, sequence)
    }
}

// MARK: - The newest packet

extension VideoForwarder {
    private mutating func offerNewest(_ packet: ForwardInput) -> ForwardVerdict {
        let frame = packet.frame
        let sequence = advance(to: packet.sequence)
        guard packet.payloadLength > 0 else {
            sequences.drop()
            return .drop(.empty)
        }
        let isNewPicture = packet.timestamp != newestTimestamp
        newestTimestamp = packet.timestamp
        let reason = frame.hasDescriptor ? admitDescribed(frame) : admitPlain(packet, isNewPicture)
        let (picture, isNewID) = advancePicture(frame)
        if let reason {
            sequences.drop()
            // Receivers of VP8 expect ids without gaps. Those of VP9 find references by distance between ids.
            if codec == .vp8 && isNewID { pictures.drop() }
            return .drop(reason)
        }
        timestamps.note(packet.timestamp, arrival: packet.arrival, clock: packet.senderClock)
        noteForwarded(frame)
        return .forward(rewrite(packet, sequence: sequence, picture: picture))
    }

    private mutating func advance(to sequence: UInt64) -> UInt64 {
        if sequence &- sequences.highest > Self.largestGap {
            sequences.begin(at: sequence, as: sequences.next &+ 1)
            isBroken = true
            return sequences.highestOutgoing
        }
        return sequences.advance(to: sequence)
    }

    private mutating func begin(_ packet: ForwardInput) {
        let frame = packet.frame
        let start = UInt64(firstSequence ?? UInt16(truncatingIfNeeded: packet.sequence & 0x7FFF))
        sequences.begin(at: packet.sequence, as: previous == nil ? start : sequences.next)
        timestamps.begin(
            packet.timestamp, arrival: packet.arrival, clock: packet.senderClock,
            isSame: previous == packet.simulcastLayer)
        if frame.pictureIDBits > 0 {
            let id = UInt64(frame.pictureID)
            pictures.begin(at: Self.numberBase &+ id, as: hasPictures ? pictures.next : Self.numberBase &+ id)
            hasPictures = true
        }
        if frame.hasTL0 {
            tl0Offset = hasTL0 ? lastTL0 &+ 1 &- frame.tl0 : 0
            hasTL0 = true
            lastTL0 = frame.tl0 &+ tl0Offset
        }
        if frame.hasDescriptor {
            frameOffset = hasFrames ? lastFrameNumber &+ 1 &- frame.frameNumber : 0
            hasFrames = true
            lastFrameNumber = frame.frameNumber &+ frameOffset
            newestFrame = Self.numberBase &+ UInt64(frame.frameNumber)
            droppedFrames = DropRing()
        }
        current = packet.simulcastLayer
        previous = packet.simulcastLayer
        changedAt = 0
        newestTimestamp = packet.timestamp
        takeKeyframe()
    }

    private mutating func takeKeyframe() {
        spatial = target.spatial
        temporal = target.temporal
        isBroken = false
        sawHigherSpatial = false
        baseFramesWaited = 0
        owesDecodeTargets = false
    }

    /// The number of the picture of a newest packet, and whether the picture is new.
    private mutating func advancePicture(_ frame: VideoFrameInfo) -> (UInt64, Bool) {
        guard frame.pictureIDBits > 0 else { return (0, false) }
        let number = unwrapped(frame)
        if number > pictures.highest { return (pictures.advance(to: number), true) }
        return (pictures.late(number) ?? 0, false)
    }

    private mutating func noteForwarded(_ frame: VideoFrameInfo) {
        if frame.hasTL0 {
            let tl0 = frame.tl0 &+ tl0Offset
            if Int8(bitPattern: tl0 &- lastTL0) > 0 { lastTL0 = tl0 }
        }
        if frame.hasDescriptor {
            let number = frame.frameNumber &+ frameOffset
            if Int16(bitPattern: number &- lastFrameNumber) > 0 { lastFrameNumber = number }
        }
    }

    /// The picture id nearest to the newest.
    private func unwrapped(_ frame: VideoFrameInfo) -> UInt64 {
        let unused = UInt16(16 &- frame.pictureIDBits)
        let newest = UInt16(truncatingIfNeeded: pictures.highest)
        let distance = Int16(bitPattern: (frame.pictureID &- newest) << unused) >> Int16(unused)
        return pictures.highest &+ UInt64(bitPattern: Int64(distance))
    }
}

// MARK: - Layers

extension VideoForwarder {
    /// Layers as payloads tell them: lower ones never need higher ones, so the way down is open at any picture.
    private mutating func admitPlain(_ packet: ForwardInput, _ isNewPicture: Bool) -> DropReason? {
        let (oldSpatial, oldTemporal) = (spatial, temporal)
        changeLayersPlain(packet.frame, isNewPicture)
        if spatial != oldSpatial || temporal != oldTemporal {
            (changedAt, spatialBefore, temporalBefore) = (packet.sequence, oldSpatial, oldTemporal)
        }
        guard packet.frame.spatial <= spatial else {
            sawHigherSpatial = true
            return .spatial
        }
        return packet.frame.temporal <= temporal ? nil : .temporal
    }

    private mutating func changeLayersPlain(_ frame: VideoFrameInfo, _ isNewPicture: Bool) {
        if frame.isKeyframe && frame.startsFrame {
            takeKeyframe()
        } else {
            if isNewPicture {
                spatial = min(spatial, target.spatial)
                temporal = min(temporal, target.temporal)
                if frame.temporalUpTo > temporal, frame.temporalUpFrom <= temporal, target.temporal > temporal {
                    temporal = min(target.temporal, frame.temporalUpTo)
                }
            }
            if frame.startsFrame, frame.startsSpatialLayer, spatial < target.spatial, frame.spatial == spatial &+ 1 {
                spatial = frame.spatial
            }
        }
    }

    /// Layers as a dependency descriptor tells them: a frame is forwarded when the layers asked for need it and it has
    /// its references, and layers change where the descriptor allows it.
    private mutating func admitDescribed(_ frame: VideoFrameInfo) -> DropReason? {
        let number = unwrappedFrame(frame)
        guard number > newestFrame else { return described(frame, isDropped: droppedFrames.contains(number)) }
        droppedFrames.clear(after: newestFrame, through: number)
        newestFrame = number
        let isIntact = hasReferences(frame, number)
        if frame.isKeyframe {
            takeKeyframe()
        } else if spatial != target.spatial || temporal != target.temporal {
            if isIntact { changeLayers(frame) }
            if spatial > target.spatial && frame.temporal == 0 && baseFramesWaited < UInt8.max {
                baseFramesWaited &+= 1
            }
        }
        let isNeeded = frame.needed & LayerCell.bit(spatial: spatial, temporal: temporal) != 0
        if isNeeded && isIntact { return nil }
        droppedFrames.insert(number)
        if isNeeded {
            isBroken = true
            return .undecodable
        }
        if frame.spatial > spatial { sawHigherSpatial = true }
        return described(frame, isDropped: true)
    }

    private func described(_ frame: VideoFrameInfo, isDropped: Bool) -> DropReason? {
        guard isDropped else { return nil }
        return frame.temporal > temporal ? .temporal : .spatial
    }

    private func hasReferences(_ frame: VideoFrameInfo, _ number: UInt64) -> Bool {
        for index in 0..<Int(frame.referenceCount) {
            let distance = UInt64(frame.references[index])
            // So far back that nothing is known: as good as missing.
            if distance >= DropRing.window || droppedFrames.contains(number &- distance) { return false }
        }
        return true
    }

    /// To the layers nearest to the target that can be begun with at this frame.
    private mutating func changeLayers(_ frame: VideoFrameInfo) {
        let spatialStep: Int = target.spatial > spatial ? -1 : 1
        let temporalStep: Int = target.temporal > temporal ? -1 : 1
        for space in stride(from: Int(target.spatial), through: Int(spatial), by: spatialStep) {
            for time in stride(from: Int(target.temporal), through: Int(temporal), by: temporalStep) {
                let (space, time) = (UInt8(space), UInt8(time))
                if space == spatial && time == temporal { return }
                guard frame.switches & LayerCell.bit(spatial: space, temporal: time) != 0 else { continue }
                owesDecodeTargets = true
                spatial = space
                temporal = time
                return
            }
        }
    }

    private func unwrappedFrame(_ frame: VideoFrameInfo) -> UInt64 {
        let distance = Int16(bitPattern: frame.frameNumber &- UInt16(truncatingIfNeeded: newestFrame))
        return newestFrame &+ UInt64(bitPattern: Int64(distance))
    }
}

// MARK: - Packets that come late, and writing

extension VideoForwarder {
    /// Nothing is decided here: the packet gets the number kept for it, or that number is filled.
    private mutating func offerLate(_ packet: ForwardInput) -> ForwardVerdict {
        guard packet.sequence < sequences.highest, let sequence = sequences.late(packet.sequence) else {
            return .drop(.late)
        }
        let frame = packet.frame
        var picture: UInt64 = 0
        var isShown = packet.payloadLength > 0
        if isShown && frame.pictureIDBits > 0 {
            let kept = pictures.late(unwrapped(frame))
            picture = kept ?? 0
            isShown = kept != nil
        }
        if isShown { isShown = frame.hasDescriptor ? showsLateDescribed(frame) : showsLatePlain(packet) }
        let rewrite = rewrite(packet, sequence: sequence, picture: picture)
        return isShown ? .forward(rewrite) : .fillGap(rewrite)
    }

    /// Of a layer above those forwarded nothing, though its number was kept: what refers to a dropped frame would be
    /// decoded from a wrong one.
    private func showsLatePlain(_ packet: ForwardInput) -> Bool {
        let isBefore = packet.sequence < changedAt
        return packet.frame.spatial <= (isBefore ? spatialBefore : spatial)
            && packet.frame.temporal <= (isBefore ? temporalBefore : temporal)
    }

    private func showsLateDescribed(_ frame: VideoFrameInfo) -> Bool {
        let number = unwrappedFrame(frame)
        guard number <= newestFrame, newestFrame &- number < DropRing.window, !droppedFrames.contains(number) else {
            return false
        }
        return frame.needed & LayerCell.bit(spatial: spatial, temporal: temporal) != 0
    }

    private mutating func rewrite(_ packet: ForwardInput, sequence: UInt64, picture: UInt64) -> Rewrite {
        let frame = packet.frame
        var rewrite = Rewrite()
        rewrite.layer = packet.simulcastLayer
        rewrite.sequence = sequence
        rewrite.timestamp = timestamps.outgoing(packet.timestamp)
        rewrite.marker = packet.marker
        guard packet.payloadLength > 0 else { return rewrite }
        rewrite.marker = packet.marker || (frame.endsFrame && frame.spatial >= spatial)
        rewrite.pictureIDBits = frame.pictureIDBits
        rewrite.pictureIDOffset = frame.pictureIDOffset
        rewrite.pictureID = UInt16(truncatingIfNeeded: picture) & 0x7FFF
        rewrite.hasTL0 = frame.hasTL0
        rewrite.tl0 = frame.tl0 &+ tl0Offset
        rewrite.tl0Offset = frame.tl0Offset
        guard frame.hasDescriptor else { return rewrite }
        rewrite.hasDescriptor = true
        rewrite.frameNumber = frame.frameNumber &+ frameOffset
        rewrite.spatial = spatial
        rewrite.temporal = temporal
        rewrite.writesDecodeTargets = frame.hasStructure || frame.hasActiveDecodeTargets || owesDecodeTargets
        // Told with the first packet of a frame, and once.
        if frame.startsFrame { owesDecodeTargets = false }
        return rewrite
    }
}
