// How long packets take from their arrival until they are sent, in buckets by powers of two with four parts each: a
// quarter too much at most, over the whole range of 64 bits.
//
// The engine knows the time of a batch, not of a packet. What is sent within its batch is counted, and recorded when the
// driver says how long the batch took; what the pacer held back is recorded with the engine's own time.

package import Base

final class TransitHistogram {
    private static let buckets = 256

    private let counts: UnsafeMutablePointer<UInt64>
    private let immediate: UnsafeMutablePointer<UInt64>

    init() {
        counts = .allocate(capacity: Self.buckets)
        counts.initialize(repeating: 0, count: Self.buckets)
        immediate = .allocate(capacity: 1)
        immediate.initialize(to: 0)
    }

    deinit {
        counts.deallocate()
        immediate.deallocate()
    }

    /// For each packet.
    @inline(__always)
    func sent(arrival: Instant, now: Instant) {
        if arrival.nanoseconds == now.nanoseconds {
            immediate.pointee &+= 1
        } else {
            record(now.nanoseconds &- min(arrival.nanoseconds, now.nanoseconds), count: 1)
        }
    }

    /// The batch is with the kernel.
    func batchSent(_ nanoseconds: UInt64) {
        guard immediate.pointee > 0 else { return }
        record(nanoseconds, count: immediate.pointee)
        immediate.pointee = 0
    }

    @inline(__always)
    private func record(_ nanoseconds: UInt64, count: UInt64) {
        counts[Self.bucket(nanoseconds)] &+= count
    }

    @inline(__always)
    static func bucket(_ nanoseconds: UInt64) -> Int {
        let value = max(nanoseconds, 4)
        let exponent = 63 &- value.leadingZeroBitCount
        return exponent << 2 | Int(truncatingIfNeeded: value >> UInt64(truncatingIfNeeded: exponent &- 2) & 3)
    }

    /// The first value beyond a bucket, less one.
    static func upperBound(_ bucket: Int) -> UInt64 {
        let exponent = UInt64(max(bucket >> 2, 2))
        let part = UInt64(bucket & 3) + 5
        return (part << (exponent - 2)) &- 1
    }

    var summary: TransitSummary {
        var total = immediate.pointee
        for bucket in 0..<Self.buckets { total &+= counts[bucket] }
        return TransitSummary(
            packets: total, median: percentile(0.5, of: total), high: percentile(0.99, of: total),
            highest: percentile(1, of: total))
    }

    /// An upper bound of the share's value. Packets whose batch is not with the kernel yet count as sent at once.
    private func percentile(_ share: Double, of total: UInt64) -> Duration {
        guard total > 0 else { return .zero }
        let rank = UInt64((Double(total) * share).rounded(.up))
        var seen = immediate.pointee
        guard seen < rank else { return .zero }
        for bucket in 0..<Self.buckets {
            seen &+= counts[bucket]
            if seen >= rank { return .nanoseconds(Int64(clamping: Self.upperBound(bucket))) }
        }
        return .zero
    }
}

package struct TransitSummary: Sendable {
    package let packets: UInt64
    /// Upper bounds, a quarter above the true value at most.
    package let median: Duration
    /// The 99th percentile.
    package let high: Duration
    package let highest: Duration
}

extension MediaEngine {
    /// From the driver, after it has sent what a batch brought.
    package func noteBatchSent(startedAt start: Instant, at now: Instant) {
        transit.batchSent(now.nanoseconds &- min(start.nanoseconds, now.nanoseconds))
    }
}
