// The timers of one shard: a binary heap by deadline, each timer knowing its place, so that cancelling frees it at once.

import Base

/// A timer that may be armed, moved and cancelled any number of times. Belongs to its shard's thread.
final class ShardTimer: ScheduledTimer {
    fileprivate static let nowhere = -1

    private let heap: TimerHeap
    fileprivate let action: () -> Void
    fileprivate var place = ShardTimer.nowhere

    init(heap: TimerHeap, _ action: @escaping () -> Void) {
        self.heap = heap
        self.action = action
    }

    var isArmed: Bool { place != Self.nowhere }

    /// Calls the action once, at or shortly after `deadline`; replaces an earlier arming. The heap keeps an armed
    /// timer alive.
    func arm(at deadline: Instant) { heap.set(self, deadline) }

    /// The same, unless it is armed for an earlier time already.
    func armNoLater(than deadline: Instant) {
        if let current = heap.deadline(of: self), current <= deadline { return }
        arm(at: deadline)
    }

    func cancel() { heap.remove(self) }
}

final class TimerHeap {
    private struct Entry {
        var deadline: Instant
        let timer: ShardTimer
    }

    /// Every access is by the shard's thread and ends before the next begins: sifting would look that up a dozen times
    /// for each timer.
    @exclusivity(unchecked) private var entries: [Entry] = []

    var earliest: Instant? { entries.first?.deadline }
    var count: Int { entries.count }

    fileprivate func deadline(of timer: ShardTimer) -> Instant? {
        timer.isArmed ? entries[timer.place].deadline : nil
    }

    fileprivate func set(_ timer: ShardTimer, _ deadline: Instant) {
        if timer.isArmed {
            entries[timer.place].deadline = deadline
        } else {
            timer.place = entries.count
            entries.append(Entry(deadline: deadline, timer: timer))
        }
        siftDown(siftUp(timer.place))
    }

    fileprivate func remove(_ timer: ShardTimer) {
        guard timer.isArmed else { return }
        let place = timer.place
        timer.place = ShardTimer.nowhere
        let last = entries.removeLast()
        guard place < entries.count else { return }
        put(last, at: place)
        siftDown(siftUp(place))
    }

    /// An action may arm and cancel any timer. Bounded by the number armed at the start, so that a timer which arms
    /// itself for "now" does not hold the loop.
    func fire(dueAt now: Instant) {
        for _ in 0..<entries.count {
            guard let first = entries.first, first.deadline <= now else { return }
            remove(first.timer)
            first.timer.action()
        }
    }

    func removeAll() {
        for entry in entries { entry.timer.place = ShardTimer.nowhere }
        entries.removeAll()
    }

    private func put(_ entry: Entry, at place: Int) {
        entries[place] = entry
        entry.timer.place = place
    }

    private func siftUp(_ start: Int) -> Int {
        var place = start
        while place > 0 {
            let parent = (place - 1) / 2
            guard entries[place].deadline < entries[parent].deadline else { break }
            exchange(place, parent)
            place = parent
        }
        return place
    }

    private func siftDown(_ start: Int) {
        var place = start
        while true {
            let left = 2 * place + 1
            guard left < entries.count else { return }
            let right = left + 1
            let child = right < entries.count && entries[right].deadline < entries[left].deadline ? right : left
            guard entries[child].deadline < entries[place].deadline else { return }
            exchange(place, child)
            place = child
        }
    }

    private func exchange(_ one: Int, _ other: Int) {
        entries.swapAt(one, other)
        entries[one].timer.place = one
        entries[other].timer.place = other
    }
}
