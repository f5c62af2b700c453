// Events in the order of their logs, whoever comes first.

import Base
@testable import Chat
import Synchronization
import TestKit
import Testing

@Suite struct EventSequencerTests {
    private final class Sink: Sendable {
        let offsets = Mutex<[Int64]>([])
        private let last = Mutex<Int64>(0)

        func next() -> Int64 {
            last.withLock { last in
                last += 1
                return last
            }
        }
    }

    private let id = ConversationID(.random())

    private func event(_ offset: Int64) -> ChatEvent {
        ChatEvent(
            conversation: id, position: LogPosition(epoch: 1, offset: offset), at: Timestamp(secondsSinceEpoch: 0),
            actor: nil, change: .conversationDeleted)
    }

    private func make() -> (EventSequencer, Sink) {
        let sink = Sink()
        return (
            EventSequencer { event in sink.offsets.withLock { $0.append(event.position?.offset ?? 0) } }, sink
        )
    }

    @Test func `who comes too early waits for who is on the way`() {
        let (sequencer, sink) = make()
        #expect(!sequencer.announce(id))
        sequencer.announce(id, lastOffset: 4)
        #expect(sequencer.announce(id))
        #expect(sequencer.announce(id))
        sequencer.finish(id, [event(7)])
        sequencer.finish(id, [event(6)])
        #expect(sink.offsets.withLock { $0 } == [])
        sequencer.finish(id, [event(5)])
        #expect(sink.offsets.withLock { $0 } == [5, 6, 7])
    }

    @Test func `who fails holds nobody up, and what another node wrote is not waited for`() {
        let (sequencer, sink) = make()
        sequencer.announce(id, lastOffset: 0)
        #expect(sequencer.announce(id))
        sequencer.finish(id, [event(3)])
        #expect(sink.offsets.withLock { $0 } == [])
        sequencer.finish(id, [])
        #expect(sink.offsets.withLock { $0 } == [3])
        #expect(sequencer.announce(id))
        sequencer.finish(id, [event(4), event(5)])
        #expect(sink.offsets.withLock { $0 } == [3, 4, 5])
    }

    @Test func `from many threads each log comes in order`() async {
        let (sequencer, sink) = make()
        sequencer.announce(id, lastOffset: 0)
        sequencer.finish(id, [])
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask { [id] in
                    for _ in 0..<200 {
                        let isKnown = sequencer.announce(id)
                        #expect(isKnown)
                        let event = event(sink.next())
                        if event.position?.offset.isMultiple(of: 3) == true { await Task.yield() }
                        sequencer.finish(id, [event])
                    }
                }
            }
        }
        #expect(sink.offsets.withLock { $0 } == Array(1...1600))
    }
}
