// A door for tasks: so many inside at a time, so many before it.

import Synchronization

/// Lets so many in at once; others wait in the order in which they came.
package final class Gate: Sendable {
    private struct State {
        var open: Int
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>
    private let waitingMax: Int

    package init(open: Int, waiting: Int) {
        precondition(open > 0, "a gate that lets nobody in")
        state = Mutex(State(open: open))
        waitingMax = waiting
    }

    /// False when too many wait already.
    package func enter() async -> Bool {
        let isIn: Bool? = state.withLock { state in
            guard state.open == 0 else {
                state.open -= 1
                return true
            }
            return state.waiting.count < waitingMax ? nil : false
        }
        if let isIn { return isIn }
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                guard state.open == 0 else {
                    state.open -= 1
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if goesOn { continuation.resume() }
        }
        return true
    }

    package func leave() {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
            state.open += 1
            return nil
        }
        next?.resume()
    }
}
