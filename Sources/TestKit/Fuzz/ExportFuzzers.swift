// The fuzzers of recordings that become files: what codecs made, and what clocks say.

import Base
import Recorder

extension Fuzzers {
    package static let exports = [Fuzzer("export-frames", fuzzFrames), Fuzzer("export-clocks", fuzzClocks)]
}

/// `codec 1`, then packets: `flags 1 | timestamp's difference 1 | length 2 | payload`. Bits of the flags: 0 marker,
/// 1 a hole before it, 2 another stream, 3 before the one before.
private func fuzzFrames(_ bytes: Bytes) {
    guard let first = bytes.first, let codec = RecordedCodec(rawValue: first % 6 + 1) else { return }
    let track = MuxedTrack(codec: codec, uid: 1, name: "fuzz", date: Timestamp(secondsSinceEpoch: 0))
    var export = TrackExport(TrackJob(track: track))
    var output: Bytes = []
    var packet = TimedPacket(
        stream: 0, sequence: 1_000, timestamp: 0, marker: false, arrival: 0, time: 0, payload: [])
    var offset = 1
    var payloads = 0
    while offset + 4 <= bytes.count {
        let flags = bytes[offset]
        let length = Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
        let end = min(bytes.count, offset + 4 + length)
        packet.marker = flags & 1 != 0
        packet.sequence &+= flags & 2 != 0 ? 2 : 1
        if flags & 4 != 0 { packet.stream &+= 1 }
        if flags & 8 != 0 { packet.sequence &-= 3 }
        packet.timestamp &+= UInt32(bytes[offset + 1])
        packet.time &+= Int64(bytes[offset + 1]) &* 1_000_000 &- (flags & 16 != 0 ? 50_000_000 : 0)
        packet.arrival &+= 20_000_000
        packet.payload = Bytes(bytes[(offset + 4)..<end])
        payloads += packet.payload.count
        export.add(packet, into: &output)
        offset = end
    }
    guard let (summary, patches) = export.finish(into: &output) else {
        return promise(output.isEmpty, "without a frame there is no file")
    }
    promise(summary.bytes == UInt64(output.count), "the file's length is told")
    for patch in patches {
        promise(Int(patch.offset) + patch.bytes.count <= output.count, "only what was written is written over")
    }
    let magic: Bytes = codec == .opus ? Bytes("OggS".utf8) : [0x1A, 0x45, 0xDF, 0xA3]
    promise(output.starts(with: magic), "a file begins as its format does")
    promise(summary.durationMilliseconds >= 0 && summary.counts.frames > 0, "a file has a frame and a length")
    // Heads of pages, blocks and clusters, and what conceals gaps; parameter sets go before every keyframe.
    let besides = codec == .h264 || codec == .h265 ? 1 << 18 : 512
    promise(output.count < 8_192 + 4 * payloads + besides * summary.counts.packets, "a file is as long as its media")
}

/// Packets and reports of 20 bytes each: `kind 1 | stream 1 | sequence 2 | arrival 4 | timestamp 4 | NTP time 8`.
private func fuzzClocks(_ bytes: Bytes) {
    var survey = RecordingSurvey()
    let participant = UUID(high: 1, low: 1)
    var entries: [RecordedPacket] = []
    func number(_ offset: Int, _ count: Int) -> UInt64 {
        bytes[offset..<(offset + count)].reduce(0) { $0 << 8 | UInt64($1) }
    }
    do throws(ExportError) {
        let rate = bytes.first.map { UInt32($0) &* 1_000 } ?? 0
        try survey.note(
            .began(
                RecordedTrack(
                    id: 1, participant: participant, source: .camera, codecName: "VP8", codec: .vp8, clockRate: rate)))
        for offset in stride(from: 1, to: bytes.count - 20, by: 20) {
            let stream = UInt16(bytes[offset + 1] & 1)
            let timestamp = UInt32(truncatingIfNeeded: number(offset + 8, 4))
            // As a journal has them: microseconds, below 2^53.
            let arrival = Int64(number(offset + 4, 4) << (bytes[offset] & 16 != 0 ? 20 : 4)) &* 1_000
            if bytes[offset] & 1 == 0 {
                let packet = RecordedPacket(
                    track: 1, stream: stream, sequence: number(offset + 2, 2), timestamp: timestamp, marker: true,
                    arrival: arrival, payload: [])
                entries.append(packet)
                try survey.note(.packet(packet))
            } else {
                try survey.note(
                    .report(
                        RecordedReport(
                            track: 1, stream: stream, ntpTime: number(offset + 12, 8), timestamp: timestamp,
                            arrival: arrival)))
            }
        }
    } catch {
        return
    }
    survey.finish()
    guard let clock = survey.clocks()[1] else { return promise(false, "a track that began has a clock") }
    for packet in entries {
        let time = clock.time(of: packet)
        promise(time >= 0 && time <= max(0, packet.arrival), "nothing is later than it came")
    }
}
