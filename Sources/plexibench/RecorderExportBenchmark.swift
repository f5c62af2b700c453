// How fast a recording becomes files: each track against the time that it lasted.
//
// A call of ten minutes is made up while it is read: pictures of VP8 (1.5 Mbit/s, 30 a second, a keyframe each ten
// seconds, one packet in ten thousand missing) or sound of Opus (50 packets a second), with sender reports. Workers are
// real ones, in their sandbox. `--minutes N` and `--tracks N` change what is written.

import Base
import Glibc
import Recorder

func benchmarkRecorderExport() {
    let minutes = Arguments.integer("minutes", default: 10)
    measureExport("VP8", codec: .vp8, tracks: 1, minutes: minutes)
    measureExport("Opus", codec: .opus, tracks: 1, minutes: minutes)
    let tracks = Arguments.integer("tracks", default: 4)
    measureExport("VP8, \(tracks) tracks at once,", codec: .vp8, tracks: tracks, minutes: minutes)
}

private func measureExport(_ name: String, codec: RecordedCodec, tracks: Int, minutes: Int) {
    var template = Array("/tmp/plexibench-export-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
        print("plexibench: no folder in /tmp")
        exit(1)
    }
    let folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    let options = ExportOptions(
        folder: folder, recording: UUID(high: 1, low: 1), started: Timestamp.now(),
        workers: ExportWorkerOptions(arguments: ["plexibench", RecordingWorkerMain.command]))
    var exporter = RecordingExporter(options) { () throws(ExportError) in
        MadeUpCall(codec, tracks: tracks, seconds: minutes * 60)
    }
    let start = Instant.now()
    do throws(ExportError) {
        let manifest = try exporter.export()
        let taken = (Instant.now() - start).inSeconds
        let bytes = manifest.files.reduce(0) { $0 + $1.summary.bytes }
        let speed = Int(Double(minutes * 60 * tracks) / taken)
        print("\(name) \(speed) times real time per track: \(minutes) min, \(bytes / 1_000_000) MB in \(taken) s")
        for file in manifest.files { unlink("\(folder)/\(file.name)") }
    } catch {
        print("plexibench: \(error)")
        exit(1)
    }
    for name in [RecordingExporter.manifestName, RecordingExporter.speakersName] { unlink("\(folder)/\(name)") }
    rmdir(folder)
}

private final class MadeUpCall: RecordedEntries {
    private let codec: RecordedCodec
    private let tracks: Int
    private let ticks: Int
    private var tick = 0
    private var waiting: [RecordedEntry] = []
    private var sequence: UInt64 = 1

    init(_ codec: RecordedCodec, tracks: Int, seconds: Int) {
        self.codec = codec
        self.tracks = tracks
        ticks = seconds * (codec.isVideo ? 30 : 50)
        for id in 1...UInt32(tracks) {
            let track = RecordedTrack(
                id: id, participant: UUID(high: 2, low: UInt64(id)), source: codec.isVideo ? .camera : .microphone,
                codecName: "\(codec)", codec: codec, clockRate: codec.isVideo ? 90_000 : 48_000)
            waiting.append(.began(track))
        }
    }

    func next() throws(ExportError) -> RecordedEntry? {
        while waiting.isEmpty {
            guard tick < ticks else { return nil }
            make()
        }
        return waiting.removeLast()
    }

    private func make() {
        let time = Int64(tick) * (codec.isVideo ? 33_333_333 : 20_000_000)
        let timestamp = UInt32(truncatingIfNeeded: tick &* (codec.isVideo ? 3_000 : 960))
        for id in 1...UInt32(tracks) {
            if codec.isVideo { picture(id, timestamp, time) } else { sound(id, timestamp, time) }
            if tick % 100 == 50 {
                let ntp =
                    (3_990_000_000 + UInt64(time / 1_000_000_000)) << 32
                    | UInt64(time % 1_000_000_000) << 32 / 1_000_000_000
                waiting.append(
                    .report(RecordedReport(track: id, ntpTime: ntp, timestamp: timestamp, arrival: time + 20_000_000)))
            }
        }
        // Taken from the end.
        waiting.reverse()
        tick += 1
        sequence += codec.isVideo ? 6 : 1
    }

    private static let keyframe: Bytes = [0x10, 0x50, 0x1D, 0, 0x9D, 1, 0x2A, 0x80, 2, 0x68, 1]

    /// Six packets of 1,040 bytes each 33 ms: 1.5 Mbit/s.
    private func picture(_ track: UInt32, _ timestamp: UInt32, _ time: Int64) {
        for index in 0..<6 {
            if tick % 1_670 == 1_669, index == 3 { continue }
            var payload: Bytes = index == 0 ? [0x10, 0x51] : [0x00]
            if index == 0, tick % 300 == 0 { payload = Self.keyframe }
            payload += Bytes(repeating: UInt8(truncatingIfNeeded: tick), count: 1_040 - payload.count)
            add(track, sequence + UInt64(index), timestamp, index == 5, time, payload)
        }
    }

    private func sound(_ track: UInt32, _ timestamp: UInt32, _ time: Int64) {
        add(
            track, sequence, timestamp, false, time,
            [0x78] + Bytes(repeating: UInt8(truncatingIfNeeded: tick), count: 80))
    }

    private func add(
        _ track: UInt32, _ sequence: UInt64, _ timestamp: UInt32, _ marker: Bool, _ time: Int64, _ payload: Bytes
    ) {
        waiting.append(
            .packet(
                RecordedPacket(
                    track: track, sequence: sequence, timestamp: timestamp, marker: marker,
                    arrival: time + 15_000_000 + Int64(sequence % 7) * 1_000_000, payload: payload)))
    }
}
