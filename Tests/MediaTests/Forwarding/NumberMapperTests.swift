import TestKit
import Testing

@testable import Media

@Suite struct NumberMapperTests {
    /// Against a plain model: all numbers that were not dropped, in order, with those that never came in their places.
    @Test(arguments: 1...20 as ClosedRange<UInt64>) func `late numbers get what was kept for them`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var mapper = NumberMapper()
        let first = UInt64.random(in: 0...100_000, using: &random)
        mapper.begin(at: first, as: 500)
        var dropped: Set<UInt64> = []
        var missing: Set<UInt64> = []
        var expected: [UInt64: UInt64] = [first: 500]
        var next: UInt64 = 501
        for number in (first + 1)...(first + 2_000) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                missing.insert(number)
                expected[number] = next
                next += 1
            case 1...4:
                _ = mapper.advance(to: number)
                mapper.drop()
                dropped.insert(number)
            default:
                #expect(mapper.advance(to: number) == next)
                expected[number] = next
                next += 1
                check(mapper, number, expected, dropped)
            }
            if let late = missing.randomElement(using: &random), number - late < 200, late < mapper.highest {
                #expect(mapper.late(late) == expected[late])
                missing.remove(late)
            }
        }
        #expect(mapper.late(first) == nil, "too long ago")
        #expect(mapper.late(first - min(first, 1)) == nil)
    }

    private func check(_ mapper: NumberMapper, _ number: UInt64, _ expected: [UInt64: UInt64], _ dropped: Set<UInt64>) {
        for distance in [1, 7, 64, 130, 255] as [UInt64] where distance < number {
            let other = number - distance
            guard expected[other] != nil || dropped.contains(other) else { continue }
            #expect(mapper.late(other) == expected[other])
            #expect(mapper.wasDropped(other) == dropped.contains(other))
            if let out = expected[other] { #expect(mapper.source(of: out) == other) }
        }
    }
}
