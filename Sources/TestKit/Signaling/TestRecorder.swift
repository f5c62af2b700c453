// A recorder that remembers what it was made to do, and fails when a test wants it to.

package import Base
package import Signaling
import Synchronization

package final class TestRecorder: CallRecorder {
    private struct State {
        var open: Set<RecordingID> = []
        var orders: [RecorderOrder] = []
        var changes: [ConsentChange] = []
        var ends: [RecordingEnd] = []
        var erased: [String] = []
        var written: Set<UserID> = []
        var failure: RecorderFailure?
        var listener: (@Sendable (CallID, RecordingID, RecorderFailure) -> Void)?
    }

    private let state = Mutex(State())
    /// What every recording of this one has in the end.
    package static let bytes: Int64 = 4_096

    package init() {}

    // MARK: A test's hand

    /// Fails from now on; `nil` for no more.
    package func fail(with failure: RecorderFailure?) { state.withLock { $0.failure = failure } }

    /// Breaks by itself in the midst of a recording.
    package func breakDown(_ failure: RecorderFailure) {
        let (order, listener) = state.withLock { ($0.orders.last, $0.listener) }
        if let order { listener?(order.call, order.recording, failure) }
    }

    package var orders: [RecorderOrder] { state.withLock { $0.orders } }
    package var changes: [ConsentChange] { state.withLock { $0.changes } }
    package var ends: [RecordingEnd] { state.withLock { $0.ends } }
    package var erased: [String] { state.withLock { $0.erased } }
    /// Of whom media would be written now.
    package var written: Set<UserID> { state.withLock { $0.open.isEmpty ? [] : $0.written } }

    // MARK: CallRecorder

    package func start(_ order: RecorderOrder) async throws(RecorderFailure) -> String {
        let failure = state.withLock { state -> RecorderFailure? in
            state.orders.append(order)
            if state.failure == nil {
                state.open.insert(order.recording)
                state.written = []
            }
            return state.failure
        }
        if let failure { throw failure }
        return "recordings/\(order.recording)"
    }

    package func setConsent(_ change: ConsentChange, in recording: RecordingID) async {
        state.withLock { state in
            guard state.open.contains(recording) else { return }
            state.changes.append(change)
            if change.consent.isWritten {
                state.written.insert(change.user)
            } else {
                state.written.remove(change.user)
            }
        }
    }

    package func stop(_ recording: RecordingID, because end: RecordingEnd) async -> Int64 {
        state.withLock { state in
            guard state.open.remove(recording) != nil else { return 0 }
            state.ends.append(end)
            return Self.bytes
        }
    }

    package func erase(_ recording: RecordingID, in folder: String) async throws(RecorderFailure) {
        let failure = state.withLock { state -> RecorderFailure? in
            if state.failure == nil { state.erased.append(folder) }
            return state.failure
        }
        if let failure { throw failure }
    }

    package func setListener(_ failed: @escaping @Sendable (CallID, RecordingID, RecorderFailure) -> Void) {
        state.withLock { $0.listener = failed }
    }
}
