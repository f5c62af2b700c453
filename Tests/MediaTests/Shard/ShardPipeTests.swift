import Base
import Synchronization
import Testing
import Wire

@testable import Media

@Suite struct ShardPipeTests {
    private final class Wakes: Sendable {
        let count = Atomic<Int>(0)
    }

    private func item(_ number: Int) -> PipeItem {
        PipeItem(kind: .packet, layer: 0, place: UInt32(number), track: TrackID(number: UInt64(number)))
    }

    private func push(_ number: Int, into pipe: ShardPipe) -> Bool {
        let bytes = Bytes(repeating: UInt8(truncatingIfNeeded: number), count: number % 1_500 + 1)
        return bytes.withUnsafeBytes { pipe.push(item(number), $0) }
    }

    /// Numbers of what is there, each with its bytes checked.
    private func drain(_ pipe: ShardPipe) -> [Int] {
        var numbers: [Int] = []
        pipe.begin()
        while let next = pipe.next() {
            let number = Int(next.pointee.place)
            numbers.append(number)
            let bytes = pipe.bytes
            #expect(bytes.count == number % 1_500 + 1)
            #expect(bytes.first == UInt8(truncatingIfNeeded: number))
            #expect(bytes.last == UInt8(truncatingIfNeeded: number))
            pipe.advance()
        }
        return numbers
    }

    @Test func `what lies in a slot is plain memory`() {
        #expect(_isPOD(PipeItem.self))
        #expect(MemoryLayout<PipeItem>.stride <= 320)
    }

    @Test func `what is published is seen, once and in order, and wakes once`() {
        let wakes = Wakes()
        let pipe = ShardPipe(capacity: 8) { wakes.count.add(1, ordering: .relaxed) }
        #expect(push(1, into: pipe))
        #expect(push(2, into: pipe))
        #expect(drain(pipe) == [])
        pipe.publish()
        pipe.publish()
        #expect(push(3, into: pipe))
        pipe.publish()
        #expect(wakes.count.load(ordering: .relaxed) == 1)
        #expect(drain(pipe) == [1, 2, 3])
        #expect(push(4, into: pipe))
        pipe.publish()
        #expect(wakes.count.load(ordering: .relaxed) == 2)
        #expect(drain(pipe) == [4])
        #expect(drain(pipe) == [])
    }

    @Test func `a full ring drops what comes, and goes on when it was read`() {
        let pipe = ShardPipe(capacity: 8) {}
        var taken = 0
        for number in 0..<20 where push(number, into: pipe) { taken += 1 }
        pipe.publish()
        #expect(taken == 8)
        #expect(pipe.dropped == 12)
        #expect(drain(pipe) == Array(0..<8))
        #expect(push(100, into: pipe))
        pipe.publish()
        #expect(drain(pipe) == [100])
    }

    @Test func `two threads: nothing is lost that was taken, nothing is torn, nobody sleeps over it`() async {
        let wakes = Wakes()
        let pipe = ShardPipe(capacity: 64) { wakes.count.add(1, ordering: .releasing) }
        let total = 50_000
        async let sent = Task.detached { () -> [Int] in
            var taken: [Int] = []
            for number in 0..<(total - 1) {
                if self.push(number, into: pipe) { taken.append(number) }
                if number % 7 == 0 { pipe.publish() }
            }
            // The reader ends with this one.
            while !self.push(total - 1, into: pipe) {
                pipe.publish()
                await Task.yield()
            }
            pipe.publish()
            return taken + [total - 1]
        }.value
        async let received = Task.detached { () -> [Int] in
            var numbers: [Int] = []
            var seen = 0
            let end = Instant.now() + .seconds(20)
            // Reads only when woken: a lost wake would leave the last items unread.
            while Instant.now() < end {
                let count = wakes.count.load(ordering: .acquiring)
                if count != seen {
                    seen = count
                    numbers += self.drain(pipe)
                }
                if numbers.last == total - 1 { break }
                if count == seen { await Task.yield() }
            }
            return numbers
        }.value
        let (one, other) = await (sent, received)
        #expect(one == other)
        #expect(one.count > 64)
    }
}
