// An event loop over poll(2), for tests with real sockets: small, slow and on the thread of whoever turns it.

import Base
import CShims
import Glibc
import Synchronization

final class PollLoop: EventLoop, @unchecked Sendable {
    final class Watch: DescriptorWatch {
        let descriptor: Int32
        var interest: Readiness
        var handler: ((Readiness) -> Void)?

        init(_ descriptor: Int32, _ interest: Readiness, _ handler: @escaping (Readiness) -> Void) {
            self.descriptor = descriptor
            self.interest = interest
            self.handler = handler
        }

        func cancel() { handler = nil }
    }

    final class Timer: ScheduledTimer {
        /// Gone with `cancel`: it holds whose timer it was.
        private(set) var action: (() -> Void)?
        var deadline: Instant?
        init(_ action: @escaping () -> Void) { self.action = action }
        func arm(at deadline: Instant) { self.deadline = deadline }
        func cancel() {
            deadline = nil
            action = nil
        }
    }

    private let submitted = Mutex<[@Sendable () -> Void]>([])
    private let wake: (read: Int32, write: Int32)
    private var watches: [Watch] = []
    private var timers: [Timer] = []
    private let isStopping = Atomic<Bool>(false)

    init() {
        var ends: [Int32] = [0, 0]
        _ = pipe(&ends)
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        wake = (ends[0], ends[1])
    }

    deinit {
        close(wake.read)
        close(wake.write)
    }

    var isCurrent: Bool { true }
    var now: Instant { .now() }

    func submit(_ work: @escaping @Sendable () -> Void) {
        submitted.withLock { $0.append(work) }
        var byte: UInt8 = 1
        _ = write(wake.write, &byte, 1)
    }

    func watch(
        _ descriptor: Int32, for interest: Readiness, _ handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> any DescriptorWatch {
        let watch = Watch(descriptor, interest, handler)
        watches.append(watch)
        return watch
    }

    func timer(_ action: @escaping () -> Void) -> any ScheduledTimer {
        let timer = Timer(action)
        timers.append(timer)
        return timer
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        submit { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    // MARK: - Turning

    /// One turn: what is due, what is ready, what was submitted. Waits so many milliseconds at most.
    func turn(_ wait: Int32 = 1) {
        watches.removeAll { $0.handler == nil }
        var polled = watches.map { watch in
            pollfd(
                fd: watch.interest.isEmpty ? -1 : watch.descriptor,
                events: Int16(watch.interest.contains(.readable) ? POLLIN : 0)
                    | Int16(watch.interest.contains(.writable) ? POLLOUT : 0), revents: 0)
        }
        polled.append(pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0))
        let next = timers.compactMap(\.deadline).min()
        let due = next.map { Int32(clamping: max(0, ($0 - .now()).milliseconds)) } ?? wait
        _ = poll(&polled, nfds_t(polled.count), min(wait, due))
        var bytes: [UInt8] = Array(repeating: 0, count: 64)
        while read(wake.read, &bytes, 64) > 0 {}
        for (watch, result) in zip(watches, polled) where result.revents != 0 {
            var readiness: Readiness = []
            if result.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 { readiness.insert(.readable) }
            if result.revents & Int16(POLLOUT) != 0 { readiness.insert(.writable) }
            watch.handler?(readiness)
        }
        for work in submitted.withLock({ work in
            defer { work = [] }
            return work
        }) { work() }
        let now = Instant.now()
        for timer in timers {
            guard let deadline = timer.deadline, deadline <= now else { continue }
            timer.deadline = nil
            timer.action?()
        }
    }

    /// Turns until `stop`, on a thread of its own.
    func runOnThread() {
        let context = Unmanaged.passRetained(self)
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { raw in
                guard let raw else { return nil }
                let loop = Unmanaged<PollLoop>.fromOpaque(raw).takeRetainedValue()
                while !loop.isStopping.load(ordering: .acquiring) { loop.turn(20) }
                // What was submitted before `stop`.
                loop.turn(0)
                return nil
            }, context.toOpaque())
        pthread_detach(thread)
    }

    func stop() {
        isStopping.store(true, ordering: .releasing)
        submit {}
    }
}
