// Prints what the estimator and the pacer cost per packet. Figures mean something in release only; the bound is there
// so that an allocation or a lock would be seen even in debug.

import Base
import Media
import Testing

@Suite struct HotPathCostTests {
    @Test func `Cost per packet`() {
        let count = 1_000_000
        var pacer = Pacer(bitsPerSecond: 2_000_000_000)
        var estimator = SendSideEstimator()
        let base = Instant(nanoseconds: 1_000_000_000)
        var admitted = 0
        let first = Instant.now()
        for index in 0..<count {
            let now = Instant(nanoseconds: base.nanoseconds + UInt64(index) * 10_000)
            if pacer.admits(1_200, now: now) { admitted += 1 }
        }
        let second = Instant.now()
        for index in 0..<count {
            let now = Instant(nanoseconds: base.nanoseconds + UInt64(index) * 10_000)
            estimator.onSent(sequence: UInt16(truncatingIfNeeded: index), size: 1_200, now: now)
        }
        let third = Instant.now()
        var fed = 0
        for block in 0..<(count / 1_000) {
            for index in 0..<1_000 {
                let number = block * 1_000 + index
                let now = Instant(nanoseconds: base.nanoseconds + UInt64(number) * 1_000_000)
                estimator.onSent(sequence: UInt16(truncatingIfNeeded: number), size: 1_200, now: now)
            }
            for index in 0..<1_000 {
                let number = block * 1_000 + index
                estimator.report(
                    FeedbackItem(
                        sequence: UInt16(truncatingIfNeeded: number), arrivalTime: Int64(number) * 1_000))
                fed += 1
            }
            estimator.endFeedback(now: Instant(nanoseconds: base.nanoseconds + UInt64(block + 1) * 1_000_000_000))
        }
        let fourth = Instant.now()
        let admits = Double((second - first).nanoseconds) / Double(count)
        let sent = Double((third - second).nanoseconds) / Double(count)
        let feedback = Double((fourth - third).nanoseconds) / Double(fed)
        print("cost: admits \(admits) ns, onSent \(sent) ns, onSent and report \(feedback) ns")
        #expect(admitted == count && admits < 2_000 && sent < 2_000 && feedback < 10_000)
    }
}
