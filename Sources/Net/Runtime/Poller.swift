// The waiting of a shard, on epoll: readiness of descriptors, a wake-up from other threads, signals, a time limit.
//
// docs/decisions/0001-one-descriptor-primitive.md says why readiness is all that is asked of the system, and what
// libuv cost here before.

import Base
import CShims
import Glibc

final class Poller {
    /// Events taken from the kernel at once. More would only delay timers behind a crowd.
    private static let eventsPerWait = 256

    private let poller: Int32
    private let doorbell: Int32
    private let events: UnsafeMutablePointer<plexi_readiness>
    /// By the lower half of an event's token; the upper half is the watch's own number, so that an event for a place
    /// that was given out again finds nobody.
    ///
    /// Unchecked, as `free`: the shard's thread alone reaches them, and no access calls anything of others.
    @exclusivity(unchecked) private var watches: [PollWatch?] = []
    @exclusivity(unchecked) private var free: [Int] = []
    private var nextNumber: UInt32 = 1
    private var signals: [(number: Int32, doorbell: Int32, watch: PollWatch)] = []
    /// No watch has this token: it is the doorbell's.
    private static let doorbellToken = UInt64.max

    init() throws(SystemError) {
        poller = plexi_poller_make()
        guard poller >= 0 else { throw SystemError("make an event loop") }
        doorbell = plexi_doorbell_make()
        guard doorbell >= 0, plexi_poller_add(poller, doorbell, Self.doorbellToken, UInt32(PLEXI_READABLE)) == 0 else {
            let code = errno
            Glibc.close(poller)
            if doorbell >= 0 { Glibc.close(doorbell) }
            throw SystemError("make an event loop", code: code)
        }
        events = .allocate(capacity: Self.eventsPerWait)
    }

    deinit { events.deallocate() }

    /// Ends `wait`. The only call that may come from another thread.
    func wake() { plexi_doorbell_ring(doorbell) }

    /// Waits for a ready descriptor, a wake-up or the deadline, and calls the watches of what is ready.
    func wait(until deadline: Instant?) {
        guard let deadline else { return take(limit: -1) }
        let now = Instant.now().nanoseconds
        take(limit: deadline.nanoseconds > now ? Int64(clamping: deadline.nanoseconds - now) : 0)
    }

    /// Calls the watches of what is ready now.
    func poll() { take(limit: 0) }

    private func take(limit: Int64) {
        // Interrupted by a signal: the turn is over, and the signal's doorbell rings in the next one.
        let count = plexi_poller_wait(poller, events, Int32(Self.eventsPerWait), limit)
        for index in 0..<max(0, Int(count)) {
            let event = events[index]
            if event.token == Self.doorbellToken {
                plexi_doorbell_clear(doorbell)
            } else if let watch = watch(event.token) {
                watch.fired(Readiness(rawValue: UInt8(truncatingIfNeeded: event.ready)))
            }
        }
    }

    private func watch(_ token: UInt64) -> PollWatch? {
        let place = Int(UInt32(truncatingIfNeeded: token))
        guard place < watches.count, let watch = watches[place], watch.token == token else { return nil }
        return watch
    }

    // MARK: - Watches

    func watch(
        _ descriptor: Int32, for interest: Readiness, _ handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> PollWatch {
        let place = free.popLast() ?? watches.count
        if place == watches.count { watches.append(nil) }
        let token = UInt64(nextNumber) << 32 | UInt64(place)
        nextNumber &+= 1
        let watch = PollWatch(self, descriptor, token: token, interest, handler)
        watches[place] = watch
        guard watch.begin() else {
            let code = errno
            forget(watch)
            throw SystemError("watch descriptor \(descriptor)", code: code)
        }
        return watch
    }

    fileprivate func forget(_ watch: PollWatch) {
        let place = Int(UInt32(truncatingIfNeeded: watch.token))
        watches[place] = nil
        free.append(place)
    }

    /// 0, or -1 with errno.
    fileprivate func set(_ watch: PollWatch, registered: Bool) -> Int32 {
        let interest = UInt32(watch.interest.rawValue)
        // Without interest the kernel would still tell of errors, again and again.
        if interest == 0 { return registered ? plexi_poller_remove(poller, watch.descriptor) : 0 }
        return registered
            ? plexi_poller_change(poller, watch.descriptor, watch.token, interest)
            : plexi_poller_add(poller, watch.descriptor, watch.token, interest)
    }

    fileprivate func remove(_ descriptor: Int32) { _ = plexi_poller_remove(poller, descriptor) }

    // MARK: - Signals

    func watchSignal(_ number: Int32, _ handler: @escaping () -> Void) throws(SystemError) {
        let bell = plexi_doorbell_make()
        guard bell >= 0 else { throw SystemError("watch signal \(number)") }
        do throws(SystemError) {
            let watch = try watch(bell, for: .readable) { _ in
                plexi_doorbell_clear(bell)
                handler()
            }
            guard plexi_signal_watch(number, bell) == 0 else {
                let code = errno
                watch.cancel()
                throw SystemError("watch signal \(number)", code: code)
            }
            signals.append((number, bell, watch))
        } catch {
            Glibc.close(bell)
            throw error
        }
    }

    /// Cancels every watch and ends.
    func close() {
        for signal in signals {
            plexi_signal_unwatch(signal.number, signal.doorbell)
            signal.watch.cancel()
            Glibc.close(signal.doorbell)
        }
        signals = []
        for watch in watches { watch?.cancel() }
        Glibc.close(doorbell)
        Glibc.close(poller)
    }
}

/// One descriptor under watch. The poller keeps it until it is cancelled.
final class PollWatch: DescriptorWatch {
    fileprivate let descriptor: Int32
    fileprivate let token: UInt64
    private unowned let poller: Poller
    private let handler: (Readiness) -> Void
    private var isRegistered = false
    private var isCancelled = false

    var interest: Readiness {
        didSet {
            guard interest != oldValue, !isCancelled else { return }
            precondition(apply(), "a watched descriptor was closed before its watch was cancelled")
        }
    }

    fileprivate init(
        _ poller: Poller, _ descriptor: Int32, token: UInt64, _ interest: Readiness,
        _ handler: @escaping (Readiness) -> Void
    ) {
        self.poller = poller
        self.descriptor = descriptor
        self.token = token
        self.interest = interest
        self.handler = handler
    }

    fileprivate func begin() -> Bool { apply() }

    private func apply() -> Bool {
        guard poller.set(self, registered: isRegistered) == 0 else { return false }
        isRegistered = !interest.isEmpty
        return true
    }

    func cancel() {
        if isRegistered, !isCancelled { poller.remove(descriptor) }
        cancelBeforeClose()
    }

    /// The same for who closes the descriptor in the next line and has the only one of its file: closing takes that
    /// off the poller, so a system call is saved.
    func cancelBeforeClose() {
        guard !isCancelled else { return }
        isCancelled = true
        poller.forget(self)
    }

    /// The handler finds an error by its next system call, so it was told "ready for all".
    fileprivate func fired(_ readiness: Readiness) {
        let wanted = readiness.intersection(interest)
        if !isCancelled, !wanted.isEmpty || readiness == [.readable, .writable] { handler(readiness) }
    }
}
