import Base
import TestKit
import Testing

@testable import Recorder

/// A disk that is full or slow: the recording says so, nobody waits, and gaps say what is missing.
@Suite struct FullDiskTests {
    private static func small() -> JournalMachine.Bounds {
        var bounds = JournalMachine.Bounds()
        (bounds.segment, bounds.reserve, bounds.waiting) = (256 << 10, 128 << 10, 512 << 10)
        return bounds
    }

    /// Somebody who agrees, with one track.
    private static func open(_ stage: JournalStage) {
        for content in [JournalOrderTests.named(), JournalOrderTests.consent(.agreed), JournalOrderTests.track()] {
            #expect(stage.put(JournalEntry(at: .zero, content)) == .taken)
        }
    }

    private static func send(_ stage: JournalStage, _ sequences: Range<UInt64>) -> [JournalVerdict] {
        sequences.map { sequence in
            let time = RecordingTime(microseconds: Int64(sequence) * 1_000)
            stage.move(to: time)
            return stage.put(
                JournalEntry(
                    at: time, JournalOrderTests.packet(sequence: sequence, payload: Bytes(repeating: 7, count: 1_000))))
        }
    }

    @Test func `what a full disk has no room for is a gap, and the recording goes on`() async throws {
        let stage = try JournalStage(bounds: Self.small())
        Self.open(stage)
        #expect(Self.send(stage, 1..<2_000).allSatisfy { $0 == .taken })
        stage.files.room = 0
        let full = Self.send(stage, 2_000..<6_000)
        let leftOut = full.count { $0 == .leftOut }
        #expect(full.allSatisfy { $0 == .taken || $0 == .leftOut })
        #expect(leftOut > 1_000, "memory is bounded")
        guard case .behind(.unavailable)? = stage.states.last else {
            Issue.record("it says that it is behind: \(stage.states)")
            return
        }
        stage.files.room = .max
        #expect(Self.send(stage, 6_000..<9_000).suffix(1_500).allSatisfy { $0 == .taken })
        #expect(stage.states.last == .writing)
        let manifest = try await stage.finish()
        let (read, error) = JournalStage.read(stage.files, stage.keys)
        #expect(error == nil)
        let gaps = read.compactMap { entry in if case .gap(let gap) = entry.content { gap } else { nil } }
        let packets = read.count { entry in if case .packet = entry.content { true } else { false } }
        #expect(gaps.allSatisfy { $0.reason == .journalBehind && $0.track == TrackNumber(1) })
        #expect(gaps.reduce(0) { $0 + $1.count } == manifest.totals.leftOut)
        #expect(UInt64(packets) + manifest.totals.leftOut == 8_999)
        #expect(manifest.totals.leftOut >= UInt64(leftOut))
    }

    @Test func `a consent finds room when packets find none`() async throws {
        let stage = try JournalStage(bounds: Self.small())
        Self.open(stage)
        stage.files.room = 0
        #expect(Self.send(stage, 1..<3_000).last == .leftOut)
        #expect(stage.put(JournalEntry(at: .zero, JournalOrderTests.consent(.withdrawn))) == .taken)
        guard case .refused = stage.put(JournalEntry(at: .zero, JournalOrderTests.packet())) else {
            Issue.record("media of who has withdrawn is refused, disk or not")
            return
        }
        stage.files.room = .max
        _ = try await stage.finish()
        let survey = try JournalSurvey(reading: try stage.reader())
        #expect(survey.givenOut().isEmpty && survey.leftOut > 0)
    }

    @Test func `when nothing at all has room, the recording has failed and says so`() async throws {
        let stage = try JournalStage(bounds: Self.small())
        Self.open(stage)
        stage.files.room = 0
        _ = Self.send(stage, 1..<2_000)
        var verdict = JournalVerdict.taken
        for _ in 0..<20_000 where verdict == .taken {
            verdict = stage.put(JournalEntry(at: .zero, .speaker(JournalOrderTests.alice)))
        }
        #expect(verdict == .over)
        stage.move(to: RecordingTime(stage.now, since: JournalStage.start) + .seconds(3))
        guard case .failed? = stage.states.last else {
            Issue.record("it says that it has failed: \(stage.states)")
            return
        }
        await #expect(throws: JournalError.self) { _ = try await stage.writer.finish(.stopped, at: stage.now) }
    }

    @Test func `a disk that is slower than was promised is said to be`() async throws {
        let stage = try JournalStage()
        Self.open(stage)
        stage.files.delay = { stage.skip(.milliseconds(1_500)) }
        stage.move(to: RecordingTime(microseconds: 1_500_000))
        guard stage.states.count == 1, case .behind(.unavailable)? = stage.states.first else {
            Issue.record("it says that it is behind: \(stage.states)")
            return
        }
        stage.files.delay = nil
        #expect(stage.put(JournalEntry(at: .zero, .speaker(nil))) == .taken)
        stage.move(to: RecordingTime(microseconds: 6_000_000))
        #expect(stage.states.last == .writing)
    }

    @Test func `an end that cannot be written is given up after a while`() async throws {
        let stage = try JournalStage()
        Self.open(stage)
        stage.move(to: RecordingTime(microseconds: 3_000_000))
        stage.files.room = 0
        await #expect(throws: JournalError.self) { _ = try await stage.finish() }
        #expect(stage.states.count == 2, "behind, and then failed: \(stage.states)")
        let (read, error) = JournalStage.read(stage.files, stage.keys)
        #expect(error == nil && read.count == 4, "what was durable is read")
    }

    @Test func `a recording that has all the segments it may have ends`() async throws {
        var bounds = JournalMachine.Bounds()
        bounds.segments = 5
        let stage = try JournalStage(bounds: bounds)
        Self.open(stage)
        #expect(Self.send(stage, 1..<9_000).last == .over)
        stage.move(to: RecordingTime(microseconds: 12_000_000))
        #expect(stage.states == [.ended(.bound)])
        let reader = try stage.reader()
        #expect(reader.manifest?.reason == .bound)
        #expect(reader.manifest?.segments.count == 5)
        let (read, error) = JournalStage.read(stage.files, stage.keys)
        #expect(error == nil && read.last?.content == .ended(.bound))
    }

    @Test func `too many people end it, and are said to`() throws {
        let stage = try JournalStage()
        var verdicts: [JournalVerdict] = []
        for number in 0...JournalLimits.participants {
            verdicts.append(
                stage.put(JournalEntry(at: .zero, JournalOrderTests.named(UUID(high: 2, low: UInt64(number))))))
        }
        #expect(verdicts.dropLast().allSatisfy { $0 == .taken } && verdicts.last == .over)
    }
}
