// What a source that has not proved who it is may get: bytes in answers, and guesses at passwords.
//
// An answer to a forged source goes to somebody who asked nothing, so a source gets no more bytes than it sent, but for
// an allowance that is refilled slowly: whatever a flood costs its sender, what arrives is less. Sources are an IPv4
// address or an IPv6 /64, found by a keyed hash among a fixed number of buckets; two that meet in one share it. The
// loopback has no bound: no network brings such a source.

import Base
import Wire

struct SourceBudgets: ~Copyable {
    /// 512 KiB. Fewer would make strangers share a bucket, more would be memory for floods.
    static let bucketCount = 16_384

    private struct Bucket {
        /// Milliseconds of the last change, wrapping.
        var stamp: UInt32 = 0
        var bytes: Int32 = 0
        /// In thousandths.
        var failures: Int32 = 0
        var isUsed = false
    }

    private var buckets = [Bucket](repeating: Bucket(), count: SourceBudgets.bucketCount)
    private let hash: KeyedHash
    private let bytesPerSecond: Int64
    private let bytesBurst: Int64
    private let failuresPerSecond: Int64
    private let failuresBurst: Int64

    init(_ limits: RelayLimits, seed: (UInt64, UInt64)) {
        hash = KeyedHash(seed: seed)
        bytesPerSecond = Int64(clamping: limits.unauthenticatedBytesPerSecond)
        bytesBurst = Int64(Int32(clamping: limits.unauthenticatedBytesBurst))
        failuresPerSecond = Int64(clamping: limits.failuresPerSecond)
        failuresBurst = Int64(Int32(clamping: limits.failuresBurst * 1_000))
    }

    /// Whether a request of `received` bytes may be answered with `sent`; if so it is charged.
    mutating func allowsAnswer(_ source: IPAddress, received: Int, sent: Int, now: Instant) -> Bool {
        if source.isLoopback { return true }
        let index = refill(source, now)
        let balance = min(Int64(buckets[index].bytes) + Int64(received), bytesBurst)
        let rest = balance - Int64(sent)
        buckets[index].bytes = Int32(clamping: rest >= 0 ? rest : balance)
        return rest >= 0
    }

    /// Whether a guess may be looked at.
    mutating func allowsGuess(_ source: IPAddress, now: Instant) -> Bool {
        source.isLoopback || buckets[refill(source, now)].failures >= 1_000
    }

    mutating func noteFailure(_ source: IPAddress, now: Instant) {
        if source.isLoopback { return }
        let index = refill(source, now)
        buckets[index].failures = max(0, buckets[index].failures - 1_000)
    }

    private mutating func refill(_ source: IPAddress, _ now: Instant) -> Int {
        let (high, low) = source.words
        let index = Int(hash(source.isV6 ? high : low, source.isV6 ? 1 : 0, 0) % UInt64(Self.bucketCount))
        let time = UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000)
        var bucket = buckets[index]
        if !bucket.isUsed {
            bucket = Bucket(stamp: time, bytes: Int32(bytesBurst), failures: Int32(failuresBurst), isUsed: true)
        } else {
            let elapsed = Int64(time &- bucket.stamp)
            let bytes = elapsed * bytesPerSecond / 1_000
            let failures = elapsed * failuresPerSecond
            // A refill of less than a unit waits, so that a fast asker does not lose the fractions.
            if bytes > 0 || bytesPerSecond == 0 {
                bucket.bytes = Int32(clamping: min(bytesBurst, Int64(bucket.bytes) + bytes))
                bucket.failures = Int32(clamping: min(failuresBurst, Int64(bucket.failures) + failures))
                bucket.stamp = time
            }
        }
        buckets[index] = bucket
        return index
    }
}

/// Bytes a second of an allocation, or of all: the moment until which what was relayed is paid for runs ahead of the
/// clock, a second at most (the generic cell rate algorithm: one number, no division per packet).
struct Bandwidth {
    static let burst: UInt64 = 1_000_000_000
    private static let fraction: UInt64 = 10

    /// Nanoseconds for each byte, times 1024; 0 is without a bound.
    private let price: UInt64

    init(bytesPerSecond: Int) {
        price = bytesPerSecond > 0 ? max(1, (1_000_000_000 << Self.fraction) / UInt64(bytesPerSecond)) : 0
    }

    /// Whether `count` bytes may go now; if so they are paid.
    @inline(__always) func admits(_ count: Int, _ paid: inout UInt64, now: Instant) -> Bool {
        guard price != 0 else { return true }
        let start = max(paid, now.nanoseconds)
        let end = start &+ (UInt64(count) &* price) >> Self.fraction
        guard end &- now.nanoseconds <= Self.burst else { return false }
        paid = end
        return true
    }

    /// For bytes that went already: how long to wait before more.
    func charge(_ count: Int, _ paid: inout UInt64, now: Instant) -> Duration {
        guard price != 0 else { return .zero }
        paid = max(paid, now.nanoseconds) &+ (UInt64(count) &* price) >> Self.fraction
        let ahead = paid &- now.nanoseconds
        return ahead > Self.burst ? .nanoseconds(Int64(clamping: ahead - Self.burst)) : .zero
    }
}
