// A few threads for calls that wait for a disk. Tasks that prefer this executor do their file work on them, and hold
// none of them while they wait for something else.

import Base

package final class FileThreads: TaskExecutor {
    private struct Queue {
        /// Taken from the front; emptied as a whole, so that nothing is moved.
        var jobs: [UnownedJob] = []
        var next = 0
        var isStopped = false
    }

    private enum Wakeup {
        case job(UnownedJob)
        case end
    }

    private let queue = Monitor(Queue())

    /// `name` shows in `top -H`. The threads live until `stop`.
    package init(count: Int, name: StaticString = "store-files") throws(StoreError) {
        for _ in 0..<count { try StoreThread.start(name) { [self] in loop() } }
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.signal { $0.jobs.append(job) }
    }

    /// The threads end when what was enqueued has run.
    package func stop() { queue.broadcast { $0.isStopped = true } }

    private func loop() {
        while case .job(let job)? = next() { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    private func next() -> Wakeup? {
        queue.wait { queue in
            guard queue.next < queue.jobs.count else { return queue.isStopped ? .end : nil }
            let job = queue.jobs[queue.next]
            queue.next += 1
            if queue.next == queue.jobs.count {
                queue.jobs.removeAll(keepingCapacity: true)
                queue.next = 0
            }
            return .job(job)
        }
    }
}
