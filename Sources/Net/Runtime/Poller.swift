// The waiting of a shard, on libuv: readiness of descriptors, a wake-up from other threads, one alarm, signals.
//
// Why `uv_poll` and not libuv's own TCP: docs/decisions/0001-one-descriptor-primitive.md. About 350 lines of epoll
// could stand here instead; `Shard` would not notice.

import Base
import CUV
import Glibc

final class Poller {
    private let loop: UnsafeMutablePointer<uv_loop_t>
    private let doorbell: UnsafeMutablePointer<uv_async_t>
    private let alarm: UnsafeMutablePointer<uv_timer_t>
    /// When the alarm is set to go off, in the loop's milliseconds; `nil` when it is not set.
    private var alarmTime: UInt64?

    init() throws(SystemError) {
        loop = .allocate(capacity: 1)
        doorbell = .allocate(capacity: 1)
        alarm = .allocate(capacity: 1)
        let code = uv_loop_init(loop)
        guard code == 0 else {
            loop.deallocate()
            doorbell.deallocate()
            alarm.deallocate()
            throw SystemError("make an event loop", code: -code)
        }
        // Both only fail for want of a descriptor, which `uv_loop_init` has just made, or never.
        precondition(uv_async_init(loop, doorbell) { _ in } == 0, "an event loop has no wake-up descriptor")
        precondition(uv_timer_init(loop, alarm) == 0, "a timer can always be made")
    }

    /// Ends `wait`. The only call that may come from another thread.
    func wake() { uv_async_send(doorbell) }

    /// Waits for a ready descriptor, a wake-up or the deadline, and calls the watches of what is ready.
    func wait(until deadline: Instant?) {
        // libuv fires timers before it waits, and would then wait without one: what is due now must not wait at all.
        uv_update_time(loop)
        if let deadline, (deadline.nanoseconds &+ 999_999) / 1_000_000 <= uv_now(loop) { return poll() }
        setAlarm(deadline)
        uv_run(loop, UV_RUN_ONCE)
    }

    /// Calls the watches of what is ready now.
    func poll() { uv_run(loop, UV_RUN_NOWAIT) }

    /// libuv runs what is due before it polls, and would then wait for the next event, however far off: an alarm that
    /// is due by then must keep it from waiting.
    private static let rung: uv_timer_cb = { alarm in
        guard let loop = alarm?.pointee.loop else { return }
        uv_stop(loop)
    }

    /// libuv counts milliseconds of the same monotonic clock as `Instant`. The alarm is only moved forward: one that
    /// rings too early (its timer was cancelled) costs one empty turn, moving it each time would cost every turn.
    private func setAlarm(_ deadline: Instant?) {
        guard let deadline else {
            if alarmTime != nil { uv_timer_stop(alarm) }
            alarmTime = nil
            return
        }
        let wanted = (deadline.nanoseconds &+ 999_999) / 1_000_000
        let current = uv_now(loop)
        if let alarmTime, alarmTime <= wanted, alarmTime > current { return }
        alarmTime = wanted
        uv_timer_start(alarm, { _ in }, wanted > current ? wanted - current : 0, 1)
    }

    func watch(
        _ descriptor: Int32, for interest: Readiness, _ handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> PollWatch {
        try PollWatch(loop, descriptor, interest, handler)
    }

    func watchSignal(_ number: Int32, _ handler: @escaping () -> Void) throws(SystemError) {
        let handle = UnsafeMutablePointer<uv_signal_t>.allocate(capacity: 1)
        uv_signal_init(loop, handle)
        handle.pointee.data = Unmanaged.passRetained(SignalWatch(handler)).toOpaque()  // for the loop's life
        let code = uv_signal_start(
            handle,
            { handle, _ in
                guard let data = handle?.pointee.data else { return }
                Unmanaged<SignalWatch>.fromOpaque(data).takeUnretainedValue().handler()
            }, number)
        guard code == 0 else { throw SystemError("watch signal \(number)", code: -code) }
    }

    /// Closes every handle, then the loop.
    func close() {
        uv_walk(
            loop,
            { handle, _ in
                guard let handle, uv_is_closing(handle) == 0 else { return }
                switch handle.pointee.type {
                case UV_POLL: PollWatch.of(handle)?.cancel()
                case UV_SIGNAL:
                    uv_close(handle) { handle in
                        guard let handle, let data = handle.pointee.data else { return }
                        Unmanaged<SignalWatch>.fromOpaque(data).release()
                        UnsafeMutableRawPointer(handle).deallocate()
                    }
                default: uv_close(handle) { UnsafeMutableRawPointer($0)?.deallocate() }
                }
            }, nil)
        uv_run(loop, UV_RUN_DEFAULT)
        precondition(uv_loop_close(loop) == 0, "an event loop is closed with handles open")
        loop.deallocate()
    }
}

private final class SignalWatch {
    let handler: () -> Void
    init(_ handler: @escaping () -> Void) { self.handler = handler }
}

/// One descriptor under watch. libuv's handle keeps it alive until it is cancelled; events are delivered through that
/// handle and not through the descriptor's number, so one for a closed and reused number cannot arrive here.
final class PollWatch: DescriptorWatch {
    private let handle: UnsafeMutablePointer<uv_poll_t>
    private let handler: (Readiness) -> Void
    private var isCancelled = false

    var interest: Readiness {
        didSet {
            if interest != oldValue, !isCancelled { apply() }
        }
    }

    init(
        _ loop: UnsafeMutablePointer<uv_loop_t>, _ descriptor: Int32, _ interest: Readiness,
        _ handler: @escaping (Readiness) -> Void
    ) throws(SystemError) {
        handle = .allocate(capacity: 1)
        let code = uv_poll_init(loop, handle, descriptor)
        guard code == 0 else {
            handle.deallocate()
            throw SystemError("watch descriptor \(descriptor)", code: -code)
        }
        self.handler = handler
        self.interest = interest
        handle.pointee.data = Unmanaged.passRetained(self).toOpaque()  // released by `cancel`
        apply()
    }

    func cancel() {
        guard !isCancelled else { return }
        isCancelled = true
        handle.pointee.data = nil
        handle.withMemoryRebound(to: uv_handle_t.self, capacity: 1) { handle in
            uv_close(handle) { UnsafeMutableRawPointer($0)?.deallocate() }
        }
        Unmanaged.passUnretained(self).release()
    }

    static func of(_ handle: UnsafeMutablePointer<uv_handle_t>) -> PollWatch? {
        guard let data = handle.pointee.data else { return nil }
        return Unmanaged<PollWatch>.fromOpaque(data).takeUnretainedValue()
    }

    private func apply() {
        var events: UInt32 = 0
        if interest.contains(.readable) { events |= UV_READABLE.rawValue }
        if interest.contains(.writable) { events |= UV_WRITABLE.rawValue }
        let code = events == 0 ? uv_poll_stop(handle) : uv_poll_start(handle, Int32(events), Self.fired)
        precondition(code == 0, "a watched descriptor was closed before its watch was cancelled")
    }

    private static let fired: uv_poll_cb = { handle, status, events in
        guard let data = handle?.pointee.data else { return }
        Unmanaged<PollWatch>.fromOpaque(data).takeUnretainedValue().fired(status, events)
    }

    /// libuv stops a watch when the descriptor has an error pending. The handler finds that error by its next system
    /// call, so it is told "ready for all", and the watch goes on if it is still wanted.
    private func fired(_ status: Int32, _ events: Int32) {
        guard status >= 0 else {
            handler([.readable, .writable])
            if !isCancelled { apply() }
            return
        }
        var readiness: Readiness = []
        if UInt32(events) & UV_READABLE.rawValue != 0 { readiness.insert(.readable) }
        if UInt32(events) & UV_WRITABLE.rawValue != 0 { readiness.insert(.writable) }
        handler(readiness)
    }
}
