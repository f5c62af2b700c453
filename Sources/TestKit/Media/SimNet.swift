// A network in virtual time, for tests of machines that take `(datagram, now)`. No socket, no thread, no real clock:
// the same seed and the same calls give the same deliveries.
//
// A node is an address with the links it sends and receives over; a link that several nodes name is their shared
// bottleneck. A test sends, asks for the next delivery up to its machines' next deadline, hands it over, and repeats:
//
//     while net.now < end {
//         if let delivery = net.next(until: machine.deadline) { machine.handle(delivery.datagram, net.now) }
//         else { machine.tick(net.now) }
//     }

package import Base
package import Wire

/// The time of a simulation: it moves when told, and never back.
package struct SimClock: Sendable {
    /// Not zero, so that a zero instant in a machine is seen to be a mistake.
    package static let start = Instant(nanoseconds: 1_000_000_000_000)

    package private(set) var now = start

    package init() {}

    package var elapsed: Duration { now - Self.start }

    package mutating func advance(to time: Instant) { now = max(now, time) }
}

package struct SimDelivery: Sendable {
    package let datagram: Bytes
    package let from: TransportAddress
    package let to: TransportAddress
    package let sentAt: Instant
    package let arrivedAt: Instant
    /// Spent waiting behind other packets, over all links. Neither delay nor jitter nor the packet's own bits.
    package let queueing: Duration
}

package struct SimNet: Sendable {
    package struct LinkID: Hashable, Sendable { fileprivate let index: Int }

    private struct Node {
        let up: [LinkID]
        let down: [LinkID]
    }

    /// A packet in front of its next link, or of its receiver when no link is left.
    private struct Event {
        let time: Int64
        /// Decides between events of the same time: first come, first served.
        let order: UInt64
        var link: Int
        let path: [LinkID]
        let datagram: Bytes
        let from: TransportAddress
        let to: TransportAddress
        let sentAt: Int64
        var queueing: Int64

        func isBefore(_ other: Event) -> Bool { time != other.time ? time < other.time : order < other.order }
    }

    package private(set) var clock = SimClock()
    /// Datagrams to or from an address without a node: gone, as on a real network.
    package private(set) var unrouted = 0
    private var random: SplitMix
    private var links: [SimLinkState] = []
    private var nodes: [TransportAddress: Node] = [:]
    /// A binary heap, the earliest first.
    private var events: [Event] = []
    private var order: UInt64 = 0

    package init(seed: UInt64) { random = SplitMix(seed: seed) }

    package var now: Instant { clock.now }
    package var elapsed: Duration { clock.elapsed }

    // MARK: - Making the network

    package mutating func add(_ link: SimLink) -> LinkID {
        links.append(SimLinkState(link))
        return LinkID(index: links.count - 1)
    }

    /// A packet goes over `up` of its sender and then over `down` of its receiver. Attaching an address again moves
    /// it; attaching another address with the same links is what a NAT does when it forgets a binding.
    package mutating func attach(_ address: TransportAddress, up: [LinkID] = [], down: [LinkID] = []) {
        nodes[address] = Node(up: up, down: down)
    }

    package mutating func detach(_ address: TransportAddress) { nodes[address] = nil }

    /// For packets that enter it from now on.
    package mutating func change(_ link: LinkID, _ body: (inout SimLink) -> Void) { body(&links[link.index].link) }

    package func report(_ link: LinkID) -> SimLinkReport { links[link.index].report }

    package func bitsPerSecond(_ link: LinkID) -> Int? { links[link.index].link.bitsPerSecond(after: elapsed) }

    // MARK: - Running it

    package mutating func send(_ datagram: Bytes, from: TransportAddress, to: TransportAddress) {
        guard let sender = nodes[from], let receiver = nodes[to] else {
            unrouted += 1
            return
        }
        let now = elapsed.nanoseconds
        push(
            Event(
                time: now, order: nextOrder(), link: 0, path: sender.up + receiver.down, datagram: datagram,
                from: from, to: to, sentAt: now, queueing: 0))
    }

    /// The next delivery, with the clock moved to it; nil, with the clock at `limit`, when there is none before.
    package mutating func next(until limit: Instant) -> SimDelivery? {
        let limitTime = (limit - SimClock.start).nanoseconds
        while let first = events.first, first.time <= limitTime {
            let event = pop()
            clock.advance(to: Self.instant(event.time))
            guard event.link < event.path.count else {
                guard nodes[event.to] != nil else {
                    unrouted += 1
                    continue
                }
                return SimDelivery(
                    datagram: event.datagram, from: event.from, to: event.to, sentAt: Self.instant(event.sentAt),
                    arrivedAt: clock.now, queueing: .nanoseconds(event.queueing))
            }
            cross(event)
        }
        clock.advance(to: limit)
        return nil
    }

    private mutating func cross(_ event: Event) {
        let index = event.path[event.link].index
        guard
            case .arrives(let time, let queueing, let again) = links[index].carry(
                event.datagram.count, at: event.time, random: &random)
        else { return }
        for _ in 0..<(again ? 2 : 1) {
            push(
                Event(
                    time: time, order: nextOrder(), link: event.link + 1, path: event.path, datagram: event.datagram,
                    from: event.from, to: event.to, sentAt: event.sentAt, queueing: event.queueing + queueing))
        }
    }

    private static func instant(_ time: Int64) -> Instant { SimClock.start + .nanoseconds(time) }

    private mutating func nextOrder() -> UInt64 {
        order += 1
        return order
    }

    // MARK: - The heap

    private mutating func push(_ event: Event) {
        var index = events.count
        events.append(event)
        while index > 0, events[index].isBefore(events[(index - 1) / 2]) {
            events.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func pop() -> Event {
        events.swapAt(0, events.count - 1)
        let first = events.removeLast()
        var index = 0
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2]
            where child < events.count && events[child].isBefore(events[least]) { least = child }
            guard least != index else { return first }
            events.swapAt(index, least)
            index = least
        }
    }
}
