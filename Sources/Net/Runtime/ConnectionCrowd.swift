// Whether connections come and go in such numbers that it pays to let some gather before the next is looked at.

import Base

/// Waking a thread for each connection of a crowd costs the one who connects and the one who accepts as much as all
/// else that they do; network cards hold their interrupts back for the same reason.
struct ConnectionCrowd {
    /// Connections that came or went within a window and make a crowd: 10,000 a second that come and go. Lower saves
    /// work at lower rates, higher leaves more clients with the shortest delay; one that connects anew for each of its
    /// requests, one after the other, comes to fewer.
    static let size = 20
    static let window: Duration = .milliseconds(1)

    private var begun = Instant(nanoseconds: 0)
    private var count = 0
    private var wasCrowd = false

    /// True when these belong to a crowd, by this window or the one before.
    mutating func add(_ moved: Int, at now: Instant) -> Bool {
        if now >= begun + Self.window {
            wasCrowd = count >= Self.size && now < begun + Self.window * 2
            begun = now
            count = 0
        }
        count += moved
        return wasCrowd || count >= Self.size
    }
}
