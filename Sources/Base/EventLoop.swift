// The seam between who owns threads and sockets (Net's shards) and who only needs to be told that a descriptor is
// ready (Store's libpq connections). Declared here, because Net and Store are siblings; supplied by `plexichat`.

package struct Readiness: OptionSet, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }
    package static let readable = Readiness(rawValue: 1)
    package static let writable = Readiness(rawValue: 2)
}

/// A loop on a thread of its own. `submit` may be called from anywhere; everything else only on that thread.
/// As a task executor it runs jobs on that thread: code that a task runs with this preference owns what the loop owns.
package protocol EventLoop: AnyObject, Sendable, TaskExecutor {
    /// Runs `work` on the loop's thread, in order of submission.
    func submit(_ work: @escaping @Sendable () -> Void)

    /// True on the loop's own thread.
    var isCurrent: Bool { get }

    /// The time at the start of this turn of the loop.
    var now: Instant { get }

    /// Calls `handler` on the loop's thread whenever the descriptor is ready. Level-triggered. The descriptor stays
    /// the caller's: cancel the watch before closing it.
    func watch(
        _ descriptor: Int32, for interest: Readiness, _ handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> any DescriptorWatch

    /// A timer that calls `action` on the loop's thread each time it was armed. Not armed yet.
    func timer(_ action: @escaping () -> Void) -> any ScheduledTimer
}

extension EventLoop {
    /// Calls `action` once.
    package func schedule(after delay: Duration, _ action: @escaping () -> Void) -> any ScheduledTimer {
        let timer = timer(action)
        timer.arm(at: now + delay)
        return timer
    }
}

package protocol DescriptorWatch: AnyObject {
    var interest: Readiness { get set }
    /// No call of the handler comes after this.
    func cancel()
}

package protocol ScheduledTimer: AnyObject {
    /// Calls the action once, at or shortly after `deadline`; replaces an earlier arming. The loop keeps an armed
    /// timer alive.
    func arm(at deadline: Instant)
    func cancel()
}
