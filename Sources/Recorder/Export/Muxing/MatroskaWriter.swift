// One track as WebM or Matroska (RFC 9559): docs/formats/exports.md has the layout.
//
// Owns no file. What `moveOutput` gives is appended, `finish` gives what is written over the beginning: sizes,
// duration, the places of index and cues. A file that was not finished plays from its beginning: until then its size is
// unknown and its index a void. Each cluster is written when it is whole.

package import Base
import Wire

package struct MatroskaWriter {
    /// Milliseconds; a block says how far behind its cluster it is in 16 bits with a sign.
    static let clusterTimeMax: Int64 = 5_000
    /// A cluster is kept in memory until it is whole; a larger frame has one of its own.
    static let clusterBytesMax = 2 << 20
    /// Cues are that far apart, or there would be more of them than picture in a recording of keyframes alone.
    static let cueDistance: Int64 = 1_000
    /// The last picture is shown that long, when nothing says how long: there was no other.
    static let lastFrameDefault: Int64 = 33
    /// Decoders of Opus settle within that (RFC 7845 §4.6).
    static let opusPreRoll: UInt64 = 80_000_000

    private struct Cue {
        var time: Int64
        var position: UInt64
    }

    private var output: Bytes = []

    private let track: MuxedTrack
    private var written: UInt64 = 0
    private var segmentSizeOffset = 0
    private var segmentStart: UInt64 = 0
    private var seekHeadOffset: UInt64 = 0
    private var infoPosition: UInt64 = 0
    private var tracksPosition: UInt64 = 0
    private var durationOffset: UInt64 = 0
    private var cues: [Cue] = []

    private var blocks: Bytes = []
    private var clusterTime: Int64 = 0
    private var clusterHasKeyframe = false
    private var previousClusterSize = 0
    private var lastTime: Int64 = 0
    private var lastStep: Int64 = MatroskaWriter.lastFrameDefault
    private var isEmpty = true

    /// `nil` when the first frame lacks what the header must say: a size, or the codec's parameters.
    package init?(_ track: MuxedTrack, first: EncodedFrame, parameterSets: [Bytes] = []) {
        self.track = track
        guard let entry = Self.entry(track, first, parameterSets) else { return nil }
        writeHead(entry)
    }

    // MARK: Head

    static func docType(_ codec: RecordedCodec) -> String {
        switch codec {
        case .opus, .vp8, .vp9, .av1: "webm"
        case .h264, .h265: "matroska"
        }
    }

    private static func codecID(_ codec: RecordedCodec) -> String {
        switch codec {
        case .opus: "A_OPUS"
        case .vp8: "V_VP8"
        case .vp9: "V_VP9"
        case .av1: "V_AV1"
        case .h264: "V_MPEG4/ISO/AVC"
        case .h265: "V_MPEGH/ISO/HEVC"
        }
    }

    private static func entry(_ track: MuxedTrack, _ first: EncodedFrame, _ sets: [Bytes]) -> Bytes? {
        var body = EBML.unsigned(MatroskaID.trackNumber, 1)
        body += EBML.unsigned(MatroskaID.trackUID, max(track.uid, 1))
        body += EBML.unsigned(MatroskaID.trackType, track.codec.isVideo ? 1 : 2)
        body += EBML.unsigned(MatroskaID.flagLacing, 0)
        if !track.name.isEmpty { body += EBML.text(MatroskaID.name, track.name) }
        body += EBML.text(MatroskaID.language, "und")
        body += EBML.text(MatroskaID.codecID, codecID(track.codec))
        let parameters: Bytes?
        switch track.codec {
        case .opus: parameters = OpusHead.bytes
        case .vp8, .vp9: parameters = []
        case .av1: parameters = AV1SequenceHeader.configuration(first.bytes)
        case .h264: parameters = ParameterSets.configuration(.h264, sets)
        case .h265: parameters = ParameterSets.configuration(.h265, sets)
        }
        guard let parameters else { return nil }
        if !parameters.isEmpty { body += EBML.element(MatroskaID.codecPrivate, parameters) }
        if track.codec.isVideo {
            guard let size = first.size else { return nil }
            let video =
                EBML.unsigned(MatroskaID.pixelWidth, UInt64(size.width))
                + EBML.unsigned(MatroskaID.pixelHeight, UInt64(size.height))
            body += EBML.element(MatroskaID.video, video)
        } else {
            body += EBML.unsigned(MatroskaID.codecDelay, OpusHead.preSkipNanoseconds)
            body += EBML.unsigned(MatroskaID.seekPreRoll, opusPreRoll)
            let audio =
                EBML.float(MatroskaID.samplingFrequency, 48_000)
                + EBML.unsigned(MatroskaID.channels, UInt64(OpusHead.channels))
            body += EBML.element(MatroskaID.audio, audio)
        }
        return EBML.element(MatroskaID.trackEntry, body)
    }

    private mutating func writeHead(_ entry: Bytes) {
        var head = EBML.unsigned(MatroskaID.ebmlVersion, 1) + EBML.unsigned(MatroskaID.ebmlReadVersion, 1)
        head += EBML.unsigned(MatroskaID.ebmlMaxIDLength, 4) + EBML.unsigned(MatroskaID.ebmlMaxSizeLength, 8)
        head += EBML.text(MatroskaID.docType, Self.docType(track.codec))
        head += EBML.unsigned(MatroskaID.docTypeVersion, 4) + EBML.unsigned(MatroskaID.docTypeReadVersion, 2)
        emit(EBML.element(MatroskaID.ebml, head))
        emit(EBML.id(MatroskaID.segment))
        segmentSizeOffset = Int(written)
        var size: Bytes = []
        size.append(bigEndian: EBML.unknownSize)
        emit(size)
        segmentStart = written
        seekHeadOffset = written
        emit(EBML.void(seekHead(cues: 0).count))
        infoPosition = position
        emitInfo()
        tracksPosition = position
        emit(EBML.element(MatroskaID.tracks, entry))
    }

    private mutating func emitInfo() {
        var body = EBML.unsigned(MatroskaID.timestampScale, 1_000_000)
        body += EBML.text(MatroskaID.muxingApp, "PlexiChat") + EBML.text(MatroskaID.writingApp, "PlexiChat")
        // Nanoseconds since 2001.
        let since = track.date.microsecondsSinceEpoch &- 978_307_200_000_000
        body += EBML.signed(MatroskaID.dateUTC, since.multipliedReportingOverflow(by: 1_000).partialValue)
        // Last, so that what is written over lies at a place that is easily told.
        body += EBML.float(MatroskaID.duration, 0)
        emit(EBML.element(MatroskaID.info, body))
        durationOffset = written - 8
    }

    /// Always of the same length.
    private func seekHead(cues: UInt64) -> Bytes {
        let places = [(MatroskaID.info, infoPosition), (MatroskaID.tracks, tracksPosition), (MatroskaID.cues, cues)]
        var body: Bytes = []
        for (id, position) in places {
            let seek =
                EBML.element(MatroskaID.seekID, EBML.id(id))
                + EBML.wideUnsigned(MatroskaID.seekPosition, position)
            body += EBML.element(MatroskaID.seek, seek)
        }
        return EBML.element(MatroskaID.seekHead, body)
    }

    private mutating func emit(_ bytes: Bytes) {
        output += bytes
        written += UInt64(bytes.count)
    }

    /// Within the segment, as seek heads and cues count.
    private var position: UInt64 { written - segmentStart }

    // MARK: Frames

    /// `frame.time` is the file's: the first one's is 0. Frames come in order.
    package mutating func add(_ frame: EncodedFrame) {
        let time = max((frame.time + 500_000) / 1_000_000, isEmpty ? 0 : lastTime)
        if !isEmpty && time > lastTime { lastStep = time - lastTime }
        let startsCluster =
            !isEmpty
            && (time - clusterTime > Self.clusterTimeMax || blocks.count + frame.bytes.count > Self.clusterBytesMax
                || (track.codec.isVideo && frame.isKeyframe && isDue(time)))
        if startsCluster { closeCluster() }
        if blocks.isEmpty {
            clusterTime = time
            // A cue points where one can begin: at a keyframe that begins a cluster.
            clusterHasKeyframe = frame.isKeyframe
        }
        blocks += EBML.id(MatroskaID.simpleBlock) + EBML.size(frame.bytes.count + 4)
        blocks.append(0x81)
        blocks.append(bigEndian: UInt16(truncatingIfNeeded: time - clusterTime))
        blocks.append(frame.isKeyframe ? 0x80 : 0)
        blocks += frame.bytes
        lastTime = time
        isEmpty = false
        if track.codec == .opus { lastStep = Int64(frame.samples) / 48 }
    }

    /// Whether a keyframe begins a cluster.
    private func isDue(_ time: Int64) -> Bool { !clusterHasKeyframe || time - clusterTime >= Self.cueDistance }

    private mutating func closeCluster() {
        guard !blocks.isEmpty else { return }
        if clusterHasKeyframe, cues.last.map({ clusterTime - $0.time >= Self.cueDistance }) ?? true {
            cues.append(Cue(time: clusterTime, position: position))
        }
        var head = EBML.unsigned(MatroskaID.timestamp, UInt64(clusterTime))
        if previousClusterSize > 0 { head += EBML.unsigned(MatroskaID.prevSize, UInt64(previousClusterSize)) }
        let start = written
        emit(EBML.id(MatroskaID.cluster) + EBML.size(head.count + blocks.count) + head)
        emit(blocks)
        previousClusterSize = Int(written - start)
        blocks.removeAll(keepingCapacity: true)
    }

    // MARK: End

    /// Milliseconds from the first frame to the end of the last.
    package var duration: Int64 { isEmpty ? 0 : lastTime + max(lastStep, 1) }

    /// What is to be appended to the file.
    package mutating func moveOutput(to bytes: inout Bytes) {
        bytes += output
        output.removeAll(keepingCapacity: true)
    }

    /// Nothing is added afterwards. What is left is moved once more; the patches are for what was written before.
    package mutating func finish() -> [MuxPatch] {
        closeCluster()
        let cuesPosition = position
        emit(EBML.element(MatroskaID.cues, cueBytes))
        var size = EBML.size(Int(written - segmentStart), width: 8)
        size = Bytes(size.suffix(8))
        var length: Bytes = []
        length.append(bigEndian: Double(duration).bitPattern)
        return [
            MuxPatch(offset: UInt64(segmentSizeOffset), bytes: size),
            MuxPatch(offset: seekHeadOffset, bytes: seekHead(cues: cuesPosition)),
            MuxPatch(offset: durationOffset, bytes: length),
        ]
    }

    private var cueBytes: Bytes {
        var body: Bytes = []
        for cue in cues {
            let place =
                EBML.unsigned(MatroskaID.cueTrack, 1)
                + EBML.unsigned(MatroskaID.cueClusterPosition, cue.position)
            body += EBML.element(
                MatroskaID.cuePoint,
                EBML.unsigned(MatroskaID.cueTime, UInt64(cue.time)) + EBML.element(MatroskaID.cueTrackPositions, place))
        }
        return body
    }
}
