// When an upload last gave a sign of life. Asked for every piece, so it is an atomic number and no lock.

package import Base
import Synchronization

package final class Heartbeat: Sendable {
    private let last: Atomic<Int64>

    package init(at now: Timestamp) { last = Atomic(now.microsecondsSinceEpoch) }

    /// True when so many microseconds have gone by; the next turn is counted from then.
    package func isDue(_ now: Timestamp, every interval: Int64) -> Bool {
        guard now.microsecondsSinceEpoch - last.load(ordering: .relaxed) >= interval else { return false }
        last.store(now.microsecondsSinceEpoch, ordering: .relaxed)
        return true
    }
}
