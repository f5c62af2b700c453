// A fixed ring of packets that wait. Its memory is taken when the first packet waits, which for most subscribers is
// never.

import Base

struct PacerRing: ~Copyable {
    private let capacity: Int
    private var entries: UnsafeMutablePointer<PacedItem>?
    private var head = 0
    /// Shed entries included.
    private var count = 0
    private(set) var live = 0
    private(set) var bytes = 0

    init(capacity: Int) { self.capacity = capacity }

    deinit { entries?.deallocate() }

    var isEmpty: Bool { count == 0 }
    var isFull: Bool { count == capacity }

    private func slot(_ index: Int) -> Int {
        let place = head &+ index
        return place >= capacity ? place &- capacity : place
    }

    mutating func append(_ item: PacedItem) {
        guard count < capacity else { return }
        let memory = entries ?? .allocate(capacity: capacity)
        entries = memory
        (memory + slot(count)).initialize(to: item)
        count &+= 1
        live &+= 1
        bytes &+= Int(item.size)
    }

    mutating func removeFirst() -> PacedItem? {
        guard let entries else { return nil }
        while count > 0 {
            let item = entries[head]
            head = slot(1)
            count &-= 1
            guard item.kind != .dropped else { continue }
            live &-= 1
            bytes &-= Int(item.size)
            // A ring of shed entries alone counts as empty.
            if live == 0 { count = 0 }
            return item
        }
        return nil
    }

    /// Takes the places of shed entries back.
    mutating func compact() {
        guard let entries, live < count else { return }
        var kept = 0
        for index in 0..<count {
            let item = entries[slot(index)]
            guard item.kind != .dropped else { continue }
            entries[slot(kept)] = item
            kept &+= 1
        }
        count = kept
    }

    /// Gives up the oldest packets of the least important stream that waits, up to its next keyframe. A stream more
    /// important than the newcomer is left alone: nil.
    mutating func shed(for newcomer: PacedItem) -> PacerDrop? {
        guard let entries, let victim = leastImportant(), victim.priority <= newcomer.priority else { return nil }
        var dropped = 0
        var reachedKeyframe = false
        for index in 0..<count {
            let item = entries[slot(index)]
            guard item.kind != .dropped, item.stream == victim.stream else { continue }
            if item.startsKeyframe, dropped > 0 {
                reachedKeyframe = true
                break
            }
            entries[slot(index)].kind = .dropped
            live &-= 1
            bytes &-= Int(item.size)
            dropped &+= 1
        }
        if live == 0 { count = 0 }
        return PacerDrop(stream: victim.stream, packets: dropped, needsKeyframe: !reachedKeyframe)
    }

    private func leastImportant() -> PacedItem? {
        guard let entries else { return nil }
        var least: PacedItem?
        for index in 0..<count {
            let item = entries[slot(index)]
            if item.kind != .dropped, least.map({ item.priority < $0.priority }) ?? true { least = item }
            if least?.priority == 0 { break }
        }
        return least
    }
}
