// Small shared counts: how many may be in, and how far a reader has come.

import Synchronization

final class Places: Sendable {
    private let limit: Int
    private let taken = Atomic(0)

    init(_ limit: Int) { self.limit = limit }

    /// False when all are taken.
    func take() -> Bool {
        if taken.add(1, ordering: .relaxed).newValue <= limit { return true }
        giveBack()
        return false
    }

    func giveBack() { taken.subtract(1, ordering: .relaxed) }
}

final class Position: Sendable {
    private let offset: Mutex<Int64>
    init(_ offset: Int64) { self.offset = Mutex(offset) }

    var value: Int64 {
        get { offset.withLock { $0 } }
        set { offset.withLock { $0 = newValue } }
    }
}
