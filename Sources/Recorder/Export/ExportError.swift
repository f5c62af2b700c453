// Why an export, or one track of it, could not be made.

package enum ExportError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The recording cannot be read any further.
    case unreadable(String)
    /// A file or folder of the export could not be made, read or written.
    case output(String)
    /// There is no worker: the program, the kernel or the machine refuses.
    case unavailable(String)
    case cancelled
    /// A bound of `ExportLimits`: which one, and what to do.
    case tooMuch(String)

    package var description: String {
        switch self {
        case .unreadable(let text), .output(let text), .unavailable(let text), .tooMuch(let text): text
        case .cancelled: "the export was cancelled; it goes on where it stopped when it is started again"
        }
    }
}

/// What an export holds at most. docs/formats/exports.md has the reasons.
package enum ExportLimits {
    /// Of one recording, over its whole time: each costs a file and a clock.
    package static let tracks = 1_024
    /// Written at the same time, each by a worker; more are written in a further pass over the recording.
    package static let tracksAtOnce = 16
    /// Of one track: a new SSRC or layer.
    package static let streamsPerTrack = 256
    /// Jumps of a stream's clock; what jumps more often is placed by its arrival.
    package static let segmentsPerStream = 1_024
    /// Seconds for which a clock is kept exactly, 48 hours; beyond them the last line goes on.
    package static let clockSeconds = 172_800
    /// Sender reports of one track that are kept: one each second of these 48 hours.
    package static let reportsPerTrack = 172_800
    /// One encoded picture. 8K at the highest quality takes a tenth of it.
    package static let frameBytes = 16 << 20
    /// Packets of a track that wait for one that is missing.
    package static let waitingPackets = 1_024
    /// For how long one that is missing is waited for, by arrival: senders do not repeat what is older than 2 s.
    package static let waitingTime: MediaTime = 3_000_000_000
    /// Changes of who speaks.
    package static let speakerChanges = 1_000_000
    /// Of a payload: what fits a datagram.
    package static let payloadBytes = 65_535
}
