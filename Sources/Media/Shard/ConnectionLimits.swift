// How many TCP connections a shard takes and how long it waits for them to prove themselves.

import Base
import Wire

/// What exceeds a bound is closed at once and counted: the peer's other candidates may work, and nothing of it is kept.
enum ConnectionLimits {
    /// Connections of one shard. Each holds a descriptor and up to 256 KiB of output while its network is slow; more
    /// would be more than a shard's share of descriptors. At most 4,095, for numbers have 12 bits of place.
    static let perShard = 2_000
    /// Connections from one address (IPv6: one /64). An office behind one address is what TCP is for; higher lets one
    /// host take a larger part of all.
    static let perSource = 256
    /// Of those, such that nobody has proved to be his yet. A peer opens one or two per address of ours.
    static let unprovenPerSource = 32
    /// Until the first whole frame, which must be a check. A peer checks at once when it is connected.
    static let firstFrame = Duration.seconds(5)
    /// From the start until a check was authenticated: signaling may be slower than the connection.
    static let proof = Duration.seconds(15)
    /// Frames until then. A peer sends a check every 50 ms at first, ever more slowly then.
    static let framesBeforeProof = 128
    /// How often the limits of time are looked at.
    static let sweep = Duration.seconds(1)
    /// Connections that the kernel keeps for us between two turns.
    static let backlog: Int32 = 128
    /// Asked of the kernel for each connection's sending; it takes twice as much. Larger hides a slow network behind
    /// seconds of stale media, smaller slows connections of long round trips: this carries 20 Mbit/s at 200 ms.
    static let kernelBuffer: Int32 = 256 << 10
}

/// Who has how many connections. Asked when one comes or goes, never for a frame.
struct SourceCounts {
    private struct Count {
        var all = 0
        var unproven = 0
    }

    private struct Source: Hashable {
        let high: UInt64
        let low: UInt64

        init(_ address: IPAddress) {
            let (high, low) = address.words
            self.high = high
            self.low = address.isV6 ? 0 : low
        }
    }

    private var counts: [Source: Count] = [:]

    var isEmpty: Bool { counts.isEmpty }

    /// `false` when the source has as many as it may.
    mutating func admit(_ address: IPAddress) -> Bool {
        let source = Source(address)
        var count = counts[source] ?? Count()
        guard count.all < ConnectionLimits.perSource, count.unproven < ConnectionLimits.unprovenPerSource else {
            return false
        }
        count.all += 1
        count.unproven += 1
        counts[source] = count
        return true
    }

    mutating func proved(_ address: IPAddress) { counts[Source(address)]?.unproven -= 1 }

    mutating func ended(_ address: IPAddress, wasProven: Bool) {
        let source = Source(address)
        guard var count = counts[source] else { return }
        count.all -= 1
        if !wasProven { count.unproven -= 1 }
        counts[source] = count.all > 0 ? count : nil
    }
}
