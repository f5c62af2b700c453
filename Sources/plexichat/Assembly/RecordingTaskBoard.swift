// Recordings as tasks: what POST /calls/{call_id}/record answers with is polled, and cancelled, like any other task.

import Base
import Signaling
import Synchronization
import Tasks
import Wire

final class RecordingTaskBoard: RecordingTasks {
    /// Whoever ends a recording: known once the call service is there, which itself needs this.
    private struct Service { var end: (@Sendable (RecordingID, CallID) async -> Void)? }

    private let board: TaskBoard
    private let service = Mutex(Service())

    init(_ board: TaskBoard) { self.board = board }

    func setEnd(_ end: @escaping @Sendable (RecordingID, CallID) async -> Void) { service.withLock { $0.end = end } }

    func begin(
        _ recording: RecordingID, of call: CallID, by user: UserID,
        until finished: @escaping @Sendable () async -> RecordingOutcome
    ) async throws(RecorderFailure) -> UUID {
        let new = NewTask(
            TaskKind("recording", "record"), owner: user, target: "\(recording)", isFollower: true)
        do throws(TaskError) {
            return try await board.start(new) { [self] handle in
                handle.report(TaskProgress(phase: "working"))
                let outcome = await withTaskCancellationHandler(operation: finished) {
                    let end = service.withLock { $0.end }
                    Task { await end?(recording, call) }
                }
                return try Self.result(outcome)
            }.uuid
        } catch { throw RecorderFailure(error.description) }
    }

    private static func result(_ outcome: RecordingOutcome) throws(RecorderFailure) -> JSONObject {
        guard outcome.state == .finished else {
            throw RecorderFailure("the recording has \(outcome.state.rawValue); what was written until then is kept")
        }
        return JSONObject([
            ("recording_id", .string("\(outcome.recording)")),
            ("end_reason", outcome.end.map { .string($0.rawValue) } ?? .null),
            ("size_bytes", .integer(outcome.bytes)),
        ])
    }
}
