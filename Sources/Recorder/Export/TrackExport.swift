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
    private enum Muxer {
        case none
        case ogg(OggOpusWriter)
        case matroska(MatroskaWriter)
    }

    private let job: TrackJob
    private var depacketizer: Depacketizer
    private var muxer = Muxer.none
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
        var patches: [MuxPatch] = []
        switch muxer {
        case .none: return nil
        case .ogg(var writer):
            writer.finish()
            take(&writer.output, &output)
            summary.durationMilliseconds = writer.duration
            summary.concealedSamples = writer.concealedSamples
            summary.overlappingPackets = writer.overlapping
        case .matroska(var writer):
            patches = writer.finish()
            take(&writer.output, &output)
            summary.durationMilliseconds = writer.duration
        }
        muxer = .none
        summary.counts = depacketizer.counts
        summary.counts.droppedFrames += unusable
        summary.counts.frames -= unusable
        return (summary, patches)
    }

    private mutating func write(_ output: inout Bytes) {
        for frame in frames {
            var frame = frame
            if case .none = muxer, !begin(frame) {
                unusable += 1
                continue
            }
            frame.time = max(0, frame.time - summary.start)
            // Moved out and back in, so that nothing is copied.
            let moved = muxer
            muxer = .none
            switch moved {
            case .none: break
            case .ogg(var writer):
                writer.add(frame)
                take(&writer.output, &output)
                muxer = .ogg(writer)
            case .matroska(var writer):
                writer.add(frame)
                take(&writer.output, &output)
                muxer = .matroska(writer)
            }
        }
        frames.removeAll(keepingCapacity: true)
    }

    private mutating func begin(_ frame: EncodedFrame) -> Bool {
        var track = job.track
        track.date = track.date + .nanoseconds(frame.time)
        switch track.codec {
        case .opus: muxer = .ogg(OggOpusWriter(track))
        default:
            guard let writer = MatroskaWriter(track, first: frame, parameterSets: depacketizer.parameterSets) else {
                return false
            }
            muxer = .matroska(writer)
        }
        summary.start = frame.time
        summary.width = frame.size?.width ?? 0
        summary.height = frame.size?.height ?? 0
        return true
    }

    private mutating func take(_ from: inout Bytes, _ output: inout Bytes) {
        guard !from.isEmpty else { return }
        summary.bytes += UInt64(from.count)
        output += from
        from.removeAll(keepingCapacity: true)
    }
}
