// A lock with a condition: what a thread that has nothing to do sleeps on. `Synchronization.Mutex` has no condition.

package import Base
import Glibc

/// `@unchecked`: `state` is touched only between `lock` and `unlock`.
package final class Monitor<State>: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    package init(_ state: State) {
        self.state = state
        pthread_mutex_init(mutex, nil)
        // Deadlines are on the monotonic clock, so that a step of the civil clock neither hurries nor delays them.
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    package func withLock<Value, Failure: Error>(_ body: (inout State) throws(Failure) -> Value) throws(Failure)
        -> Value
    {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try body(&state)
    }

    /// Changes the state and wakes one sleeper.
    package func signal<Value>(_ body: (inout State) -> Value) -> Value {
        let value = withLock(body)
        pthread_cond_signal(condition)
        return value
    }

    /// Changes the state and wakes every sleeper.
    package func broadcast(_ body: (inout State) -> Void) {
        withLock(body)
        pthread_cond_broadcast(condition)
    }

    /// Sleeps until `take` returns something, or until `deadline`.
    package func wait<Value>(until deadline: Instant? = nil, _ take: (inout State) -> Value?) -> Value? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while true {
            if let value = take(&state) { return value }
            guard let deadline else {
                pthread_cond_wait(condition, mutex)
                continue
            }
            var time = timespec(
                tv_sec: Int(deadline.nanoseconds / 1_000_000_000), tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
            if pthread_cond_timedwait(condition, mutex, &time) == ETIMEDOUT { return take(&state) }
        }
    }
}
