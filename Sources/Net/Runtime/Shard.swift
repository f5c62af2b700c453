// A shard: one thread, one loop, and everything that this thread owns.
//
// A turn of the loop: wait for descriptors and call their watches; fire due timers; take what other threads left in
// the mailbox; run jobs, up to a bound; let the objects that asked for it flush their output. `Poller` is the waiting
// (epoll); nothing outside this folder knows what it is made of.

package import Base
import CShims
import Glibc
import Synchronization

/// Told once, at the end of the turn of the loop in which it asked for it (`Shard.flushAtEndOfTurn`).
protocol TurnEndObserver: AnyObject {
    func turnEnded()
}

/// Told once, when the watches of what was ready in this turn were called, before timers and jobs: for datagrams, which
/// are late soon (`Shard.flushAfterPoll`).
package protocol PollEndObserver: AnyObject {
    func pollEnded()
}

/// `@unchecked Sendable`: the mailbox is a mutex; every other stored property is touched by the shard's own thread
/// only, from the moment that the thread starts.
package final class Shard: EventLoop, @unchecked Sendable {
    /// Jobs run in one turn before descriptors are looked at again. Higher amortises the poll over more jobs, lower
    /// lets sockets wait less behind a crowd of busy tasks, and answers leave while the next requests are worked on:
    /// WebSocket handshakes with 64 at a time rose from 0.85 to 0.93 of nginx's rate when this fell from 1,024.
    static let jobsPerTurn = 16

    /// Bytes that one read takes at most. Higher saves system calls on uploads, lower stays in the nearest cache.
    static let receiveBufferSize = 64 << 10

    /// How long the loop looks away while a crowd of connections comes and goes, beside what the kernel's timer slack
    /// (50 µs where nobody set it) makes of it. Longer lets more of them gather, shorter delays them, and who else is
    /// served here, less. With 64 handshakes at a time it saves a fifth of the server's time.
    private static let gatheringMicroseconds: UInt32 = 10
    /// With a timer due sooner than this, the loop does not look away.
    private static let gatheringMargin: Duration = .microseconds(500)

    /// What other threads, or this one, want to have run.
    private enum Work {
        case job(UnownedJob)
        /// Of an actor that lives on this shard.
        case actorJob(UnownedJob)
        case call(@Sendable () -> Void)
    }

    private struct Mailbox {
        var waiting: [Work] = []
        /// The shard waits, or is about to wait, for descriptors: whoever adds work must wake it.
        var ownerSleeps = false
        var isOpen = true
    }

    package let index: Int

    /// What sockets are read into, one after the other.
    let receiveBuffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: Shard.receiveBufferSize)
    let buffers = BufferPool()
    /// zlib states for the messages of this shard's WebSockets.
    let messageCompression = CompressionPool()

    /// What actors of this shard name as their executor. Not the shard itself: a task that only prefers the shard is
    /// of no actor, and running it as if it were one would send it through the queue again at each of its calls.
    private let actorQueue = ActorQueue()

    private let mailbox = Mutex(Mailbox())
    /// Threads that are about to wake this one.
    private let ringing = Atomic(0)
    private let poller: Poller
    private let timers = TimerHeap()
    private var thread = pthread_t()
    /// Work in order; the part before `nextReady` has run.
    private var ready: [Work] = []
    private var nextReady = 0
    private var flushing: [any TurnEndObserver] = []
    private var flushingAfterPoll: [any PollEndObserver] = []
    private var time = Instant.now()
    private var timeIsStale = true
    private var isStopping = false
    private var crowd = ConnectionCrowd()
    private var letsGather = false
    private var moreWait = false

    package init(index: Int = 0) throws(SystemError) {
        self.index = index
        poller = try Poller()
        receiveBuffer.initialize(repeating: 0)
        actorQueue.shard = self
        try startThread()
    }

    deinit { receiveBuffer.deallocate() }

    // MARK: The thread

    /// The shard whose thread this is.
    package static var current: Shard? {
        guard let context = plexi_thread_context() else { return nil }
        return Unmanaged<Shard>.fromOpaque(context).takeUnretainedValue()
    }

    package var isCurrent: Bool { plexi_thread_context() == Unmanaged.passUnretained(self).toOpaque() }

    private func startThread() throws(SystemError) {
        let retained = Unmanaged.passRetained(self)  // released by the thread when it ends
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { preconditionFailure("a shard's thread starts with its shard") }
                let shard = Unmanaged<Shard>.fromOpaque(context).takeRetainedValue()
                plexi_name_thread("plexi-shard-\(shard.index)")
                ThreadNiceness.takeFromProcess()
                plexi_set_thread_context(context)
                shard.run()
                plexi_set_thread_context(nil)
                return nil
            }, retained.toOpaque())
        guard code != 0 else { return }
        retained.release()
        throw SystemError("start a thread", code: code)
    }

    /// Runs what was submitted before, cancels every watch and timer, and ends the thread. Work that comes later is
    /// never run: stop who uses the shard first. Not to be called on the shard's own thread.
    package func stop() {
        precondition(!isCurrent, "a shard cannot wait for its own end")
        submit { self.isStopping = true }
        pthread_join(thread, nil)
    }

    // MARK: Work

    package func submit(_ work: @escaping @Sendable () -> Void) { add(.call(work)) }

    package func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    /// For an actor's `unownedExecutor`.
    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { actorQueue.asUnownedSerialExecutor() }

    fileprivate func enqueueOfActor(_ job: consuming ExecutorJob) { add(.actorJob(UnownedJob(job))) }

    package func checkIsolated() { precondition(isCurrent, "this belongs to another shard's thread") }

    private func add(_ work: Work) {
        if isCurrent {
            ready.append(work)
            return
        }
        let wakes = mailbox.withLock { mailbox in
            guard mailbox.isOpen else { return false }
            mailbox.waiting.append(work)
            guard mailbox.ownerSleeps else { return false }
            mailbox.ownerSleeps = false
            ringing.add(1, ordering: .relaxed)
            return true
        }
        guard wakes else { return }
        // Not under the lock: who is woken would often run at once, on this very core, and wait for it.
        poller.wake()
        ringing.subtract(1, ordering: .releasing)
    }

    /// Asks for one call of `turnEnded` when this turn's work is done, so that what the turn produced goes out in
    /// one piece. The caller asks at most once per turn.
    func flushAtEndOfTurn(_ observer: any TurnEndObserver) { flushing.append(observer) }

    // MARK: The loop

    package var now: Instant {
        if timeIsStale {
            time = .now()
            timeIsStale = false
        }
        return time
    }

    private func run() {
        while !isStopping {
            let mayWait = takeMail()
            timeIsStale = true
            if mayWait {
                gather()
                poller.wait(until: timers.earliest)
            } else {
                poller.poll()
            }
            if !flushingAfterPoll.isEmpty { flushAfterPoll() }
            timers.fire(dueAt: now)
            _ = takeMail()
            runReady()
            flush()
        }
        shutDown()
    }

    /// So many connections came, or went.
    func connectionsMoved(_ count: Int) {
        if crowd.add(count, at: now) { letsGather = true }
    }

    /// A listener has not taken all that there are.
    func connectionsWait() { moreWait = true }

    private func gather() {
        let isWanted = letsGather && !moreWait
        letsGather = false
        moreWait = false
        guard isWanted else { return }
        if let deadline = timers.earliest, deadline < .now() + Self.gatheringMargin { return }
        usleep(Self.gatheringMicroseconds)
    }

    /// Moves the mailbox behind what is ready. True when there is nothing to do but wait; from then on, whoever adds
    /// work wakes us.
    private func takeMail() -> Bool {
        mailbox.withLock { mailbox in
            if ready.isEmpty {
                swap(&ready, &mailbox.waiting)
            } else if !mailbox.waiting.isEmpty {
                ready += mailbox.waiting
                mailbox.waiting.removeAll(keepingCapacity: true)
            }
            mailbox.ownerSleeps = ready.isEmpty
            return ready.isEmpty
        }
    }

    private func runReady() {
        let end = nextReady + Self.jobsPerTurn
        while nextReady < min(ready.count, end) {
            let work = ready[nextReady]
            nextReady += 1
            switch work {
            case .job(let job): job.runSynchronously(on: asUnownedTaskExecutor())
            case .actorJob(let job):
                job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
            case .call(let call): call()
            }
        }
        guard nextReady > 0 else { return }
        if nextReady == ready.count {
            ready.removeAll(keepingCapacity: true)
        } else {
            ready.removeFirst(nextReady)
        }
        nextReady = 0
    }

    /// Asks for one call of `pollEnded` when the watches of this turn were called. The caller asks at most once per
    /// turn, from a watch; from elsewhere the call comes in the next turn.
    package func flushAfterPoll(_ observer: any PollEndObserver) { flushingAfterPoll.append(observer) }

    private func flushAfterPoll() {
        var index = 0
        while index < flushingAfterPoll.count {  // an observer may cause another one to ask
            flushingAfterPoll[index].pollEnded()
            index += 1
        }
        flushingAfterPoll.removeAll(keepingCapacity: true)
    }

    private func flush() {
        var index = 0
        while index < flushing.count {  // an observer may cause another one to ask
            flushing[index].turnEnded()
            index += 1
        }
        flushing.removeAll(keepingCapacity: true)
    }

    private func shutDown() {
        while true {
            _ = takeMail()
            if ready.isEmpty { break }
            runReady()
            flush()
        }
        mailbox.withLock { $0.isOpen = false }
        // Whoever still rings does so in a moment, and the poller must be there for it.
        while ringing.load(ordering: .acquiring) > 0 { sched_yield() }
        timers.removeAll()
        poller.close()
    }

    // MARK: Descriptors, timers, signals

    package func watch(
        _ descriptor: Int32, for interest: Readiness, _ handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> any DescriptorWatch {
        try poller.watch(descriptor, for: interest, handler)
    }

    /// The same with its own type, for those on this side of the seam.
    func pollWatch(
        _ descriptor: Int32, for interest: Readiness, _ handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> PollWatch {
        try poller.watch(descriptor, for: interest, handler)
    }

    package func timer(_ action: @escaping () -> Void) -> any ScheduledTimer { makeTimer(action) }

    /// The same with its own type, for those on this side of the seam.
    func makeTimer(_ action: @escaping () -> Void) -> ShardTimer {
        checkIsolated()
        return ShardTimer(heap: timers, action)
    }

    /// Calls `handler` on this thread each time the process receives the signal, instead of the signal's default
    /// effect. For the shard's whole life.
    package func watchSignal(_ number: Int32, _ handler: @escaping () -> Void) throws(SystemError) {
        checkIsolated()
        try poller.watchSignal(number, handler)
    }
}

/// A shard as its actors see it; lives as long.
///
/// `@unchecked Sendable`: `shard` is set once, before anybody else knows the shard.
private final class ActorQueue: SerialExecutor, @unchecked Sendable {
    fileprivate unowned(safe) var shard: Shard!

    func enqueue(_ job: consuming ExecutorJob) { shard.enqueueOfActor(job) }
    func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
    func checkIsolated() { shard.checkIsolated() }
    func isIsolatingCurrentContext() -> Bool? { shard.isCurrent }
}
