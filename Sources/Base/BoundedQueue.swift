// A first-in, first-out queue with a fixed capacity: a full queue refuses, so that its owner decides what a refusal
// means (an error to the client, a gap, a closed socket). Storage is allocated once.

package struct BoundedQueue<Element> {
    private var slots: [Element?]
    private var head = 0
    package private(set) var count = 0

    package init(capacity: Int) {
        precondition(capacity > 0, "a queue needs room for one element")
        slots = Array(repeating: nil, count: capacity)
    }

    package var isEmpty: Bool { count == 0 }
    package var isFull: Bool { count == slots.count }
    package var capacity: Int { slots.count }

    /// False when the queue is full; the element was not taken.
    package mutating func append(_ element: Element) -> Bool {
        guard !isFull else { return false }
        slots[(head + count) % slots.count] = element
        count += 1
        return true
    }

    package mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head].take()
        head = (head + 1) % slots.count
        count -= 1
        return element
    }
}
