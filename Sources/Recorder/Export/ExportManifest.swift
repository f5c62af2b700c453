// What an export consists of: manifest.json. docs/formats/exports.md has its fields.

package import Base
import Wire

package struct ExportManifest: Sendable, Equatable {
    package struct File: Sendable, Equatable {
        package var name: String
        package var track: RecordedTrack
        package var participantName: String
        package var clock: Clock
        package var summary: TrackSummary
        /// Recorded losses: packets that came and could not be kept.
        package var lostPackets: UInt64
    }

    package struct Omission: Sendable, Equatable {
        package var track: RecordedTrack
        package var reason: Reason
        /// Of a failure: what happened.
        package var detail: String?
    }

    package enum Clock: String, Sendable { case reports, arrivals }

    package enum Reason: String, Sendable, CaseIterable {
        /// Their consent was withdrawn.
        case withdrawn
        /// Payloads are another's ciphertext.
        case sealed
        case codec
        /// No packet came, or none of which a picture or sound could be made.
        case empty
        case failed
    }

    package var recording: UUID
    package var started: Timestamp
    package var durationMilliseconds: Int64
    /// It ended by itself; else it was killed, and may lack its end.
    package var isComplete: Bool
    package var files: [File] = []
    package var omissions: [Omission] = []
    package var consents: [RecordedConsent] = []

    package var failures: [Omission] { omissions.filter { $0.reason == .failed } }

    package var json: Bytes {
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("version", 1)
            writer.field("recording", recording)
            writer.field("started", started)
            writer.field("duration_ms", durationMilliseconds)
            writer.field("complete", isComplete)
            writer.field("speakers", RecordingExporter.speakersName)
            writer.array("tracks") { writer in
                for file in files { writer.object { file.write(to: &$0) } }
            }
            writer.array("left_out") { writer in
                for omission in omissions { writer.object { omission.write(to: &$0) } }
            }
            writer.array("consents") { writer in
                for consent in consents { writer.object { consent.write(to: &$0) } }
            }
        }
        return writer.bytes + [0x0A]
    }
}

extension ExportManifest.File {
    fileprivate func write(to writer: inout JSONWriter) {
        let counts = summary.counts
        writer.field("file", name)
        writer.field("track", track.label)
        writer.field("participant", track.participant)
        writer.field("name", participantName)
        writer.field("source", track.source.rawValue)
        writer.field("codec", track.codecName)
        writer.field("starts_at_ms", Double(summary.start / 1_000) / 1_000)
        writer.field("duration_ms", summary.durationMilliseconds)
        writer.field("bytes", Int64(clamping: summary.bytes))
        writer.field("clock", clock.rawValue)
        if summary.width > 0 {
            writer.field("width", summary.width)
            writer.field("height", summary.height)
        }
        writer.field("packets", counts.packets)
        writer.field("duplicates", counts.duplicates)
        writer.field("missing_packets", Int64(clamping: counts.missingPackets))
        writer.field("lost_packets", Int64(clamping: lostPackets))
        writer.field("frames", counts.frames)
        writer.field("dropped_frames", counts.droppedFrames)
        if track.codec?.isVideo == true {
            writer.field("keyframes", counts.keyframes)
        } else {
            writer.field("concealed_ms", summary.concealedSamples / 48)
            writer.field("overlapping_packets", summary.overlappingPackets)
        }
    }
}

extension ExportManifest.Omission {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.field("track", track.label)
        // Of who withdrew, that they did is told by the consents.
        if reason != .withdrawn {
            writer.field("participant", track.participant)
            writer.field("source", track.source.rawValue)
            writer.field("codec", track.codecName)
        }
        writer.field("reason", reason.rawValue)
        if let detail { writer.field("detail", detail) }
    }
}

extension RecordedConsent {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.field("participant", participant)
        writer.field("decision", decision)
        writer.field("means", means)
        writer.field("by", by)
        writer.field("at", at)
    }
}
