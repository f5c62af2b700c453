import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct TransportFeedbackRecorderTests {
    private struct Report {
        var base: SequenceNumber
        var count: UInt8
        var bytes: Int
        /// By number, the arrival in microseconds.
        var arrivals: [(SequenceNumber, Int64?)]
    }

    private func time(_ microseconds: Int) -> Instant { Instant(nanoseconds: UInt64(microseconds) * 1_000) }

    private func build(_ recorder: inout TransportFeedbackRecorder, at microseconds: Int) -> [Report] {
        var reports: [Report] = []
        var bytes = Bytes()
        while recorder.build(now: time(microseconds), from: 1, to: 2, into: &bytes) {
            if let report = read(bytes) { reports.append(report) } else { Issue.record("what was written is not read") }
            bytes.removeAll()
        }
        return reports
    }

    private func read(_ bytes: Bytes) -> Report? {
        bytes.withUnsafeBytes { buffer in
            do throws(WireError) {
                var reader = try RTCPReader(buffer.bytes)
                guard let block = reader.next() else { return nil }
                var feedback = try RTCPTransportFeedback(parsing: block, in: buffer.bytes)
                var arrivals: [(SequenceNumber, Int64?)] = []
                while let item = feedback.next() {
                    arrivals.append((item.sequence, item.hasArrival ? item.arrival : nil))
                }
                return Report(
                    base: feedback.baseSequence, count: feedback.feedbackCount, bytes: bytes.count, arrivals: arrivals)
            } catch {
                return nil
            }
        }
    }

    @Test func `a report comes after 100 ms, after 50 when many wait`() {
        var recorder = TransportFeedbackRecorder()
        #expect(recorder.deadline == nil)
        recorder.record(5, now: time(1_000))
        #expect(recorder.deadline == time(101_000) && build(&recorder, at: 100_999).isEmpty)
        #expect(build(&recorder, at: 101_000).count == 1 && recorder.deadline == nil)
        for number in 6..<70 { recorder.record(SequenceNumber(number), now: time(200_000)) }
        #expect(recorder.deadline == time(250_000))
    }

    @Test func `times and gaps are told`() throws {
        var recorder = TransportFeedbackRecorder()
        recorder.record(65_534, now: time(70_000))
        recorder.record(65_535, now: time(70_250))
        recorder.record(2, now: time(90_000))
        recorder.record(1, now: time(95_000))
        let report = try #require(build(&recorder, at: 200_000).first)
        #expect(report.base == 65_534 && report.count == 0)
        #expect(report.arrivals.map(\.0) == [65_534, 65_535, 0, 1, 2])
        #expect(report.arrivals.map(\.1) == [70_000, 70_250, nil, 95_000, 90_000])
        recorder.record(5, now: time(300_000))
        let next = try #require(build(&recorder, at: 400_000).first)
        #expect(next.base == 3 && next.count == 1 && next.arrivals.map(\.1) == [nil, nil, 300_000])
    }

    @Test func `a late packet makes the next report begin with it`() throws {
        var recorder = TransportFeedbackRecorder()
        for number in [10, 11, 13, 14] { recorder.record(SequenceNumber(number), now: time(1_000 * number)) }
        #expect(build(&recorder, at: 200_000).count == 1)
        recorder.record(12, now: time(201_000))
        let report = try #require(build(&recorder, at: 400_000).first)
        #expect(report.base == 12 && report.arrivals.map(\.1) == [201_000, 13_000, 14_000])
        recorder.record(12, now: time(500_000))
        #expect(recorder.deadline == nil, "a duplicate is no news")
    }

    @Test func `a pause longer than a delta holds ends a report`() {
        var recorder = TransportFeedbackRecorder()
        recorder.record(1, now: time(1_000_000))
        recorder.record(2, now: time(10_000_000))
        let reports = build(&recorder, at: 20_000_000)
        #expect(reports.map(\.base) == [1, 2] && reports.map(\.count) == [0, 1])
        #expect(reports.map { $0.arrivals.map(\.1) } == [[1_000_000], [10_000_000]])
    }

    @Test func `reports stay within a datagram`() {
        var recorder = TransportFeedbackRecorder()
        var random = SplitMix(seed: 3)
        for number in 0..<3_000 {
            // Worst for chunks and deltas: large ones, and no runs.
            if number % 3 != 1 {
                recorder.record(
                    SequenceNumber(number), now: time(number * 100 + Int.random(in: 0...1, using: &random) * 80_000))
            }
        }
        let reports = build(&recorder, at: 90_000_000)
        #expect(reports.count == 5 && reports.allSatisfy { $0.bytes <= 1_200 })
        #expect(reports.flatMap { $0.arrivals }.count { $0.1 != nil } == 2_000)
    }

    @Test func `a gap that the ring does not hold is a new beginning`() {
        var recorder = TransportFeedbackRecorder()
        recorder.record(1, now: time(1_000))
        recorder.record(20_000, now: time(2_000))
        let reports = build(&recorder, at: 200_000)
        #expect(recorder.resetCount == 1 && reports.map(\.base) == [20_000])
        #expect(reports.first?.arrivals.map(\.1) == [2_000])
    }

    @Test func `one number of garbage does not end the reports`() {
        var recorder = TransportFeedbackRecorder()
        for number in 0..<10 { recorder.record(SequenceNumber(number), now: time(1_000)) }
        recorder.record(30_000, now: time(1_500))
        for number in 10..<100 { recorder.record(SequenceNumber(number), now: time(2_000)) }
        #expect(recorder.strayCount == 32 && recorder.resetCount == 2)
        let told = build(&recorder, at: 200_000).flatMap { $0.arrivals.map(\.0) }
        #expect(told == Array(41..<100))
    }

    @Test func `the wrap of the reference time is told as it is`() {
        var recorder = TransportFeedbackRecorder()
        // 2^32 units of 250 µs, less one.
        let turn = (1 << 32) * 250
        recorder.record(1, now: time(turn - 250))
        recorder.record(2, now: time(turn + 500))
        let arrivals = build(&recorder, at: turn + 200_000).flatMap { $0.arrivals.compactMap(\.1) }
        #expect(arrivals == [-250, 500])
    }

    /// Against the truth: every packet that came is told with its arrival, unless it came too late.
    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64]) func `any loss and order`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var recorder = TransportFeedbackRecorder()
        var events: [(at: Int, number: Int)] = []
        for number in 0..<20_000 where Int.random(in: 0..<10, using: &random) > 0 {
            let jitter = Int.random(in: 0..<20, using: &random) == 0 ? Int.random(in: 0...60_000, using: &random) : 0
            events.append((1_000_000 + number * 700 + jitter, 60_000 + number))
            if Int.random(in: 0..<50, using: &random) == 0 {
                events.append((1_000_500 + number * 700, 60_000 + number))
            }
        }
        events.sort { $0.at < $1.at }
        var truth: [SequenceNumber: Int64] = [:]
        var told: [SequenceNumber: Int64] = [:]
        var lastTick = 0
        for event in events {
            if event.at - lastTick >= 20_000 {
                lastTick = event.at
                for (number, arrival) in build(&recorder, at: event.at).flatMap({ $0.arrivals }) {
                    guard let arrival else { continue }
                    #expect(told[number] ?? arrival == arrival)
                    told[number] = arrival
                }
            }
            let number = SequenceNumber(truncatingIfNeeded: event.number)
            recorder.record(number, now: time(event.at))
            if truth[number] == nil { truth[number] = Int64(event.at / 250 * 250) }
        }
        for (number, arrival) in build(&recorder, at: lastTick + 1_000_000).flatMap({ $0.arrivals }) {
            if let arrival { told[number] = arrival }
        }
        #expect(told == truth && recorder.resetCount == 0 && recorder.strayCount == 0)
    }
}
