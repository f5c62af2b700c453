// Statistics: buckets, opinions, freezes, the log of a call, and their cost.

import Base
import Testing
import Wire

@testable import Media

@Suite struct StatisticsTests {
    @Test func `a bucket's bound is at most a quarter beyond its values`() {
        var value: UInt64 = 1
        while value < 1 << 62 {
            for near in [value, value + value / 3, value + value / 2] {
                let bound = TransitHistogram.upperBound(TransitHistogram.bucket(near))
                #expect(bound >= near)
                #expect(near < 4 || Double(bound) <= Double(near) * 1.25)
            }
            value *= 2
        }
        #expect(TransitHistogram.bucket(.max) < 256)
    }

    @Test func `packets of a batch take what the batch took`() {
        let histogram = TransitHistogram()
        let now = Instant(nanoseconds: 1_000_000_000)
        for _ in 0..<98 { histogram.sent(arrival: now, now: now) }
        histogram.batchSent(40_000)
        for _ in 0..<2 { histogram.sent(arrival: now, now: now + .milliseconds(5)) }
        let summary = histogram.summary
        #expect(summary.packets == 100)
        #expect(summary.median >= .microseconds(40) && summary.median < .microseconds(50))
        #expect(summary.high >= .milliseconds(5) && summary.high < .milliseconds(7))
    }

    @Test func `transit costs next to nothing`() {
        let histogram = TransitHistogram()
        let count = 5_000_000
        let first = Instant.now()
        for index in 0..<count {
            let time = UInt64(truncatingIfNeeded: index)
            histogram.sent(
                arrival: Instant(nanoseconds: time), now: Instant(nanoseconds: time &+ (time & 1) &* (time & 0xFFFFF)))
        }
        let each = Double((Instant.now() - first).nanoseconds) / Double(count)
        print("cost: transit \(each) ns")
        #expect(histogram.summary.packets == UInt64(count) && each < 500)
    }

    @Test func `the opinion falls with loss and delay`() {
        let good = AudioOpinion.score(oneWay: .milliseconds(20), jitter: .milliseconds(2), lossShare: 0)
        let lossy = AudioOpinion.score(oneWay: .milliseconds(20), jitter: .milliseconds(2), lossShare: 0.05)
        let late = AudioOpinion.score(oneWay: .milliseconds(300), jitter: .milliseconds(2), lossShare: 0)
        let bad = AudioOpinion.score(oneWay: .seconds(2), jitter: .seconds(1), lossShare: 0.9)
        #expect(good > 4.2 && lossy < good - 0.3 && late < good - 0.5 && bad == 1)
    }

    @Test func `a gap between frames is a freeze, a pause is none`() {
        var quality = SubscriptionQuality()
        var now = Instant(nanoseconds: 1_000_000_000)
        for _ in 0..<60 {
            quality.sentFrame(now: now)
            now = now + .milliseconds(33)
        }
        #expect(quality.freezes == 0)
        now = now + .milliseconds(400)
        quality.sentFrame(now: now)
        #expect(quality.freezes == 1 && quality.frozenNanoseconds > 400_000_000)
        now = now + .seconds(30)
        quality.sentFrame(now: now)
        #expect(quality.freezes == 1 && quality.frames == 62)
    }

    @Test func `the log keeps the newest and says how many it left out`() {
        var log = CallLog()
        let who = ParticipantID(index: 1, generation: 0)
        var now = Instant(nanoseconds: 10_000_000_000)
        for _ in 0..<1_000 { log.note(.keyframeRequested, who, now: now) }
        #expect(log.all.count == CallLog.burst)
        now = now + .seconds(1)
        log.note(.keyframeRequested, who, now: now)
        #expect(log.all.last?.skipped == UInt32(1_000 - CallLog.burst))
        for index in 0..<1_000 {
            now = now + .seconds(1)
            log.note(.layerChanged, who, value: Int64(index), now: now)
        }
        #expect(log.all.count == CallLog.capacity)
        #expect(log.all.last?.value == 999 && log.all.first?.value == Int64(1_000 - CallLog.capacity))
    }

    @Test func `a meter tells the rates of its layers and forgets those that stopped`() {
        var meter = LayerMeter()
        var now = Instant(nanoseconds: 5_000_000_000)
        _ = meter.roll(now: now)
        for step in 0..<200 {
            now = now + .milliseconds(10)
            meter.add(924, spatial: 0, temporal: UInt8(step & 1))
            _ = meter.roll(now: now)
        }
        #expect((390_000...410_000).contains(meter.bitsPerSecond(upToSpatial: 0, temporal: 0)))
        #expect((780_000...820_000).contains(meter.bitsPerSecond()))
        for _ in 0..<300 {
            now = now + .milliseconds(10)
            _ = meter.roll(now: now)
        }
        #expect(meter.bitsPerSecond() == 0)
    }
}
