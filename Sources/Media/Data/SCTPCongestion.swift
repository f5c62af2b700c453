// The retransmission timeout (RFC 9260 §6.3) and the congestion window (§7) of an association's one path.

import Base
import Wire

struct SCTPTimeout {
    private var smoothed: Duration?
    private var variation = Duration.zero
    private(set) var current = SCTPLimits.firstTimeout

    /// Of a chunk or heartbeat that was sent once.
    mutating func measured(_ roundTrip: Duration) {
        if let before = smoothed {
            let difference = before > roundTrip ? before - roundTrip : roundTrip - before
            variation = variation * 3 / 4 + difference / 4
            smoothed = before * 7 / 8 + roundTrip / 8
        } else {
            smoothed = roundTrip
            variation = roundTrip / 2
        }
        let wanted = (smoothed ?? roundTrip) + variation * 4
        current = min(max(wanted, SCTPLimits.shortestTimeout), SCTPLimits.longestTimeout)
    }

    mutating func backOff() { current = min(current * 2, SCTPLimits.longestTimeout) }

    /// Smoothed; `nil` before the first measurement.
    var roundTrip: Duration? { smoothed }
}

struct SCTPCongestion {
    private let packet: Int
    private(set) var window: Int
    private var threshold: Int
    private var partial = 0
    /// While recovering: the highest TSN that was outstanding when the loss was seen.
    private(set) var recoveryEnd: UInt32?

    init(packet: Int, peerWindow: Int) {
        self.packet = packet
        window = SCTPLimits.initialWindowPackets * packet
        threshold = max(peerWindow, window)
    }

    /// New data was acknowledged cumulatively. The window grows only when it was in use (§7.2.1, §7.2.2).
    mutating func acknowledged(_ bytes: Int, flightBefore: Int, isEmptyNow: Bool) {
        guard recoveryEnd == nil else { return }
        let wasFull = flightBefore &+ packet > window
        if window <= threshold {
            if wasFull { window += min(bytes, packet) }
            return
        }
        partial += bytes
        if partial >= window {
            if wasFull {
                partial -= window
                window += packet
            } else {
                partial = window
            }
        }
        if isEmptyNow { partial = 0 }
    }

    /// Chunks were reported missing (§7.2.4). True when this begins a recovery: one packet may go out at once.
    mutating func lossReported(highestOutstanding: UInt32) -> Bool {
        guard recoveryEnd == nil else { return false }
        threshold = max(window / 2, 4 * packet)
        window = threshold
        partial = 0
        recoveryEnd = highestOutstanding
        return true
    }

    mutating func cumulativeMoved(to tsn: UInt32) {
        if let end = recoveryEnd, !end.isSerially(after: tsn) { recoveryEnd = nil }
    }

    /// §7.2.3
    mutating func timedOut() {
        threshold = max(window / 2, 4 * packet)
        window = packet
        partial = 0
        recoveryEnd = nil
    }

    /// Nothing was sent for longer than a timeout: what the path could take then it may not take now.
    mutating func wasIdle() { window = max(window / 2, min(window, SCTPLimits.initialWindowPackets * packet)) }
}
