import Base
import Testing
import Wire

@testable import Media

@Suite struct SenderReportsTests {
    private let start = Instant(nanoseconds: 7_000_000_000)
    private let second: UInt64 = 1 << 32

    @Test func `NTP time counts from 1900`() {
        #expect(NTPTime.time(Timestamp(secondsSinceEpoch: 0)) == 2_208_988_800 << 32)
        #expect(NTPTime.time(Timestamp(microsecondsSinceEpoch: 1_500_000)) == 2_208_988_801 * second + second / 2)
        let clock = NTPClock(start, is: Timestamp(secondsSinceEpoch: 100))
        #expect(clock.time(start + .milliseconds(250)) == 2_208_988_900 * second + second / 4)
        #expect(NTPTime.middle(0x1122_3344_5566_7788) == 0x3344_5566)
        #expect(NTPTime.duration(middle: 98_304) == .milliseconds(1_500))
        #expect(NTPTime.duration(.milliseconds(1_500)) == 3 << 31)
    }

    @Test func `the example of RFC 3550 has its round trip`() {
        // Figure 2: A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 0x0005:4000, answer 6.125 s.
        let trip = RoundTrip.measure(lastReport: 0xB705_2000, delay: 0x0005_4000, now: 0xB710_8000 << 16)
        #expect(trip == .milliseconds(6_125))
    }

    @Test(arguments: [
        (0, 0, 0x1_0000, nil as Duration?),
        // The clock's wrap between question and answer.
        (0xFFFF_8000, 0x4000, 0x4000, .milliseconds(500)),
        // Rounding below zero, and nonsense below it.
        (0x1_0000, 10, 0x1_0000, .zero), (0x1_0000, 0x1_0000, 0x1_0000, nil),
        // Longer than any trip.
        (1, 0, 31 << 16, nil),
    ])
    func `a round trip that cannot be is none`(report: UInt32, delay: UInt32, now: UInt64, wanted: Duration?) {
        #expect(RoundTrip.measure(lastReport: report, delay: delay, now: now << 16) == wanted)
    }

    @Test func `the shortest way of a publisher's reports sets its clock`() {
        var clock = PublisherClock()
        #expect(clock.theirs(at: 5) == nil && clock.ours(at: 5) == nil)
        clock.update(theirs: 1_000 * second, ours: 50 * second + second / 4)
        #expect(clock.ours(at: 1_001 * second) == 51 * second + second / 4)
        // A faster way is believed, a slower one hardly.
        clock.update(theirs: 1_002 * second, ours: 52 * second + second / 16)
        #expect(clock.ours(at: 1_003 * second) == 53 * second + second / 16)
        clock.update(theirs: 1_004 * second, ours: 54 * second + second / 16 + 64)
        #expect(clock.ours(at: 1_005 * second) == 55 * second + second / 16 + 1)
        #expect(clock.theirs(at: 55 * second + second / 16 + 1) == 1_005 * second)
        // A clock that was set is believed.
        clock.update(theirs: 10 * second, ours: 60 * second)
        #expect(clock.ours(at: 11 * second) == 61 * second)
    }

    @Test func `without the publisher's clock the last packet is carried on`() throws {
        let clock = NTPClock(start, is: Timestamp(secondsSinceEpoch: 0))
        var state = SenderReportState()
        let none = state.info(
            ssrc: 1, clockRate: 90_000, now: start, clock: clock, publisher: PublisherClock(), stream: SenderClock(),
            timestampOffset: 0)
        #expect(none == nil)
        state.sent(timestamp: 0xFFFF_FFFF, payloadBytes: 1_000, now: start)
        state.sent(timestamp: 0xFFFF_FFFF, payloadBytes: 200, now: start)
        let info = try #require(
            state.info(
                ssrc: 9, clockRate: 90_000, now: start + .milliseconds(500), clock: clock, publisher: PublisherClock(),
                stream: SenderClock(), timestampOffset: 77))
        #expect(info.packetCount == 2 && info.octetCount == 1_200 && info.ssrc == 9)
        #expect(info.rtpTimestamp == 44_999 && info.ntpTime == 2_208_988_800 * second + second / 2)
    }

    @Test func `streams of one publisher lie on one clock, however their reports came`() throws {
        let clock = NTPClock(start, is: Timestamp(secondsSinceEpoch: 1_000))
        var publisher = PublisherClock()
        var (audio, video) = (SenderClock(), SenderClock())
        // Both say: at 500 s of my clock. The video's report is 80 ms later here.
        let sound = RTCPSenderInfo(
            ssrc: 1, ntpTime: 500 * second, rtpTimestamp: 48_000, packetCount: 1, octetCount: 1)
        let picture = RTCPSenderInfo(
            ssrc: 2, ntpTime: 500 * second, rtpTimestamp: 90_000, packetCount: 1, octetCount: 1)
        for (info, delay) in [(sound, 20), (picture, 100)] {
            let now = start + .milliseconds(Int64(delay))
            publisher.update(theirs: info.ntpTime, ours: clock.time(now))
            if info.ssrc == 1 { audio.update(info, now: now) } else { video.update(info, now: now) }
        }
        let now = start + .milliseconds(1_020)
        var state = SenderReportState()
        state.sent(timestamp: 5, payloadBytes: 1, now: now)
        func timestamp(_ stream: SenderClock, _ rate: UInt32, _ offset: UInt32) -> UInt32? {
            state.info(
                ssrc: 1, clockRate: rate, now: now, clock: clock, publisher: publisher, stream: stream,
                timestampOffset: offset)?.rtpTimestamp
        }
        // One second after the first report, for both; the 80 ms leave a 64th of themselves.
        let heard = try #require(timestamp(audio, 48_000, 0))
        let seen = try #require(timestamp(video, 90_000, 1_000))
        #expect((95_939...96_061).contains(heard) && (180_886...181_114).contains(seen))
        let apart: Int = (Int(heard) - 48_000) * 90 / 48 - (Int(seen) - 91_000)
        #expect((-2...2).contains(apart))
    }

    @Test func `a limit is told each second, and when it falls`() {
        var schedule = ReceiverEstimateSchedule()
        let limits: [(Int, UInt64)] = [
            (0, 1_000_000), (10, 1_000_000), (500, 2_000_000), (999, 990_000), (1_000, 990_000), (1_100, 900_000),
            (2_099, 900_000), (2_100, 900_000),
        ]
        let sent = limits.filter { schedule.poll($0.1, now: start + .milliseconds(Int64($0.0))) }.map(\.0)
        #expect(sent == [0, 1_000, 1_100, 2_100])
    }

    @Test func `a reference time is answered once, with the time it lay here`() {
        var answers = ReferenceTimeAnswers()
        var delays: [RTCPExtendedReport.Delay] = []
        answers.take(now: start, into: &delays)
        #expect(delays.isEmpty)
        answers.receive(ntp: 0, from: 3, now: start)
        answers.receive(ntp: 0x1122_3344_5566_7788, from: 3, now: start)
        answers.take(now: start + .milliseconds(250), into: &delays)
        answers.take(now: start + .milliseconds(300), into: &delays)
        #expect(delays == [.init(ssrc: 3, lastReferenceTime: 0x3344_5566, delay: 16_384)])
    }

    @Test func `of more names than a peer may ask under, the first are answered`() {
        var answers = ReferenceTimeAnswers()
        for ssrc in 1...9 as ClosedRange<SSRC> { answers.receive(ntp: 1 << 32, from: ssrc, now: start) }
        var delays: [RTCPExtendedReport.Delay] = []
        answers.take(now: start, into: &delays)
        #expect(delays.map(\.ssrc) == [1, 2, 3, 4])
    }
}
