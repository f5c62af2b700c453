// A journal on files in memory and a clock that the test moves.

import Base
import Synchronization
import TestKit

@testable import Recorder

final class JournalStage: Sendable {
    static let start = Instant(nanoseconds: 1_000_000_000_000)

    let recording: UUID
    let files = MemoryJournalFiles()
    let keys: TestJournalKeys
    let writer: JournalWriter
    private let box: Box

    init(
        _ recording: UUID = UUID(high: 5, low: 6), keys number: UInt8 = 1, bounds: JournalMachine.Bounds = .init()
    ) throws {
        self.recording = recording
        keys = try TestJournalKeys(number)
        let box = Box()
        writer = try JournalWriter(
            recording, JournalScript.beginning(at: Self.start), in: files, keys: keys.writing, threads: nil,
            bounds: bounds, clock: { box.moment }, observer: { state in box.heard.withLock { $0.append(state) } })
        self.box = box
    }

    /// What the writer's closures see.
    private final class Box: Sendable {
        let time = Mutex(Duration.zero)
        let heard = Mutex<[JournalState]>([])
        var moment: JournalMoment {
            let time = time.withLock { $0 }
            return JournalMoment(
                instant: JournalStage.start + time, civil: Timestamp(secondsSinceEpoch: 1_790_000_000) + time)
        }
    }

    var states: [JournalState] { box.heard.withLock { $0 } }
    var now: Instant { box.moment.instant }

    /// Moves the clock to a recording's time, and lets the writer work on the way as its threads would.
    func move(to time: RecordingTime) {
        while true {
            let next = box.time.withLock { now -> Duration? in
                let target = time - .zero
                guard now < target else { return nil }
                now = min(target, now + JournalThreads.tick)
                return now
            }
            guard next != nil else { return }
            _ = writer.advance(at: now)
        }
    }

    /// Time that passes while a disk is waited for.
    func skip(_ duration: Duration) { box.time.withLock { $0 += duration } }

    @discardableResult
    func put(_ entry: JournalEntry) -> JournalVerdict {
        writer.put(entry.content, at: Self.start + (entry.time - .zero))
    }

    /// Ends it, and gives everything the time it needs.
    func finish(_ reason: JournalEnd = .stopped) async throws -> JournalManifest {
        writer.end(reason, at: now)
        for _ in 0..<200 where writer.advance(at: now) {
            move(to: RecordingTime(now, since: Self.start) + .seconds(1))
        }
        return try await writer.finish(reason, at: now)
    }

    func reader(_ mode: JournalReader.Mode = .strict) throws -> JournalReader {
        try JournalReader(files, with: keys.reading, expecting: recording, mode: mode)
    }

    /// All that files say, and what was wrong with them at last.
    static func read(
        _ files: any JournalFiles, _ keys: TestJournalKeys, expecting: UUID? = nil, _ mode: JournalReader.Mode = .strict
    ) -> (entries: [JournalEntry], error: JournalError?) {
        var entries: [JournalEntry] = []
        do throws(JournalError) {
            let reader = try JournalReader(files, with: keys.reading, expecting: expecting, mode: mode)
            while let entry = try reader.next() { entries.append(entry) }
            return (entries, nil)
        } catch { return (entries, error) }
    }

    /// A journal of so many entries, all of which may stand there. Ends with *ended* unless it is interrupted.
    static func made(
        _ count: Int = 600, seed: UInt64 = 1, recording: UUID = UUID(high: 5, low: 6), keys: UInt8 = 1,
        isInterrupted: Bool = false
    ) async throws -> (stage: JournalStage, entries: [JournalEntry]) {
        let stage = try JournalStage(recording, keys: keys)
        var script = JournalScript(seed: seed)
        var entries: [JournalEntry] = []
        for _ in 0..<count {
            let entry = script.next()
            stage.move(to: entry.time)
            if stage.put(entry) == .taken { entries.append(entry) }
        }
        if isInterrupted {
            stage.move(to: RecordingTime(stage.now, since: start) + .seconds(3))
        } else {
            _ = try await stage.finish()
        }
        return (stage, entries)
    }
}
