import Base
import Glibc
import TestKit
import Testing

@testable import Recorder

/// A recording that was made by hand.
final class ListedEntries: RecordedEntries {
    private var rest: ArraySlice<RecordedEntry>
    private let failsAtEnd: Bool

    init(_ entries: [RecordedEntry], failsAtEnd: Bool = false) {
        rest = entries[...]
        self.failsAtEnd = failsAtEnd
    }

    func next() throws(ExportError) -> RecordedEntry? {
        if rest.isEmpty, failsAtEnd { throw .unreadable("the disk is gone") }
        return rest.popFirst()
    }
}

/// What a worker does, in the process of the tests.
final class InlineSink: TrackSink {
    private var export: TrackExport
    private var output: Bytes = []
    private let file: Int32
    private let fails: Bool

    init(_ job: TrackJob, _ file: Int32, fails: Bool = false) {
        export = TrackExport(job)
        self.file = dup(file)
        self.fails = fails
    }

    deinit { close(file) }

    func add(_ packet: TimedPacket) { export.add(packet, into: &output) }

    func finish() throws(TrackFailure) -> TrackSummary? {
        if fails { throw TrackFailure("its worker ended over what was recorded") }
        guard let (summary, patches) = export.finish(into: &output) else { return nil }
        for patch in patches {
            output.replaceSubrange(Int(patch.offset)..<(Int(patch.offset) + patch.bytes.count), with: patch.bytes)
        }
        guard write(file, output, output.count) == output.count else { throw TrackFailure("not written") }
        return summary
    }

    func cancel() {}
}

enum TestRecording {
    static let ada = UUID(high: 1, low: 1)
    static let bob = UUID(high: 2, low: 2)
    static let id = UUID(high: 3, low: 4)
    static let second: MediaTime = 1_000_000_000

    static func track(_ id: UInt32, _ participant: UUID, _ codec: RecordedCodec?, sealed: Bool = false) -> RecordedTrack
    {
        RecordedTrack(
            id: id, participant: participant, source: codec == .opus ? .microphone : .camera,
            codecName: codec.map { "\($0)" } ?? "PCMU", codec: codec, clockRate: codec == .opus ? 48_000 : 90_000,
            isSealed: sealed)
    }

    /// Sound of 20 ms a packet, 25 ms late.
    static func sound(_ track: UInt32, from start: MediaTime, count: Int) -> [RecordedEntry] {
        (0..<count).map { index in
            .packet(
                RecordedPacket(
                    track: track, sequence: UInt64(100 + index), timestamp: UInt32(index * 960), marker: false,
                    arrival: start + MediaTime(index) * 20_000_000 + 25_000_000, payload: [0x78, 1, 2]))
        }
    }

    /// Pictures of 40 ms, with a keyframe each second.
    static func pictures(_ track: UInt32, from start: MediaTime, count: Int) -> [RecordedEntry] {
        let frames = MediaFiles.ivf("ivf-vp8_correct.ivf")
        var packetizer = Packetizer()
        for index in 0..<count {
            packetizer.addVP8(
                frames[index % 25], timestamp: UInt32(index * 3_600), time: start + MediaTime(index) * 40_000_000)
        }
        return packetizer.packets.map { packet in
            .packet(
                RecordedPacket(
                    track: track, sequence: packet.sequence, timestamp: packet.timestamp, marker: packet.marker,
                    arrival: packet.arrival + 30_000_000, payload: packet.payload))
        }
    }

    /// Ada speaks and is seen; Bob joins ten seconds later.
    static var call: [RecordedEntry] {
        var entries: [RecordedEntry] = [
            .participant(ada, name: "Ada"), .participant(bob, name: "../../Bob"),
            .began(track(1, ada, .opus)), .began(track(2, ada, .vp8)), .speaker(ada, at: 0),
        ]
        entries += sound(1, from: 0, count: 1_000) + pictures(2, from: 0, count: 500)
        entries.append(.began(track(3, bob, .opus)))
        entries += sound(3, from: 10 * second, count: 500)
        return entries + [.finished(at: 20 * second)]
    }
}

@Suite struct RecordingExporterTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var options: ExportOptions {
        ExportOptions(
            folder: folder.path + "/export", recording: TestRecording.id, started: Timestamp(secondsSinceEpoch: 1_000))
    }

    private func export(
        _ entries: [RecordedEntry], failing: Set<RecordedCodec> = []
    ) throws -> ExportManifest {
        var exporter = RecordingExporter(options) { (job, file, _) throws(ExportError) in
            InlineSink(job, file, fails: failing.contains(job.track.codec))
        } open: { () throws(ExportError) in
            ListedEntries(entries)
        }
        return try exporter.export()
    }

    private func read(_ name: String) -> Bytes { MediaFiles.contents(folder.path + "/export/" + name) }

    @Test func `a call becomes a file for each track, who spoke when, and a manifest`() throws {
        let manifest = try export(TestRecording.call)
        #expect(
            folder.entries(of: "export") == [
                "manifest.json", "speakers.vtt", "track-0001-microphone.ogg", "track-0002-camera.webm",
                "track-0003-microphone.ogg",
            ])
        #expect(manifest.isComplete && manifest.omissions.isEmpty && manifest.durationMilliseconds == 20_005)
        let sound = try OggReader(read("track-0001-microphone.ogg"))
        try sound.checkGranules()
        #expect(sound.sound.count == 1_000)
        let pictures = try MatroskaReader(read("track-0002-camera.webm"))
        try pictures.checkIndex()
        #expect(try pictures.blocks().count == 500 && pictures.float("Info/Duration") == 20_000)
        #expect(pictures.text("Tracks/TrackEntry/Name") == "Ada, camera")
        // Bob's first packet, 25 ms after it was made; the clock knows no better.
        #expect(abs(manifest.files[2].summary.start - 10_025_000_000) < 1_000_000)
        #expect(manifest.files.map(\.summary.bytes) == manifest.files.map { UInt64(read($0.name).count) })
        #expect(String(decoding: read("speakers.vtt"), as: UTF8.self).contains("<v Ada>Ada"))
        let json = String(decoding: read("manifest.json"), as: UTF8.self)
        #expect(json.contains("\"starts_at_ms\":10025") && json.contains("\"complete\":true"))
    }

    @Test func `nothing of who withdrew is there, and what they sent after agreeing again is`() throws {
        var entries = Array(TestRecording.call.dropLast())
        entries.append(.speaker(TestRecording.bob, at: 11 * TestRecording.second))
        entries.append(.withdrew(TestRecording.bob, at: 15 * TestRecording.second))
        entries.append(.began(TestRecording.track(4, TestRecording.bob, .opus)))
        entries += TestRecording.sound(4, from: 20 * TestRecording.second, count: 50)
        let manifest = try export(entries)
        #expect(manifest.files.map(\.track.id) == [1, 2, 4])
        #expect(manifest.omissions.map(\.reason) == [.withdrawn] && !manifest.isComplete)
        #expect(!String(decoding: read("speakers.vtt"), as: UTF8.self).contains("Bob"))
    }

    @Test func `what cannot be exported is said, and why`() throws {
        var entries: [RecordedEntry] = [
            .began(TestRecording.track(1, TestRecording.ada, .opus)),
            .began(TestRecording.track(2, TestRecording.ada, .vp8, sealed: true)),
            .began(TestRecording.track(3, TestRecording.ada, nil)),
            .began(TestRecording.track(4, TestRecording.ada, .vp9)),
        ]
        for track: UInt32 in [2, 3, 4] { entries += TestRecording.sound(track, from: 0, count: 3) }
        let manifest = try export(entries)
        #expect(manifest.files.isEmpty)
        #expect(manifest.omissions.map(\.reason) == [.empty, .sealed, .codec, .empty])
        #expect(folder.entries(of: "export") == ["manifest.json", "speakers.vtt"])
    }

    @Test func `a track that fails leaves the others, and is tried again alone`() throws {
        let first = try export(TestRecording.call, failing: [.vp8])
        #expect(first.failures.map(\.track.id) == [2] && first.files.map(\.track.id) == [1, 3])
        #expect(!folder.entries(of: "export").contains { $0.contains("camera") })
        // Sound that was written is not written again: now it would fail.
        let second = try export(TestRecording.call, failing: [.opus])
        #expect(second.failures.isEmpty && second.files.map(\.track.id) == [1, 2, 3])
        #expect(second.files[0].summary == first.files[0].summary)
        #expect(!folder.entries(of: "export").contains { $0.hasPrefix(".") })
    }

    @Test func `a finished track that was changed, or of another recording, is written again`() throws {
        _ = try export(TestRecording.call, failing: [.vp8])
        let path = folder.path + "/export/track-0001-microphone.ogg"
        #expect(truncate(path, 10) == 0)
        let manifest = try export(TestRecording.call)
        #expect(manifest.failures.isEmpty && read("track-0001-microphone.ogg").count > 1_000)
    }

    @Test func `an export that is not wanted any more stops, and leaves nothing half`() throws {
        var asked = 0
        let entries = TestRecording.call + TestRecording.sound(1, from: 30 * TestRecording.second, count: 20_000)
        var exporter = RecordingExporter(
            options, report: { _ in },
            isCancelled: {
                asked += 1
                return asked > 7
            }, open: { () throws(ExportError) in ListedEntries(entries) })
        exporter.use { (job, file, _) throws(ExportError) in InlineSink(job, file) }
        #expect(throws: ExportError.cancelled) { try exporter.export() }
        #expect(folder.entries(of: "export").isEmpty)
    }

    @Test func `two exports do not write into one folder`() throws {
        let held = try ExportFolder(options.folder)
        #expect(throws: ExportError.self) { try export(TestRecording.call) }
        withExtendedLifetime(held) {}
    }

    @Test func `a recording that cannot be read to its end says so`() throws {
        var exporter = RecordingExporter(options) { (job, file, _) throws(ExportError) in
            InlineSink(job, file)
        } open: { () throws(ExportError) in
            ListedEntries(TestRecording.call, failsAtEnd: true)
        }
        #expect(throws: ExportError.unreadable("the disk is gone")) { try exporter.export() }
    }

    @Test func `twenty tracks are written in two passes`() throws {
        var entries: [RecordedEntry] = []
        for track: UInt32 in 1...20 {
            entries.append(.began(TestRecording.track(track, TestRecording.ada, .opus)))
            entries += TestRecording.sound(track, from: 0, count: 10)
        }
        #expect(try export(entries).files.count == 20)
    }
}

/// With the program itself, in its sandbox.
@Suite(.serialized, .enabled(if: RecordingWorkers.real != nil, "plexichat is not built beside the tests"))
struct RecordingWorkerTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func options(_ change: (inout ExportWorkerOptions) -> Void = { _ in }) -> ExportOptions {
        var workers = ExportWorkerOptions(program: RecordingWorkers.real ?? "", startTime: .seconds(30))
        change(&workers)
        return ExportOptions(
            folder: folder.path + "/export", recording: TestRecording.id, started: Timestamp(secondsSinceEpoch: 0),
            workers: workers)
    }

    @Test func `workers in their sandbox write what is written without`() throws {
        var exporter = RecordingExporter(options()) { () throws(ExportError) in ListedEntries(TestRecording.call) }
        let manifest = try exporter.export()
        let other = try TemporaryFolder()
        var inline = options()
        inline.folder = other.path + "/export"
        var second = RecordingExporter(inline) { (job, file, _) throws(ExportError) in
            InlineSink(job, file)
        } open: { () throws(ExportError) in
            ListedEntries(TestRecording.call)
        }
        #expect(try second.export() == manifest)
        for file in manifest.files {
            let (one, two) = (
                MediaFiles.contents("\(folder.path)/export/\(file.name)"),
                MediaFiles.contents("\(other.path)/export/\(file.name)")
            )
            #expect(!one.isEmpty && one == two)
        }
    }

    @Test func `a program that is no worker is told from a track that fails`() {
        for program in ["/nonexistent", "/bin/true"] {
            var exporter = RecordingExporter(
                options {
                    $0.program = program
                    $0.startTime = .seconds(2)
                }
            ) { () throws(ExportError) in ListedEntries(TestRecording.call) }
            #expect(throws: ExportError.self) { try exporter.export() }
        }
    }

    @Test func `a worker that ends over its track costs that track`() throws {
        // Says that it is ready, takes a little, and is gone.
        let ready = ExportReply(.ready).bytes.map { "\\" + String($0 >> 6) + String($0 >> 3 & 7) + String($0 & 7) }
        var exporter = RecordingExporter(
            options {
                $0.program = "/bin/sh"
                $0.arguments = ["sh", "-c", "printf '\(ready.joined())' >&3; dd bs=100 count=1 <&3 >/dev/null 2>&1"]
            }
        ) { () throws(ExportError) in ListedEntries(TestRecording.call) }
        let manifest = try exporter.export()
        #expect(manifest.files.isEmpty && manifest.failures.count == 3)
    }
}

enum RecordingWorkers {
    /// `plexichat`, beside the tests or where `PLEXI_BINARY` says.
    static let real: String? = {
        if let named = getenv("PLEXI_BINARY") { return String(cString: named) }
        var room = Array(repeating: CChar(0), count: 4_096)
        let count = readlink("/proc/self/exe", &room, room.count - 1)
        guard count > 0 else { return nil }
        let own = String(decoding: room[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = own.lastIndex(of: "/") else { return nil }
        let path = own[..<slash] + "/plexichat"
        return access(String(path), X_OK) == 0 ? String(path) : nil
    }()
}
