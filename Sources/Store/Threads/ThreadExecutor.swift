// A task executor whose thread drives it by hand: whoever owns the thread decides when jobs run, so that one body can
// be run to its end before anything else happens on the connection that the thread owns.

import Base
import Glibc
import Synchronization

/// `@unchecked`: `ready` and `position` belong to the thread that called `adoptThread`; the rest is locked.
final class ThreadExecutor: TaskExecutor, @unchecked Sendable {
    private struct Inbox {
        var jobs: [UnownedJob] = []
        var isInterrupted = false
    }

    private let inbox = Monitor(Inbox())
    private let thread = Atomic<UInt>(0)
    private var ready: [UnownedJob] = []
    private var position = 0

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // What the thread brings about itself needs neither lock nor waking. It also comes before what others sent
        // meanwhile, so that a body that was begun is finished first.
        guard !isCurrent else {
            ready.append(job)
            return
        }
        inbox.signal { $0.jobs.append(job) }
    }

    var isCurrent: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Called once, by the thread that is going to run the jobs.
    func adoptThread() { thread.store(UInt(pthread_self()), ordering: .relaxed) }

    /// Lets a `runOne` that sleeps without a deadline return, because something else than a job happened.
    func interrupt() { inbox.broadcast { $0.isInterrupted = true } }

    /// Runs one job, waiting for it until `deadline` if need be. False when there was none.
    @discardableResult
    func runOne(waitingUntil deadline: Instant? = nil) -> Bool {
        if position == ready.count { refill(deadline) }
        guard position < ready.count else { return false }
        let job = ready[position]
        position += 1
        job.runSynchronously(on: asUnownedTaskExecutor())
        return true
    }

    /// Runs what is there, and what that brings about at once, without waiting.
    func runReady() {
        while runOne(waitingUntil: Instant(nanoseconds: 0)) {}
    }

    private func refill(_ deadline: Instant?) {
        ready.removeAll(keepingCapacity: true)
        position = 0
        _ = inbox.wait(until: deadline?.nanoseconds) { inbox -> Bool? in
            // Only a sleep without an end is interrupted, and only it uses the interruption up: one that came while
            // jobs were running must not be lost.
            let isInterrupted = deadline == nil && inbox.isInterrupted
            guard !inbox.jobs.isEmpty || isInterrupted else { return nil }
            if isInterrupted { inbox.isInterrupted = false }
            swap(&inbox.jobs, &ready)
            return true
        }
    }
}
