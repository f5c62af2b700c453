import Base
import TestKit
import Testing

@testable import Recorder

/// Writer and reader against each other.
@Suite struct JournalTests {
    @Test(arguments: 1...8) func `what was put in is read, with its end`(seed: UInt64) async throws {
        let (stage, put) = try await JournalStage.made(2_000, seed: seed)
        let (read, error) = JournalStage.read(stage.files, stage.keys, expecting: stage.recording)
        #expect(error == nil)
        #expect(read.first?.content == .began(JournalScript.beginning()))
        #expect(Array(read.dropFirst().dropLast()) == put)
        #expect(read.last?.content == .ended(.stopped))
        #expect(stage.files.files.keys.filter { $0 != "manifest.age" }.count > 10, "segments of a second")
        #expect(stage.states == [.ended(.stopped)])
    }

    @Test func `the manifest counts what was written`() async throws {
        let (stage, put) = try await JournalStage.made(1_500, seed: 3)
        let manifest = try #require(try stage.reader().manifest)
        let packets = put.compactMap { entry in if case .packet(let packet) = entry.content { packet } else { nil } }
        let consents = put.compactMap { entry in if case .consent(let consent) = entry.content { consent } else { nil }
        }
        #expect(manifest.totals.packets == UInt64(packets.count))
        #expect(manifest.totals.payloadBytes == packets.reduce(0) { $0 + UInt64($1.payload.count) })
        #expect(manifest.consents.map(\.consent) == consents)
        #expect(manifest.reason == .stopped)
        #expect(manifest.segments.count == stage.files.files.count - 1)
        let survey = try JournalSurvey(reading: try stage.reader())
        #expect(survey.tracks.reduce(0) { $0 + $1.packets } == manifest.totals.packets)
        #expect(survey.end == .stopped)
        let withdrawn = Set(consents.filter { $0.decision == .withdrawn }.map(\.participant))
        #expect(!withdrawn.isEmpty, "the seed has somebody who withdraws")
        #expect(survey.tracks.contains { $0.isWithdrawn } && survey.givenOut().allSatisfy { !$0.isWithdrawn })
        let everybody = Set(survey.participants.keys)
        #expect(survey.givenOut(withdrawn: everybody).isEmpty)
    }

    /// A kill leaves what was durable: the files as they are at that moment. This disk takes no time, so a segment's age
    /// and two ticks are all that may be lost; the rest of the two seconds is for disks that do.
    @Test(arguments: 1...6) func `after a kill at any moment no more is lost than may be`(seed: UInt64) throws {
        let stage = try JournalStage()
        var script = JournalScript(seed: seed)
        var random = SplitMix(seed: seed)
        var put = [JournalEntry(at: .zero, .began(JournalScript.beginning()))]
        var kills = 0
        for _ in 0..<1_200 {
            let entry = script.next()
            stage.move(to: entry.time)
            if stage.put(entry) == .taken { put.append(entry) }
            guard Int.random(in: 0..<40, using: &random) == 0 else { continue }
            kills += 1
            let (read, error) = JournalStage.read(MemoryJournalFiles(stage.files.files), stage.keys)
            let safe = put.prefix { $0.time.microseconds < entry.time.microseconds - 1_100_000 }
            #expect(read == Array(put.prefix(read.count)), "nothing else than what was put in")
            #expect(read.count >= safe.count, "\(read.count) of \(put.count) entries; \(safe.count) are old enough")
            #expect(error == nil || (error == .empty && safe.isEmpty))
        }
        #expect(kills > 10)
    }

    @Test func `an interrupted recording says so and is read`() async throws {
        let (stage, put) = try await JournalStage.made(300, isInterrupted: true)
        let reader = try stage.reader()
        #expect(reader.isInterrupted)
        #expect(reader.beginning == JournalScript.beginning())
        let (read, error) = JournalStage.read(stage.files, stage.keys)
        #expect(error == nil)
        #expect(Array(read.dropFirst()) == put)
    }

    @Test func `a folder that is not empty is refused`() throws {
        let files = MemoryJournalFiles(["something": [1]])
        let keys = try TestJournalKeys()
        #expect(throws: JournalError.self) {
            _ = try JournalWriter(
                UUID(high: 1, low: 1), JournalScript.beginning(), in: files, keys: keys.writing, threads: nil)
        }
    }
}
