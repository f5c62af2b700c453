// What a probe shows: how fast its packets left and how fast they arrived.

/// A burst at a higher rate than the present, to see whether the link carries it.
package struct ProbePlan: Sendable, Equatable {
    /// Names the probe's packets; 0 is no probe.
    package let cluster: UInt16
    package let bitsPerSecond: Int
    package let leastPackets: Int
    package let leastBytes: Int

    package init(cluster: UInt16, bitsPerSecond: Int, leastPackets: Int, leastBytes: Int) {
        self.cluster = cluster
        self.bitsPerSecond = bitsPerSecond
        self.leastPackets = leastPackets
        self.leastBytes = leastBytes
    }
}

struct ProbeMeasurement {
    /// Of the planned packets and bytes that must have arrived for a result.
    static let leastShare = 0.8
    /// A probe that took longer to leave or to arrive shows nothing (microseconds).
    static let longest: Int64 = 1_000_000
    /// Arriving much faster than sent is an artefact of batching on the way.
    static let largestRatio = 2.0
    /// Arriving slower than this share of the sending rate, the link was full.
    static let fullShare = 0.9
    /// What is then taken of the arriving rate.
    static let usedShare = 0.95

    private struct Sums {
        var packets = 0
        var bytes = 0
        var firstSend: Int64 = .max
        var lastSend: Int64 = .min
        var lastSendBytes = 0
        var firstArrival: Int64 = .max
        var firstArrivalBytes = 0
        var lastArrival: Int64 = .min
    }

    private var plan: ProbePlan?
    private var sums = Sums()

    mutating func expect(_ plan: ProbePlan) {
        self.plan = plan
        sums = Sums()
    }

    mutating func add(_ packet: PacketFeedback) {
        guard packet.cluster != 0, packet.cluster == plan?.cluster else { return }
        sums.packets += 1
        sums.bytes += packet.size
        sums.firstSend = min(sums.firstSend, packet.sendTime)
        if packet.sendTime >= sums.lastSend {
            sums.lastSend = packet.sendTime
            sums.lastSendBytes = packet.size
        }
        if packet.arrivalTime < sums.firstArrival {
            sums.firstArrival = packet.arrivalTime
            sums.firstArrivalBytes = packet.size
        }
        sums.lastArrival = max(sums.lastArrival, packet.arrivalTime)
    }

    /// Bits per second that the link carries, in sent bits: `inherentLoss` is the share lost at any rate. May be asked
    /// after each report; nil while too few have arrived.
    func result(inherentLoss: Double) -> Double? {
        guard let plan else { return nil }
        let share = Self.leastShare * (1 - inherentLoss) * (1 - inherentLoss)
        // Bytes for some packets like the first: with nothing but audio behind it, the large first one would have shown
        // all there is to see, and it is the one whose arrival is not timed.
        let leastBytes = Double(max(plan.leastBytes, Pacer.leastPaced * sums.firstArrivalBytes))
        guard Double(sums.packets) >= max(Double(plan.leastPackets) * share, 3),
            Double(sums.bytes) >= leastBytes * share
        else { return nil }
        let sendTime = sums.lastSend &- sums.firstSend
        let arrivalTime = sums.lastArrival &- sums.firstArrival
        guard sendTime > 0, sendTime <= Self.longest, arrivalTime > 0, arrivalTime <= Self.longest else { return nil }
        let kept = 1 - inherentLoss
        let sent = Double((sums.bytes - sums.lastSendBytes) * 8) / Double(sendTime) * 1e6 / kept
        let arrived = Double((sums.bytes - sums.firstArrivalBytes) * 8) / Double(arrivalTime) * 1e6 / kept
        guard arrived <= sent * Self.largestRatio else { return nil }
        return arrived < Self.fullShare * sent ? Self.usedShare * arrived : min(sent, arrived)
    }

    mutating func end() { plan = nil }
}
