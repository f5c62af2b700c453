// The machine that brings a reader up to date, event by event.

import Base
import Chat
import TestKit
import Testing

@Suite struct LogFollowerTests {
    private let conversation = ConversationID(.random())

    private func event(_ offset: Int64?, epoch: Int64 = 1) -> ChatEvent {
        ChatEvent(
            conversation: conversation, position: offset.map { LogPosition(epoch: epoch, offset: $0) },
            at: Timestamp(secondsSinceEpoch: 0), actor: nil, change: .conversationDeleted)
    }

    private func page(_ offsets: ClosedRange<Int64>, hasMore: Bool = false) -> LogPage {
        LogPage(
            isRecovered: true, events: offsets.map { event($0) },
            position: LogPosition(epoch: 1, offset: offsets.upperBound), hasMore: hasMore)
    }

    private func empty(_ offset: Int64) -> LogPage {
        LogPage(isRecovered: true, events: [], position: LogPosition(epoch: 1, offset: offset), hasMore: false)
    }

    @Test func `what comes live while a page is read is neither lost nor said twice`() {
        var follower = LogFollower(after: LogPosition(epoch: 1, offset: 3))
        #expect(follower.start == .fetch(LogPosition(epoch: 1, offset: 3)))
        #expect(follower.live(event(5)) == .nothing)
        #expect(follower.live(event(6)) == .nothing)
        #expect(follower.received(page(4...5)) == .deliver([event(4), event(5)]))
        #expect(follower.resume() == .deliver([event(6)]))
        #expect(follower.resume() == .nothing)
        #expect(follower.live(event(6)) == .nothing)
        #expect(follower.live(event(7)) == .deliver([event(7)]))
    }

    @Test func `pages are read to the end before live events go on`() {
        var follower = LogFollower(after: LogPosition(epoch: 1, offset: 0))
        #expect(follower.received(page(1...2, hasMore: true)) == .deliver([event(1), event(2)]))
        #expect(follower.resume() == .fetch(LogPosition(epoch: 1, offset: 2)))
        #expect(follower.received(page(3...3)) == .deliver([event(3)]))
        #expect(follower.resume() == .nothing)
    }

    @Test func `a gap is closed by asking again`() {
        var follower = LogFollower(after: LogPosition(epoch: 1, offset: 0))
        #expect(follower.received(empty(0)) == .nothing)
        #expect(follower.live(event(2)) == .fetch(LogPosition(epoch: 1, offset: 0)))
        #expect(follower.live(event(4)) == .nothing)
        #expect(follower.received(page(1...1)) == .deliver([event(1)]))
        #expect(follower.resume() == .deliver([event(2)]))
        #expect(follower.resume() == .fetch(LogPosition(epoch: 1, offset: 2)))
        #expect(follower.received(page(3...4)) == .deliver([event(3), event(4)]))
        #expect(follower.resume() == .nothing)
        #expect(follower.position.offset == 4)
    }

    @Test func `a place that cannot be followed up begins anew`() {
        var follower = LogFollower(after: LogPosition(epoch: 9, offset: 9))
        #expect(follower.live(event(7)) == .nothing)
        let lost = LogPage(isRecovered: false, events: [], position: LogPosition(epoch: 1, offset: 6), hasMore: false)
        #expect(follower.received(lost) == .restart(LogPosition(epoch: 1, offset: 6)))
        #expect(follower.resume() == .deliver([event(7)]))
    }

    @Test func `another epoch is asked about, and what has no place passes`() {
        var follower = LogFollower(after: LogPosition(epoch: 1, offset: 0))
        #expect(follower.live(event(nil)) == .nothing)
        #expect(follower.received(empty(0)) == .nothing)
        #expect(follower.live(event(nil)) == .deliver([event(nil)]))
        #expect(follower.live(event(1, epoch: 2)) == .fetch(LogPosition(epoch: 1, offset: 0)))
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func `whatever is dropped, doubled or late on the way, a reader gets everything once and in order`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var follower = LogFollower(after: LogPosition(epoch: 1, offset: 0))
        var written: Int64 = 0
        var got: [Int64] = []
        var steps: [LogFollower.Step] = [follower.start]
        func pass(_ step: LogFollower.Step) { steps.append(step) }
        for round in 0..<400 {
            if round < 380, Bool.random(using: &random) {
                written += 1
                // One in five is lost, one in five comes twice.
                let copies = [1, 1, 1, 0, 2][Int.random(in: 0..<5, using: &random)]
                for _ in 0..<copies { pass(follower.live(event(written))) }
            }
            if round == 390 {
                written += 1
                pass(follower.live(event(written)))
            }
            while let index = steps.firstIndex(where: { $0 != .nothing }) {
                let step = steps[index]
                steps.removeFirst(index + 1)
                switch step {
                case .nothing, .restart: break
                case .deliver(let events):
                    got += events.compactMap { $0.position?.offset }
                    pass(follower.resume())
                case .fetch(let place):
                    let end = min(written, place.offset + 3)
                    let answer =
                        end > place.offset ? page(place.offset + 1...end, hasMore: end < written) : empty(place.offset)
                    pass(follower.received(answer))
                }
            }
        }
        #expect(got == Array(1...written))
    }
}
