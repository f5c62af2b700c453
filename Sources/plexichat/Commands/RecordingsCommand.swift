// `plexichat recordings …`: what the commands say and ask. The work is Recorder's.

import Accounts
import Base
import Configuration
import Glibc
import Recorder
import Signaling
import Vault

enum RecordingsCommand {
    @Sendable static func list(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (session) async throws(CommandFailure) in
            var isEmpty = true
            for id in try session.all() {
                isEmpty = false
                do throws(JournalError) {
                    let summary = try session.folder(id).summary()
                    let end = summary.end.map { "\($0.time.microseconds / 1_000_000) s, \($0.totals.packets) packets" }
                    invocation.output.line("\(id)  \(summary.started.rfc3339)  \(end ?? "interrupted")")
                } catch {
                    invocation.output.complain("! \(id): \(error)")
                }
            }
            if isEmpty { invocation.output.line("There are no recordings in \(session.path).") }
        }
    }

    @Sendable static func verify(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (session) async throws(CommandFailure) in
            var bad = 0
            for id in try session.chosen(invocation.argument("ID")) {
                do throws(JournalError) {
                    let verdict = try session.folder(id).verify()
                    for fault in verdict.faults { invocation.output.complain("! \(id): \(fault)") }
                    let packets = verdict.survey.tracks.reduce(0) { $0 + $1.packets }
                    let end = verdict.summary.end == nil ? ", interrupted" : ""
                    let state = verdict.faults.isEmpty ? "whole" : "damaged"
                    let counts = "\(verdict.survey.tracks.count) tracks, \(packets) packets"
                    invocation.output.line("\(id)  \(state)\(end): \(counts), \(verdict.survey.leftOut) left out")
                    if !verdict.faults.isEmpty { bad += 1 }
                } catch {
                    invocation.output.complain("! \(id): \(error)")
                    bad += 1
                }
            }
            if bad > 0 { throw .failed("\(bad) recordings are not as they were written") }
        }
    }

    @Sendable static func export(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (session) async throws(CommandFailure) in
            guard let target = invocation.value("to") else { throw .usage("--to is missing") }
            let id = try session.one(invocation.argument("ID"))
            let mode: JournalReader.Mode = invocation.has("salvage") ? .salvage : .strict
            let manifest = try session.export(id, to: target, mode, without: try await session.withdrawn(from: id))
            for file in manifest.files {
                invocation.output.line("\(file.name)  \(Sizes.text(file.summary.bytes))  \(file.participantName)")
            }
            for omission in manifest.omissions where omission.reason != .failed {
                invocation.output.complain("! track \(omission.track.label) is left out: \(omission.reason.rawValue)")
            }
            if !manifest.isComplete {
                invocation.output.complain("! the recording was interrupted; its end may be missing")
            }
            for failure in manifest.failures {
                invocation.output.complain("!! track \(failure.track.label): \(failure.detail ?? "failed")")
            }
            if !manifest.failures.isEmpty { throw .failed("\(manifest.failures.count) tracks are not exported") }
        }
    }

    @Sendable static func decrypt(_ invocation: Invocation) async -> ExitCode {
        await run(invocation) { (session) async throws(CommandFailure) in
            guard let target = invocation.value("to") else { throw .usage("--to is missing") }
            guard invocation.has("everything") else {
                throw .usage(
                    "what is decrypted holds also what was withdrawn; say --everything, or use `recordings export`")
            }
            let id = try session.one(invocation.argument("ID"))
            let folder: RecordingFolder
            do throws(JournalError) { folder = try session.folder(id) } catch { throw .failed("\(error)") }
            do throws(ExportError) {
                let count = try folder.decrypt(to: target)
                invocation.output.line("\(count) segments written to \(target)")
            } catch {
                throw .failed("\(error)")
            }
        }
    }

    private static func run(
        _ invocation: Invocation, _ body: (RecordingsSession) async throws(CommandFailure) -> Void
    ) async -> ExitCode {
        await invocation.run(complain: { $0.complain(of: "recordings", invocation.output) }) {
            (configuration) async throws(CommandFailure) in
            try await RecordingsSession.with(invocation, configuration, body)
        }
    }
}

/// The recordings of a folder, and the keys of this machine's data.
struct RecordingsSession {
    let path: String
    private let keys: JournalReadingKeys
    private let library: RecordingLibrary
    private let output: Output

    static func with(
        _ invocation: Invocation, _ configuration: Configuration,
        _ body: (RecordingsSession) async throws(CommandFailure) -> Void
    ) async throws(CommandFailure) {
        // Nothing is made here: new keys would open nothing.
        guard access(configuration.data.folder, F_OK) == 0 else {
            throw .failed("there is no data folder \(configuration.data.folder); say where it is with --data")
        }
        try await configuration.withAccounts(orFail: { CommandFailure.failed("\($0)") }) {
            (storage, accounts) async throws(CommandFailure) in
            let keys: JournalReadingKeys
            do throws(KeyError) { keys = try JournalReadingKeys(accounts.keys) } catch { throw .failed("\(error)") }
            let path = invocation.value("in") ?? configuration.data.folder + "/recordings"
            let library = RecordingLibrary(node: "", database: storage.database, accounts: accounts)
            try await body(RecordingsSession(path: path, keys: keys, library: library, output: invocation.output))
        }
    }

    // MARK: Recordings

    /// Folders whose name is a recording's, in the order of their ids, which is that of their beginnings.
    func all() throws(CommandFailure) -> [UUID] {
        guard let list = opendir(path) else {
            // Nothing was ever recorded.
            if errno == ENOENT { return [] }
            throw .failed("\(SystemError("list \(path)"))")
        }
        defer { closedir(list) }
        var ids: [UUID] = []
        while let entry = readdir(list) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let id = UUID(name) { ids.append(id) }
        }
        return ids.sorted()
    }

    func chosen(_ text: String?) throws(CommandFailure) -> [UUID] {
        guard text != nil else { return try all() }
        return [try one(text)]
    }

    func one(_ text: String?) throws(CommandFailure) -> UUID {
        guard let text, let id = UUID(text) else {
            throw .usage("\(text ?? "") is not the id of a recording; see `plexichat recordings list`")
        }
        return id
    }

    func folder(_ id: UUID) throws(JournalError) -> RecordingFolder {
        RecordingFolder(try JournalFolder.open("\(path)/\(id)"), keys)
    }

    func withdrawn(from id: UUID) async throws(CommandFailure) -> Set<UUID> {
        do throws(RecordingError) { return try await library.withdrawn(from: RecordingID(id)) } catch {
            throw .failed("it is not known who has withdrawn, and nothing is exported without that: \(error)")
        }
    }

    func export(
        _ id: UUID, to target: String, _ mode: JournalReader.Mode, without withdrawn: Set<UUID>
    ) throws(CommandFailure) -> ExportManifest {
        let summary: RecordingFolder.Summary
        let folder: RecordingFolder
        do throws(JournalError) {
            folder = try self.folder(id)
            summary = try folder.summary()
        } catch { throw .failed("\(error)") }
        let options = ExportOptions(
            folder: target, recording: summary.recording, started: summary.started, withdrawn: withdrawn)
        let isShown = isatty(STDERR_FILENO) == 1
        let output = output
        var exporter = RecordingExporter(
            options, report: { if isShown { output.status("\r\u{1B}[K" + Self.line($0)) } },
            open: { () throws(ExportError) in try folder.entries(mode) })
        defer { if isShown { output.status("\r\u{1B}[K") } }
        do throws(ExportError) { return try exporter.export() } catch { throw .failed("\(error)") }
    }

    private static func line(_ progress: ExportProgress) -> String {
        guard let all = progress.packetsInAll, all > 0 else { return "looking: \(progress.packets) packets" }
        let part = min(100, progress.packets &* 100 / all)
        return "\(progress.tracksDone) of \(progress.tracksInAll) tracks, \(part) % of the recording read"
    }
}
