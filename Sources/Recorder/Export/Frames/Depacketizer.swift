// From packets of one track to its frames, for all codecs.
//
// What is incomplete is left out. Of sound that is a packet, and the gap is the muxer's business. Of pictures it is the
// frame with the hole and all that follow until the next keyframe: they refer to what is not there, and a player would
// show mud. A stream that changes (another SSRC, another layer) begins anew with a keyframe for the same reason; what is
// late of the one before is waited for as any packet is, and the new one meanwhile.

package import Base

/// What became of a track's packets.
package struct FrameCounts: Sendable, Equatable {
    package var packets = 0
    package var duplicates = 0
    package var missingPackets: UInt64 = 0
    package var frames = 0
    package var keyframes = 0
    /// Incomplete, not understood, or without the keyframe before them.
    package var droppedFrames = 0

    package init() {}
}

package struct Depacketizer {
    package var counts: FrameCounts {
        var counts = seen
        counts.duplicates += buffer.duplicates
        return counts
    }

    private var seen = FrameCounts()

    private let codec: RecordedCodec
    private var buffer = ReorderBuffer()
    private var stream: UInt16?
    /// Of each stream: what has a lower number came late.
    private var highest: [UInt16: UInt64] = [:]
    /// Of the streams that follow, while the present one may lack something.
    private var upcoming: [TimedPacket] = []
    private var assembly: FrameAssembly
    private var events: [ReorderBuffer.Event] = []
    /// Of the frame under way.
    private var timestamp: UInt32?
    private var time: MediaTime = 0
    private var isBroken = false
    private var awaitsKeyframe: Bool
    /// A hole lies before the frame that comes next: nobody knows whether its beginning is there.
    private var followsHole = false

    package init(_ codec: RecordedCodec, parameterSets: [Bytes] = []) {
        self.codec = codec
        awaitsKeyframe = codec.isVideo
        assembly = FrameAssembly(codec, parameterSets)
    }

    /// Parameter sets that the track's header must hold; none but of H.264 and H.265.
    package var parameterSets: [Bytes] { assembly.parameterSets }

    package mutating func add(_ packet: TimedPacket, into frames: inout [EncodedFrame]) {
        seen.packets += 1
        guard packet.payload.count <= ExportLimits.payloadBytes else { return }
        let isLate = highest[packet.stream].map { packet.sequence <= $0 } ?? false
        if !isLate {
            guard highest.count < ExportLimits.streamsPerTrack || highest[packet.stream] != nil else { return }
            highest[packet.stream] = packet.sequence
        }
        if stream == nil { stream = packet.stream }
        if packet.stream == stream && (upcoming.isEmpty || isLate) {
            take(packet, &frames)
        } else if !isLate || packet.stream == upcoming.first?.stream {
            upcoming.append(packet)
        } else {
            // Of a stream that was left long ago.
            seen.duplicates += 1
        }
        while let first = upcoming.first, mayLeave(first, packet.arrival) { change(&frames) }
    }

    private mutating func take(_ packet: TimedPacket, _ frames: inout [EncodedFrame]) {
        buffer.add(packet, into: &events)
        handle(&frames)
    }

    /// Nothing of the present stream is known to be missing, or it was waited for long enough.
    private func mayLeave(_ next: TimedPacket, _ now: MediaTime) -> Bool {
        (buffer.isEmpty && timestamp == nil) || now &- next.arrival > ExportLimits.waitingTime
            || upcoming.count > ExportLimits.waitingPackets
    }

    /// To the stream that waits, with what came of it.
    private mutating func change(_ frames: inout [EncodedFrame]) {
        leave(&frames)
        awaitsKeyframe = codec.isVideo
        stream = upcoming.first?.stream
        let own = upcoming.prefix { $0.stream == stream }
        upcoming.removeFirst(own.count)
        for packet in own { take(packet, &frames) }
    }

    /// Nothing more comes: what waits behind holes is taken.
    package mutating func finish(into frames: inout [EncodedFrame]) {
        while !upcoming.isEmpty { change(&frames) }
        leave(&frames)
    }

    private mutating func leave(_ frames: inout [EncodedFrame]) {
        buffer.drain(into: &events)
        handle(&frames)
        // Without its marker nobody knows whether the last picture is whole.
        if timestamp != nil { drop() }
        followsHole = false
    }

    private mutating func handle(_ frames: inout [EncodedFrame]) {
        for event in events {
            switch event {
            case .packet(let packet) where codec == .opus: sound(packet, &frames)
            case .packet(let packet): picture(packet, &frames)
            case .hole(let count):
                seen.missingPackets &+= count
                followsHole = true
                if timestamp != nil { isBroken = true }
            }
        }
        events.removeAll(keepingCapacity: true)
    }

    private mutating func sound(_ packet: TimedPacket, _ frames: inout [EncodedFrame]) {
        guard !packet.payload.isEmpty else { return }
        guard let samples = OpusPackets.samples(packet.payload) else {
            seen.droppedFrames += 1
            return
        }
        seen.frames += 1
        frames.append(EncodedFrame(bytes: packet.payload, time: packet.time, isKeyframe: true, samples: samples))
    }

    private mutating func picture(_ packet: TimedPacket, _ frames: inout [EncodedFrame]) {
        if let timestamp, timestamp != packet.timestamp {
            // The marker is a hint of senders that not all give: without a hole in between the frame is whole.
            if isBroken || followsHole { drop() } else { complete(&frames) }
        }
        // Padding keeps a sender's rate up; it belongs to no frame.
        guard !packet.payload.isEmpty else { return }
        if timestamp == nil {
            timestamp = packet.timestamp
            time = packet.time
            isBroken = followsHole && !assembly.isFrameStart(packet.payload)
            if followsHole { awaitsKeyframe = true }
            followsHole = false
        }
        if !isBroken {
            isBroken = !assembly.add(packet.payload) || assembly.count > ExportLimits.frameBytes
        }
        guard packet.marker else { return }
        if isBroken { drop() } else { complete(&frames) }
    }

    private mutating func complete(_ frames: inout [EncodedFrame]) {
        guard let frame = assembly.take(time) else { return drop() }
        timestamp = nil
        isBroken = false
        guard !awaitsKeyframe || frame.isKeyframe else {
            seen.droppedFrames += 1
            return
        }
        awaitsKeyframe = false
        seen.frames += 1
        if frame.isKeyframe { seen.keyframes += 1 }
        frames.append(frame)
    }

    private mutating func drop() {
        assembly.reset()
        timestamp = nil
        isBroken = false
        awaitsKeyframe = true
        seen.droppedFrames += 1
    }
}
