// A loop whose time stands still until it is moved: for services that only ask it what time it is.

package import Base
import Synchronization

package final class TestLoop: EventLoop {
    private final class Never: ScheduledTimer, DescriptorWatch {
        var interest: Readiness = []
        func arm(at deadline: Instant) {}
        func cancel() {}
    }

    private let time = Mutex(Instant(nanoseconds: 1_000_000_000))

    package init() {}

    package var now: Instant { time.withLock { $0 } }
    package var isCurrent: Bool { true }
    package func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }

    package func submit(_ work: @escaping @Sendable () -> Void) { work() }

    /// Nothing becomes ready here.
    package func watch(
        _ descriptor: Int32, for interest: Readiness, _ handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> any DescriptorWatch { Never() }

    /// No timer fires here: a test calls what a timer would have called.
    package func timer(_ action: @escaping () -> Void) -> any ScheduledTimer { Never() }

    package func enqueue(_ job: consuming ExecutorJob) {
        job.runSynchronously(on: asUnownedTaskExecutor())
    }
}
