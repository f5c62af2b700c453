// What recording needs of others: something that writes, and tasks that are polled. Both are supplied by `plexichat`.

package import Base

/// A recording to be opened.
package struct RecorderOrder: Sendable, Equatable {
    package let recording: RecordingID
    package let call: CallID
    package let startedBy: UserID
    package let policy: ConsentPolicy
    package let keyVersion: UInt32
    package let startedAt: Timestamp

    init(_ recording: CallRecording) {
        self.recording = recording.id
        call = recording.call
        startedBy = recording.startedBy
        policy = recording.policy
        keyVersion = recording.keyVersion
        startedAt = recording.startedAt
    }
}

/// Why a recorder could not begin or go on, in words for an operator.
package struct RecorderFailure: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

/// Writes calls. Called from each call's lane, one thing after the other; every effect has happened when its method
/// returns. It must not wait for media, and not call back into the call service from inside these methods.
package protocol CallRecorder: Sendable {
    /// Opens a recording, of nobody's media yet. Returns its place.
    func start(_ order: RecorderOrder) async throws(RecorderFailure) -> String

    /// Written into the journal first. Somebody's media is written from then on if `consent.isWritten`, and not any
    /// more when this returns if it is not. A recording that is not open is passed over.
    func setConsent(_ change: ConsentChange, in recording: RecordingID) async

    /// Closes it, and returns how many bytes it has; what cannot be closed stays as after a crash.
    func stop(_ recording: RecordingID, because end: RecordingEnd) async -> Int64

    /// Makes it unreadable for good, and removes it. One that is gone already is no failure.
    func erase(_ recording: RecordingID, in folder: String) async throws(RecorderFailure)

    /// Called once, before the first recording: `failed` is told what breaks by itself.
    func setListener(_ failed: @escaping @Sendable (CallID, RecordingID, RecorderFailure) -> Void)
}

/// Long work that is polled over the API.
package protocol RecordingTasks: Sendable {
    /// A task that runs until `finished` returns. Returns what it is asked for by.
    func begin(
        _ recording: RecordingID, of call: CallID, by user: UserID,
        until finished: @escaping @Sendable () async -> RecordingOutcome
    ) async throws(RecorderFailure) -> UUID
}

/// How a recording ended, for its task.
package struct RecordingOutcome: Sendable, Equatable {
    package let recording: RecordingID
    package let state: RecordingState
    package let end: RecordingEnd?
    package let bytes: Int64

    init(_ recording: CallRecording, _ state: RecordingState) {
        self.recording = recording.id
        self.state = state
        end = recording.end
        bytes = recording.bytes
    }
}
