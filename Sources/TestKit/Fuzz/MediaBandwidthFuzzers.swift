// Bytes as a course of sent packets and feedback about them: whatever a receiver says, the target is within its bounds.

import Base
import Media

extension Fuzzers {
    package static let bandwidth = [Fuzzer("bandwidth-feedback", bandwidthFeedback)]
}

/// An instruction is a byte: packets to send (low four bits) and items of feedback (high four bits), each item three
/// bytes: distance from the newest number, and a time whose unit grows with its low bits.
private func bandwidthFeedback(_ input: Bytes) {
    var estimator = SendSideEstimator(historyCapacity: 64)
    var now = Instant(nanoseconds: 1_000_000_000)
    var sequence: UInt16 = 65_500
    var index = 0
    func next() -> UInt8 {
        defer { index += 1 }
        return index < input.count ? input[index] : 0
    }
    while index < input.count {
        let instruction = next()
        for _ in 0..<(instruction & 15) {
            estimator.onSent(sequence: sequence, size: Int(instruction) * 6, now: now)
            sequence &+= 1
            now = now + .microseconds(Int(instruction) * 50)
        }
        for _ in 0..<(instruction >> 4) {
            let distance = UInt16(next())
            let time = Int64(next()) << Int64(next() & 63)
            estimator.report(
                FeedbackItem(sequence: sequence &- distance, arrivalTime: distance % 5 == 0 ? nil : time))
        }
        estimator.endFeedback(now: now)
        estimator.tick(now)
        _ = estimator.nextProbe(now)
        let target = estimator.target
        promise((50_000...20_000_000).contains(target), "the target is within its bounds")
    }
}
