// A recording's folder by its keys: what it is, whether it is whole, and what its segments say in the clear.

package import Base
import Glibc

package struct RecordingFolder {
    package struct Summary: Sendable {
        package var recording: UUID
        package var call: UUID
        package var started: Timestamp
        /// `nil` for one that was interrupted.
        package var end: JournalManifest?
    }

    package struct Verdict: Sendable {
        package var summary: Summary
        package var survey: JournalSurvey
        /// What was passed over; empty when every byte is as it was written.
        package var faults: [JournalError]
    }

    package let files: any JournalFiles
    private let keys: JournalReadingKeys

    package init(_ files: any JournalFiles, _ keys: JournalReadingKeys) {
        self.files = files
        self.keys = keys
    }

    package func reader(_ mode: JournalReader.Mode) throws(JournalError) -> JournalReader {
        try JournalReader(files, with: keys, mode: mode)
    }

    /// Reads the first segment and the manifest.
    package func summary() throws(JournalError) -> Summary { Self.summary(try reader(.salvage)) }

    private static func summary(_ reader: JournalReader) -> Summary {
        Summary(
            recording: reader.recording, call: reader.beginning.call, started: reader.beginning.started,
            end: reader.manifest)
    }

    /// Reads every byte.
    package func verify() throws(JournalError) -> Verdict {
        let reader = try reader(.salvage)
        let survey = try JournalSurvey(reading: reader)
        return Verdict(summary: Self.summary(reader), survey: survey, faults: reader.faults)
    }

    /// For `RecordingExporter`, which reads more than once.
    package func entries(_ mode: JournalReader.Mode) throws(ExportError) -> any RecordedEntries {
        do throws(JournalError) { return JournalEntries(try reader(mode)) } catch { throw .unreadable("\(error)") }
    }

    /// Writes each segment's plaintext beside the others, as the journal's page describes it, with `.journal` for `.age`.
    /// The folder must not be there. How many there were.
    package func decrypt(to path: String) throws(ExportError) -> Int {
        guard mkdir(path, 0o700) == 0 else { throw .output("\(SystemError("make \(path)"))") }
        let folder = try ExportFolder(path)
        var (number, before): (UInt32, Bytes?) = (1, nil)
        do throws(JournalError) {
            let reader = try reader(.strict)
            let source = JournalSource(files: files, keys: keys, manifest: reader.manifest)
            var last = reader.manifest.map { UInt32($0.segments.count) } ?? 0
            if reader.isInterrupted { last = try highest() }
            while number <= last {
                let segment = try source.segment(number, of: reader.recording, after: before, isKnown: true)
                try write(segment.plaintext, number, folder)
                before = segment.hash
                number += 1
            }
        } catch {
            throw .unreadable("\(error)")
        }
        return Int(number) - 1
    }

    private func highest() throws(JournalError) -> UInt32 {
        try files.names().compactMap(SegmentName.number).max() ?? 0
    }

    private func write(_ bytes: Bytes, _ number: UInt32, _ folder: ExportFolder) throws(JournalError) {
        let name = SegmentName.of(number).replacingEnding(with: ".journal")
        do throws(ExportError) { try folder.write(bytes, to: name) } catch { throw .unavailable("\(error)") }
    }
}

extension String {
    fileprivate func replacingEnding(with ending: String) -> String {
        (lastIndex(of: ".").map { String(self[..<$0]) } ?? self) + ending
    }
}
