// From a recording to files: one for each track, who spoke when, and a manifest.
//
// The recording is read once to look, and once more for each sixteen tracks to write; each track is written by a worker
// of its own. It blocks: whoever calls it has a thread for it.

package import Base
import Glibc

package struct ExportProgress: Sendable, Equatable {
    package enum Phase: String, Sendable { case looking, writing }

    package var phase = Phase.looking
    /// Of the recording; while looking nobody knows how many there are.
    package var packets: UInt64 = 0
    package var packetsInAll: UInt64?
    package var tracksDone = 0
    package var tracksInAll = 0
}

package struct ExportOptions: Sendable {
    /// Made when it is not there. An export that was stopped goes on in the same one.
    package var folder: String
    package var recording: UUID
    package var started: Timestamp
    /// Who withdrew after the recording's end.
    package var withdrawn: Set<UUID>
    package var workers: ExportWorkerOptions

    package init(
        folder: String, recording: UUID, started: Timestamp, withdrawn: Set<UUID> = [],
        workers: ExportWorkerOptions = .init()
    ) {
        self.folder = folder
        self.recording = recording
        self.started = started
        self.withdrawn = withdrawn
        self.workers = workers
    }
}

package struct RecordingExporter {
    package static let speakersName = "speakers.vtt"
    package static let manifestName = "manifest.json"

    /// Between two looks at whether it is still wanted.
    static let entriesBetweenReports = 4_096

    package typealias Opening = () throws(ExportError) -> any RecordedEntries
    typealias SinkMaker = (TrackJob, Int32, ExportWorkerOptions) throws(ExportError) -> any TrackSink

    private let options: ExportOptions
    private let open: Opening
    private let report: (ExportProgress) -> Void
    private let isCancelled: () -> Bool
    private var makeSink: SinkMaker = { (job, file, options) throws(ExportError) in try TrackWorker(job, file, options)
    }
    private var progress = ExportProgress()

    /// `open` begins anew each time. `report` and `isCancelled` are called every few thousand entries, on the thread
    /// that exports.
    package init(
        _ options: ExportOptions, report: @escaping (ExportProgress) -> Void = { _ in },
        isCancelled: @escaping () -> Bool = { false }, open: @escaping Opening
    ) {
        self.options = options
        self.open = open
        self.report = report
        self.isCancelled = isCancelled
    }

    /// For tests, which look into a track without a process.
    init(_ options: ExportOptions, sinks: @escaping SinkMaker, open: @escaping Opening) {
        self.init(options, open: open)
        use(sinks)
    }

    mutating func use(_ sinks: @escaping SinkMaker) { makeSink = sinks }

    /// The manifest, which is also written. Tracks that fail are told there; what fails the whole export is thrown, and
    /// what was finished until then stays.
    package mutating func export() throws(ExportError) -> ExportManifest {
        let folder = try ExportFolder(options.folder)
        let survey = try look()
        var manifest = ExportManifest(
            recording: options.recording, started: options.started, durationMilliseconds: survey.end / 1_000_000,
            isComplete: survey.isFinished, consents: survey.consents)
        let clocks = survey.clocks()
        var plan = Plan(survey, clocks, folder, options, &manifest)
        progress = ExportProgress(
            phase: .writing, packetsInAll: survey.packets, tracksDone: manifest.files.count,
            tracksInAll: manifest.files.count + plan.waiting.count)
        report(progress)
        while let group = plan.nextGroup() { try write(group, clocks, folder, &manifest) }
        manifest.files.sort { $0.track.id < $1.track.id }
        manifest.omissions.sort { $0.track.id < $1.track.id }
        try folder.write(Bytes(survey.speakers.text.utf8), to: Self.speakersName)
        try folder.write(manifest.json, to: Self.manifestName)
        // A track that failed is tried again by the next export, which then does not write the others anew.
        if manifest.failures.isEmpty { for file in manifest.files { folder.remove(ExportFolder.note(file.name)) } }
        return manifest
    }

    private mutating func look() throws(ExportError) -> RecordingSurvey {
        let entries = try open()
        var survey = RecordingSurvey()
        var count = 0
        while let entry = try entries.next() {
            try survey.note(entry)
            count += 1
            if count % Self.entriesBetweenReports == 0 {
                progress.packets = survey.packets
                try pause()
            }
        }
        survey.finish()
        for participant in options.withdrawn { try survey.note(.withdrew(participant, at: survey.end)) }
        return survey
    }

    private func pause() throws(ExportError) {
        if isCancelled() { throw .cancelled }
        report(progress)
    }

    // MARK: Writing

    /// A track that is being written.
    private struct Writing {
        var work: Plan.Work
        var sink: any TrackSink
        var clock: TrackClock
    }

    private mutating func write(
        _ group: [Plan.Work], _ clocks: [UInt32: TrackClock], _ folder: ExportFolder, _ manifest: inout ExportManifest
    ) throws(ExportError) {
        var writing: [UInt32: Writing] = [:]
        // Whatever ends this, no worker and no half a file stays.
        defer {
            for (_, track) in writing {
                track.sink.cancel()
                folder.discard(track.work.file)
            }
        }
        for work in group {
            guard let clock = clocks[work.track.id] else { continue }
            let file = try folder.create(work.file)
            // The worker has a descriptor of its own.
            defer { close(file) }
            do throws(ExportError) {
                let sink = try makeSink(work.job, file, options.workers)
                writing[work.track.id] = Writing(work: work, sink: sink, clock: clock)
            } catch {
                folder.discard(work.file)
                throw error
            }
        }
        try feed(&writing)
        for work in group {
            guard let track = writing.removeValue(forKey: work.track.id) else { continue }
            finish(track, folder, &manifest)
            progress.tracksDone += 1
            report(progress)
        }
    }

    private mutating func feed(_ writing: inout [UInt32: Writing]) throws(ExportError) {
        let entries = try open()
        var count = 0
        progress.packets = 0
        while let entry = try entries.next() {
            count += 1
            if count % Self.entriesBetweenReports == 0 { try pause() }
            guard case .packet(let packet) = entry else { continue }
            progress.packets &+= 1
            guard let track = writing[packet.track] else { continue }
            track.sink.add(TimedPacket(packet, time: track.clock.time(of: packet)))
        }
    }

    private func finish(_ track: Writing, _ folder: ExportFolder, _ manifest: inout ExportManifest) {
        let work = track.work
        do throws(TrackFailure) {
            guard let summary = try track.sink.finish() else {
                folder.discard(work.file)
                return manifest.omissions.append(.init(track: work.track, reason: .empty))
            }
            try keep(work, summary, track.clock, folder, &manifest)
        } catch {
            folder.discard(work.file)
            manifest.omissions.append(.init(track: work.track, reason: .failed, detail: error.description))
        }
    }

    private func keep(
        _ work: Plan.Work, _ summary: TrackSummary, _ clock: TrackClock, _ folder: ExportFolder,
        _ manifest: inout ExportManifest
    ) throws(TrackFailure) {
        do throws(ExportError) {
            try folder.keep(track: work.file, summary, of: options.recording)
        } catch {
            throw TrackFailure(error.description)
        }
        manifest.files.append(work.entry(summary, clock))
    }
}

/// Which tracks become files, and which do not.
private struct Plan {
    struct Work {
        var track: RecordedTrack
        var name: String
        var lost: UInt64
        var file: String
        var job: TrackJob

        func entry(_ summary: TrackSummary, _ clock: TrackClock) -> ExportManifest.File {
            ExportManifest.File(
                name: file, track: track, participantName: name, clock: clock.hasReports ? .reports : .arrivals,
                summary: summary, lostPackets: lost)
        }
    }

    private(set) var waiting: [Work] = []

    /// What is left out, and what is finished already, goes to the manifest.
    init(
        _ survey: RecordingSurvey, _ clocks: [UInt32: TrackClock], _ folder: ExportFolder, _ options: ExportOptions,
        _ manifest: inout ExportManifest
    ) {
        for id in survey.order {
            guard let seen = survey.tracks[id] else { continue }
            if let reason = Self.reason(seen) {
                manifest.omissions.append(.init(track: seen.track, reason: reason))
                continue
            }
            guard let codec = seen.track.codec, let clock = clocks[id] else { continue }
            let work = Self.work(seen, codec, survey.names[seen.track.participant] ?? "", options)
            if let summary = folder.finished(track: work.file, of: options.recording) {
                manifest.files.append(work.entry(summary, clock))
            } else {
                waiting.append(work)
            }
        }
    }

    private static func reason(_ seen: RecordingSurvey.Track) -> ExportManifest.Reason? {
        if seen.isWithdrawn { return .withdrawn }
        if seen.track.isSealed { return .sealed }
        if seen.track.codec == nil { return .codec }
        return seen.packets == 0 ? .empty : nil
    }

    private static func work(
        _ seen: RecordingSurvey.Track, _ codec: RecordedCodec, _ name: String, _ options: ExportOptions
    ) -> Work {
        let track = seen.track
        // Nothing of it comes from a person: names are in the manifest, and in the file's own header.
        let file = "track-\(track.label)-\(track.source.rawValue).\(fileExtension(codec))"
        let title = [name, track.source.rawValue].filter { !$0.isEmpty }.joined(separator: ", ")
        let uid = (options.recording.low ^ options.recording.high) &+ UInt64(track.id)
        let muxed = MuxedTrack(codec: codec, uid: max(uid, 1), name: title, date: options.started)
        return Work(
            track: track, name: name, lost: seen.lost, file: file,
            job: TrackJob(track: muxed, parameterSets: track.parameterSets))
    }

    private static func fileExtension(_ codec: RecordedCodec) -> String {
        switch codec {
        case .opus: "ogg"
        case .vp8, .vp9, .av1: "webm"
        case .h264, .h265: "mkv"
        }
    }

    mutating func nextGroup() -> [Work]? {
        guard !waiting.isEmpty else { return nil }
        let group = Array(waiting.prefix(ExportLimits.tracksAtOnce))
        waiting.removeFirst(group.count)
        return group
    }
}
