// Small things that nobody waits for (a mail, a note of use), bounded in number: a job beyond the bound is refused,
// and its owner decides whether that matters.

import Base
import Synchronization

package final class BackgroundJobs: Sendable {
    private struct State {
        var running = 0
        var isClosed = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    /// Enough for a burst of mails; each job holds a task and what it sends.
    private static let limit = 256

    private let state = Mutex(State())

    package init() {}

    /// False when too many are running, or the server is stopping.
    @discardableResult
    func start(_ job: @escaping @Sendable () async -> Void) -> Bool {
        let mayRun = state.withLock { state in
            guard !state.isClosed, state.running < Self.limit else { return false }
            state.running += 1
            return true
        }
        guard mayRun else { return false }
        Task {
            await job()
            finish()
        }
        return true
    }

    /// Waits until nothing runs.
    package func drain() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                guard state.running > 0 else { return true }
                state.waiting.append(continuation)
                return false
            }
            if isIdle { continuation.resume() }
        }
    }

    /// Takes no more and waits for what runs.
    package func close() async {
        state.withLock { $0.isClosed = true }
        await drain()
    }

    private func finish() {
        let waiting = state.withLock { state in
            state.running -= 1
            guard state.running == 0 else { return [] as [CheckedContinuation<Void, Never>] }
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
