// Writes a journal while a call goes on. Whoever puts something in copies it into the open segment and goes on; sealing,
// writing and waiting for the disk are done by one of the `JournalThreads`. It holds the lock only to take a segment.

package import Base
import Synchronization

package enum JournalState: Sendable, Equatable {
    case writing
    /// The disk cannot be written, or is too slow for what was promised. What is put in is kept in memory and, when that
    /// is full, left out. It is tried on.
    case behind(JournalError)
    /// Everything is durable, and the manifest too.
    case ended(JournalEnd)
    /// Nothing more will be written. What was durable before can be read.
    case failed(JournalError)
}

package final class JournalWriter: Sendable {
    package let recording: UUID
    package let beginning: JournalBeginning
    private let files: any JournalFiles
    private let machine: Mutex<JournalMachine>
    private let work: Mutex<JournalWork>
    private let ending = Mutex(Ending())
    /// From when on failures are not tried again for ever. Apart from `work`, which is locked while a disk is waited for.
    private let endedAt = Mutex<Instant?>(nil)
    private let clock: @Sendable () -> JournalMoment
    private let observer: @Sendable (JournalState) -> Void

    private struct Ending {
        var result: Result<JournalManifest, JournalError>?
        var waiting: [CheckedContinuation<Result<JournalManifest, JournalError>, Never>] = []
    }

    /// The folder must be empty. `observer` hears of changes of the state, on a thread of the recorder: it must not wait.
    /// With `threads` `nil`, whoever made it calls `advance`.
    package init(
        _ recording: UUID, _ beginning: JournalBeginning, in files: any JournalFiles, keys: JournalWritingKeys,
        threads: JournalThreads? = .shared, bounds: JournalMachine.Bounds = .init(),
        clock: @escaping @Sendable () -> JournalMoment = JournalMoment.now,
        observer: @escaping @Sendable (JournalState) -> Void = { _ in }
    ) throws(JournalError) {
        guard try files.names().isEmpty else {
            throw .refused("the folder of recording \(recording) is not empty; each recording has one of its own")
        }
        guard beginning.version.utf8.count <= JournalLimits.version else { throw .refused("the version is too long") }
        self.recording = recording
        self.beginning = beginning
        self.files = files
        (self.clock, self.observer) = (clock, observer)
        let moment = JournalMoment(instant: beginning.instant, civil: beginning.started)
        machine = Mutex(JournalMachine(beginning, at: moment, bounds: bounds))
        work = Mutex(JournalWork(recording: recording, keys: keys))
        threads?.add(self)
    }

    // MARK: Putting in

    /// A packet that came at `arrival`. Waits for nothing.
    package func put(
        _ head: JournalPacketHead, descriptor: RawSpan, payload: RawSpan, arrival: Instant
    ) -> JournalVerdict {
        machine.withLock { $0.put(head, descriptor: descriptor, payload: payload, arrival: arrival, now: clock) }
    }

    /// Anything else that happened at `instant`.
    @discardableResult
    package func put(_ content: JournalEntry.Content, at instant: Instant) -> JournalVerdict {
        let entry = JournalEntry(at: RecordingTime(instant, since: beginning.instant), content)
        return machine.withLock { $0.put(entry, now: clock) }
    }

    /// How many participants agree.
    package var agreeing: Int { machine.withLock { $0.agreeing } }

    /// Writes the end and the manifest, and returns when both are durable. What fails for longer than
    /// `JournalLimits.finishing` is given up: the recording is then an interrupted one, with all that was durable.
    package func finish(_ reason: JournalEnd, at instant: Instant) async throws(JournalError) -> JournalManifest {
        end(reason, at: instant)
        return try await withCheckedContinuation { continuation in
            let result = ending.withLock { ending -> Result<JournalManifest, JournalError>? in
                if ending.result == nil { ending.waiting.append(continuation) }
                return ending.result
            }
            if let result { continuation.resume(returning: result) }
        }.get()
    }

    /// Writes the end, and returns at once.
    package func end(_ reason: JournalEnd, at instant: Instant) {
        let time = RecordingTime(instant, since: beginning.instant)
        machine.withLock { $0.finish(reason, at: time, now: clock) }
        endedAt.withLock { $0 = $0 ?? instant }
    }

    // MARK: Writing

    /// Closes what is due, and writes what is closed. False when there will never be anything to do again. One thread at
    /// a time.
    package func advance(at now: Instant) -> Bool {
        guard ending.withLock({ $0.result == nil }) else { return false }
        var news: [JournalState] = []
        let goesOn = work.withLock { step(&$0, now, &news) }
        for state in news { observer(state) }
        return goesOn
    }

    private func step(_ work: inout JournalWork, _ now: Instant, _ news: inout [JournalState]) -> Bool {
        do throws(JournalError) {
            while now >= work.retryAt {
                if work.pending == nil, let segment = next(now) { try work.seal(segment) }
                guard let pending = work.pending else { break }
                try files.write(pending.sealed.file, to: pending.sealed.name)
                let segment = work.isWritten()
                let age = RecordingTime(clock().instant, since: beginning.instant) - segment.time
                machine.withLock { $0.isDurable(segment) }
                tell(age > JournalLimits.lossMost ? Self.slow : nil, &work, &news)
            }
            let (isOverflown, isDrained, end) = machine.withLock { ($0.isOverflown, $0.isDrained, $0.end) }
            if isOverflown { throw .unavailable("the disk was too slow or too full for too long") }
            guard isDrained, let end, now >= work.retryAt else { return true }
            let manifest = manifest(work, end)
            try files.write(
                try AgeFile.seal([manifest.signed(with: work.keys)], for: work.keys), to: JournalManifest.file)
            news.append(.ended(end))
            conclude(.success(manifest))
            return false
        } catch { return failed(error, &work, now, &news) }
    }

    private func next(_ now: Instant) -> ClosedSegment? {
        machine.withLock {
            $0.closeDue(at: now)
            return $0.take()
        }
    }

    private func failed(
        _ error: JournalError, _ work: inout JournalWork, _ now: Instant, _ news: inout [JournalState]
    ) -> Bool {
        let isOverflown = machine.withLock { $0.isOverflown }
        let isRefused = if case .refused = error { true } else { false }
        let isFinal =
            isOverflown || isRefused || endedAt.withLock { $0 }.map { now >= $0 + JournalLimits.finishing } ?? false
        if isFinal {
            news.append(.failed(error))
            conclude(.failure(error))
            return false
        }
        work.retryAt = now + JournalLimits.retry
        tell(error, &work, &news)
        return true
    }

    /// Each change of it once.
    private func tell(_ trouble: JournalError?, _ work: inout JournalWork, _ news: inout [JournalState]) {
        if let trouble, !work.isBehind { news.append(.behind(trouble)) }
        if trouble == nil, work.isBehind { news.append(.writing) }
        work.isBehind = trouble != nil
    }

    private static let slow = JournalError.unavailable(
        "the disk takes so long for a second of the recording that a crash would lose more than two")

    private func manifest(_ work: borrowing JournalWork, _ reason: JournalEnd) -> JournalManifest {
        machine.withLock { machine in
            JournalManifest(
                recording: recording, call: beginning.call, started: beginning.started,
                ended: beginning.started + (machine.endTime - .zero), time: machine.endTime, reason: reason,
                totals: machine.totals, segments: work.written, consents: machine.consents)
        }
    }

    private func conclude(_ result: Result<JournalManifest, JournalError>) {
        let waiting = ending.withLock { ending in
            ending.result = result
            defer { ending.waiting = [] }
            return ending.waiting
        }
        for continuation in waiting { continuation.resume(returning: result) }
    }
}

/// What belongs to the thread that writes.
struct JournalWork: ~Copyable, Sendable {
    private var sealer: SegmentSealer
    /// Sealed, and not durable.
    private(set) var pending: (segment: ClosedSegment, sealed: SegmentSealer.Sealed)?
    private(set) var written: [JournalManifest.Segment] = []
    var retryAt = Instant(nanoseconds: 0)
    var isBehind = false

    init(recording: UUID, keys: JournalWritingKeys) { sealer = SegmentSealer(recording: recording, keys: keys) }

    var keys: JournalWritingKeys { sealer.keys }

    mutating func seal(_ segment: ClosedSegment) throws(JournalError) {
        pending = (segment, try sealer.seal(segment))
    }

    /// Gives back the memory of what is durable.
    mutating func isWritten() -> ClosedSegment {
        guard let (segment, sealed) = pending.take() else { preconditionFailure("nothing was being written") }
        written.append(JournalManifest.Segment(length: UInt32(sealed.file.count), hash: sealed.hash))
        return segment
    }
}
