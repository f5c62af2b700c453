import Testing

@testable import Media

@Suite struct SequenceUnwrapperTests {
    @Test(arguments: [
        ([0, 1, 2], [0, 1, 2]), ([65_534, 65_535, 0, 1], [65_534, 65_535, 65_536, 65_537]),
        ([0, 65_535, 1], [0, -1, 1]), ([65_535, 0, 65_535, 1], [65_535, 65_536, 65_535, 65_537]),
        ([0, 32_767, 65_534, 32_765], [0, 32_767, 65_534, 98_301]),
        // Half a turn away is behind.
        ([10, 32_778], [10, -32_758]),
    ])
    func `numbers go on over the wrap`(numbers: [UInt16], wanted: [Int]) {
        var unwrapper = SequenceUnwrapper()
        let extended = numbers.map { unwrapper.unwrap($0) }
        #expect(extended == wanted.map { UInt64(65_536 + $0) })
        #expect(unwrapper.highest == UInt64(65_536 + (wanted.max() ?? 0)))
    }

    @Test func `looking changes nothing`() {
        var unwrapper = SequenceUnwrapper()
        #expect(unwrapper.peek(5) == 65_541 && !unwrapper.isStarted)
        _ = unwrapper.unwrap(65_535)
        #expect(unwrapper.peek(3) == 131_075 && unwrapper.highest == 131_071)
    }

    @Test func `numbers that only go back stay positive`() {
        var unwrapper = SequenceUnwrapper()
        var number: UInt16 = 0
        for _ in 0..<1_000 {
            let extended = unwrapper.unwrap(number)
            #expect(extended >= 32_768)
            number &-= 32_000
        }
    }
}
