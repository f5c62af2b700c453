import Base
import TestKit
import Testing

@testable import Media

@Suite struct DeadlineWheelTests {
    private func ms(_ count: UInt64) -> Instant { Instant(nanoseconds: count * 1_000_000) }

    /// Everything that is due, in order.
    private func due(_ wheel: inout DeadlineWheel, _ now: Instant) -> [UInt32] {
        var members: [UInt32] = []
        while let member = wheel.next(dueAt: now) { members.append(member) }
        return members
    }

    @Test func `a member comes up once, at its time`() {
        var wheel = DeadlineWheel(now: ms(1_000))
        wheel.set(3, at: ms(1_010))
        #expect(wheel.earliest == ms(1_010))
        #expect(due(&wheel, ms(1_009)) == [])
        #expect(due(&wheel, ms(1_010)) == [3])
        #expect(wheel.earliest == nil)
    }

    @Test func `a deadline can be moved both ways and cleared`() {
        var wheel = DeadlineWheel(now: ms(0))
        wheel.set(0, at: ms(50))
        wheel.set(1, at: ms(50))
        wheel.set(0, at: ms(20))
        #expect(due(&wheel, ms(20)) == [0])
        wheel.set(1, at: ms(90))
        #expect(due(&wheel, ms(60)) == [])
        wheel.clear(1)
        #expect(due(&wheel, ms(200)) == [])
    }

    @Test func `what is past comes up at once, what is far away at its time`() {
        var wheel = DeadlineWheel(now: ms(100_000))
        wheel.set(0, at: ms(5))
        wheel.set(1, at: ms(130_000))
        #expect(due(&wheel, ms(100_000)) == [0])
        var now: UInt64 = 100_000
        while now < 129_999 {
            now = min(129_999, (wheel.earliest?.nanoseconds ?? 0) / 1_000_000)
            if due(&wheel, ms(now)) != [] { Issue.record("too early, at \(now)") }
            if now == 129_999 { break }
        }
        #expect(due(&wheel, ms(130_000)) == [1])
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `it agrees with a plain list`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var wheel = DeadlineWheel(now: ms(7))
        var list: [UInt32: UInt64] = [:]
        var now: UInt64 = 7
        for _ in 0..<20_000 {
            let member = UInt32.random(in: 0..<40, using: &random)
            switch UInt8.random(in: 0..<10, using: &random) {
            case 0..<6:
                let at = now + UInt64.random(in: 0..<(random.next() % 20 == 0 ? 20_000 : 200), using: &random)
                wheel.set(member, at: ms(at))
                list[member] = at
            case 6:
                wheel.clear(member)
                list[member] = nil
            default:
                now += UInt64.random(in: 0..<(random.next() % 50 == 0 ? 9_000 : 40), using: &random)
                let expected = list.filter { $0.value <= now }.keys.sorted()
                #expect(due(&wheel, ms(now)).sorted() == expected)
                for member in expected { list[member] = nil }
            }
        }
    }
}
