// One track: packets in, the bytes of a file out. All that reads what a codec made happens in here, and here runs in a
// worker; it owns no descriptor and no clock.

package import Base

/// What is to be written.
package struct TrackJob: Sendable, Equatable {
    package var track: MuxedTrack
    package var parameterSets: [Bytes]

    /// `track.date` is when the recording began; the file says when its first frame was.
    package init(track: MuxedTrack, parameterSets: [Bytes] = []) {
        self.track = track
        self.parameterSets = parameterSets
    }
}

/// What became of it.
package struct TrackSummary: Sendable, Equatable {
    package var counts = FrameCounts()
    /// Of the file.
    package var bytes: UInt64 = 0
    /// Of the first frame, in the recording's time.
    package var start: MediaTime = 0
    package var durationMilliseconds: Int64 = 0
    /// Of the first picture; 0 for sound.
    package var width = 0
    package var height = 0
    /// Of sound: filled in for what was lost or silent, and left out because it came twice.
    package var concealedSamples: Int64 = 0
    package var overlappingPackets = 0

    package init() {}
}

package struct TrackExport {
    private let job: TrackJob
    private var depacketizer: Depacketizer
    /// One of the two, from the first frame on.
    private var ogg: OggOpusWriter?
    private var matroska: MatroskaWriter?
    private var frames: [EncodedFrame] = []
    private var summary = TrackSummary()
    /// Keyframes of which no header can be made.
    private var unusable = 0

    package init(_ job: TrackJob) {
        self.job = job
        depacketizer = Depacketizer(job.track.codec, parameterSets: job.parameterSets)
    }

    /// Appends to `output` what can be written.
    package mutating func add(_ packet: TimedPacket, into output: inout Bytes) {
        depacketizer.add(packet, into: &frames)
        write(&output)
    }

    /// `nil` when there was no frame: there is no file then. `output` is appended before the patches are made.
    package mutating func finish(into output: inout Bytes) -> (TrackSummary, [MuxPatch])? {
        depacketizer.finish(into: &frames)
        write(&output)
        guard isBegun else { return nil }
        ogg?.finish()
        let patches = matroska?.finish() ?? []
        move(to: &output)
        summary.durationMilliseconds = ogg?.duration ?? matroska?.duration ?? 0
        summary.concealedSamples = ogg?.concealedSamples ?? 0
        summary.overlappingPackets = ogg?.overlapping ?? 0
        summary.counts = depacketizer.counts
        summary.counts.droppedFrames += unusable
        summary.counts.frames -= unusable
        return (summary, patches)
    }

    private var isBegun: Bool { ogg != nil || matroska != nil }

    private mutating func write(_ output: inout Bytes) {
        for index in frames.indices {
            guard isBegun || begin(frames[index]) else {
                unusable += 1
                continue
            }
            frames[index].time = max(0, frames[index].time - summary.start)
            ogg?.add(frames[index])
            matroska?.add(frames[index])
        }
        frames.removeAll(keepingCapacity: true)
        move(to: &output)
    }

    private mutating func move(to output: inout Bytes) {
        let before = output.count
        ogg?.moveOutput(to: &output)
        matroska?.moveOutput(to: &output)
        summary.bytes += UInt64(output.count - before)
    }

    private mutating func begin(_ frame: EncodedFrame) -> Bool {
        var track = job.track
        track.date = track.date + .nanoseconds(frame.time)
        switch track.codec {
        case .opus: ogg = OggOpusWriter(track)
        default:
            guard let writer = MatroskaWriter(track, first: frame, parameterSets: depacketizer.parameterSets) else {
                return false
            }
            matroska = writer
        }
        summary.start = frame.time
        summary.width = frame.size?.width ?? 0
        summary.height = frame.size?.height ?? 0
        return true
    }
}
