// The thread that reads taps. It never waits for a disk: what it reads is copied into a journal in memory.

import Base
package import Store

package final class TapThread: Sendable {
    /// Between two readings, so that a busy call wakes the thread fifty times a second and not for each batch. Longer
    /// saves wake-ups, and needs more of each pipe's room.
    static let pause = Duration.milliseconds(20)

    /// Started by the first recording; for the life of the process.
    package static let shared: TapThread = {
        do throws(StoreError) {
            return try TapThread()
        } catch {
            fatalError("no thread for recordings: \(error.words)")
        }
    }()

    private struct State {
        var readings: [TapReading] = []
        var isWoken = false
        /// Who waits for one whole reading.
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Monitor(State())

    package init() throws(StoreError) {
        let state = state
        try StoreThread.start("recorder-tap") { Self.loop(state) }
    }

    /// From any thread; returns at once.
    func wake() { state.signal { $0.isWoken = true } }

    func add(_ reading: TapReading) {
        state.signal {
            $0.readings.append(reading)
            $0.isWoken = true
        }
    }

    func remove(_ reading: TapReading) { state.withLock { $0.readings.removeAll { $0 === reading } } }

    /// Returns when everything that lay in the pipes at the call has been read.
    func pass() async {
        await withCheckedContinuation { continuation in state.signal { $0.waiting.append(continuation) } }
    }

    private static func loop(_ state: Monitor<State>) {
        while true {
            let work = state.wait { state -> ([TapReading], [CheckedContinuation<Void, Never>])? in
                guard state.isWoken || !state.waiting.isEmpty else { return nil }
                defer { (state.isWoken, state.waiting) = (false, []) }
                return (state.readings, state.waiting)
            }
            guard let (readings, waiting) = work else { continue }
            for reading in readings { reading.drain() }
            for continuation in waiting { continuation.resume() }
            _ = state.wait(until: (Instant.now() + pause).nanoseconds) { $0.waiting.isEmpty ? nil : true }
        }
    }
}
