import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct ReceiveStreamTests {
    private let start = Instant(nanoseconds: 5_000_000_000)

    private func header(_ sequence: Int, timestamp: UInt32) -> RTPHeader {
        var bytes = Bytes(repeating: 0, count: 12)
        bytes.withUnsafeMutableBytes { buffer in
            var span = buffer.mutableBytes
            RTPFixedHeader.write(
                marker: false, payloadType: 96, sequenceNumber: UInt16(truncatingIfNeeded: sequence),
                timestamp: timestamp, ssrc: 7, hasExtension: false, into: &span)
        }
        guard let header = bytes.withUnsafeBytes({ try? RTPHeader(parsing: $0.bytes) }) else { fatalError("a header") }
        return header
    }

    /// Packets 20 ms apart on a 48 kHz clock, each with a delay in milliseconds.
    private func play(_ sequences: [Int], on stream: inout ReceiveStream, delay: (Int) -> Int = { _ in 0 }) {
        for (index, sequence) in sequences.enumerated() {
            let now = start + .milliseconds(20 * Int64(index) + Int64(delay(index)))
            _ = stream.receive(header(sequence, timestamp: UInt32(960 * index)), byteCount: 112, now: now)
        }
    }

    @Test func `a whole stream has no loss and no jitter`() throws {
        var stream = ReceiveStream(ssrc: 7, clockRate: 48_000)
        play(Array(65_500..<65_600), on: &stream)
        let reportBlock = stream.reportBlock(now: start)
        let report = try #require(reportBlock)
        #expect(report.fractionLost == 0 && report.cumulativeLost == 0 && report.jitter == 0 && report.ssrc == 7)
        #expect(report.highestSequence == 1 << 16 | 63)
        #expect(stream.statistics.packetCount == 100 && stream.statistics.byteCount == 10_000)
        #expect(report.lastSenderReport == 0 && report.delaySinceLastSenderReport == 0)
    }

    @Test(arguments: [
        // Every fourth is lost: a quarter of 256.
        ((0..<100).filter { $0 % 4 != 2 }, 64, 25),
        // Reordered, nothing lost.
        ([0, 2, 1, 3, 5, 4], 0, 0),
        // A duplicate hides a loss in the sum, as the RFC has it.
        ([0, 1, 1, 3], 0, 0),
        // More duplicates than losses: below zero.
        ([0, 1, 1, 1, 2], 0, -2),
        // What came before the first is expected from then on.
        ([5, 4, 6], 0, 0), ([5, 3, 6], 64, 1),
    ])
    func `loss is counted as RFC 3550 counts it`(sequences: [Int], fraction: UInt8, lost: Int32) throws {
        var stream = ReceiveStream(ssrc: 7, clockRate: 48_000)
        play(sequences, on: &stream)
        let reportBlock = stream.reportBlock(now: start)
        let report = try #require(reportBlock)
        #expect(report.fractionLost == fraction && report.cumulativeLost == lost)
    }

    @Test func `the fraction is of the time since the last report`() throws {
        var stream = ReceiveStream(ssrc: 7, clockRate: 48_000)
        play([0, 2], on: &stream)
        let firstBlock = stream.reportBlock(now: start)
        let first = try #require(firstBlock)
        #expect(first.fractionLost == 85 && first.cumulativeLost == 1)
        let none = stream.reportBlock(now: start)
        #expect(none == nil, "no packet, no block")
        play([3, 4], on: &stream)
        let secondBlock = stream.reportBlock(now: start)
        let second = try #require(secondBlock)
        #expect(second.fractionLost == 0 && second.cumulativeLost == 1)
    }

    @Test func `a jump of the numbers is no loss`() throws {
        var stream = ReceiveStream(ssrc: 7, clockRate: 48_000)
        play([0, 2, 20_000, 20_002], on: &stream)
        let reportBlock = stream.reportBlock(now: start)
        let report = try #require(reportBlock)
        #expect(report.cumulativeLost == 2 && report.fractionLost == 85)
    }

    @Test func `jitter goes to the mean of the changes`() {
        var stream = ReceiveStream(ssrc: 7, clockRate: 48_000)
        // Delays of 0 and 5 ms in turn: each transit differs by 240 units from the one before.
        play(Array(0..<300), on: &stream, delay: { $0 % 2 * 5 })
        #expect((235...240).contains(stream.statistics.jitter))
        #expect(stream.statistics.jitterDuration.milliseconds == 4)
    }

    @Test func `packets of one frame add no jitter`() {
        var stream = ReceiveStream(ssrc: 7, clockRate: 90_000)
        for frame in 0..<50 {
            for part in 0..<5 {
                let now = start + .milliseconds(Int64(frame * 40 + part * 3))
                _ = stream.receive(
                    header(frame * 5 + part, timestamp: UInt32(frame * 3_600)), byteCount: 1_000, now: now)
            }
        }
        // Between the last packet of a frame and the first of the next the spread shows: 12 ms of 40.
        #expect(stream.statistics.jitter <= 1_080)
    }

    @Test func `a clock that is set adds no jitter`() {
        var stream = ReceiveStream(ssrc: 7, clockRate: 48_000)
        play([0, 1, 2], on: &stream)
        _ = stream.receive(header(3, timestamp: 0xF000_0000), byteCount: 112, now: start + .milliseconds(60))
        #expect(stream.statistics.jitter == 0)
    }

    @Test func `the delay since the sender's report is told`() throws {
        var stream = ReceiveStream(ssrc: 7, clockRate: 48_000)
        play([0], on: &stream)
        let info = RTCPSenderInfo(
            ssrc: 7, ntpTime: 0x1122_3344_5566_7788, rtpTimestamp: 1_000, packetCount: 0, octetCount: 0)
        stream.receive(info, now: start)
        let reportBlock = stream.reportBlock(now: start + .milliseconds(1_500))
        let report = try #require(reportBlock)
        #expect(report.lastSenderReport == 0x3344_5566 && report.delaySinceLastSenderReport == 98_304)
    }

    @Test func `retransmitted numbers are extended and not counted`() {
        var stream = ReceiveStream(ssrc: 7, clockRate: 90_000)
        play([65_535, 65_537], on: &stream)
        #expect(stream.extend(0) == 131_072 && stream.statistics.packetCount == 2)
        #expect(stream.highestSequence == 131_073)
    }

    @Test func `timestamps and sender's time are turned into each other`() {
        var clock = SenderClock()
        #expect(clock.ntpTime(of: 0, rate: 90_000) == nil && clock.timestamp(at: 0, rate: 90_000) == nil)
        let info = RTCPSenderInfo(
            ssrc: 7, ntpTime: 100 << 32, rtpTimestamp: 0xFFFF_FF00, packetCount: 0, octetCount: 0)
        clock.update(info, now: start)
        #expect(clock.ntpTime(of: 0xFFFF_FF00 &+ 45_000, rate: 90_000) == 100 << 32 | 1 << 31)
        #expect(clock.ntpTime(of: 0xFFFF_FF00 &- 45_000, rate: 90_000) == 99 << 32 | 1 << 31)
        #expect(clock.timestamp(at: 101 << 32, rate: 90_000) == 0xFFFF_FF00 &+ 90_000)
        #expect(clock.timestamp(at: 99 << 32 | 1 << 31, rate: 90_000) == 0xFFFF_FF00 &- 45_000)
        for offset in stride(from: -3_000_000, through: 3_000_000, by: 77_777) {
            let timestamp = 0xFFFF_FF00 &+ UInt32(truncatingIfNeeded: offset)
            let back = clock.ntpTime(of: timestamp, rate: 90_000).flatMap { clock.timestamp(at: $0, rate: 90_000) }
            #expect(back.map { abs(Int32(bitPattern: $0 &- timestamp)) <= 1 } == true)
        }
    }
}
