import Base
import Testing

@testable import Media

@Suite struct KeyframeRequesterTests {
    private func time(_ milliseconds: Int) -> Instant { Instant(nanoseconds: UInt64(1_000 + milliseconds) * 1_000_000) }

    /// When requests are sent, up to a time; each with its number.
    private func run(_ requester: inout KeyframeRequester, _ range: Range<Int>, roundTrip: Int = 50) -> [[Int]] {
        var sent: [[Int]] = []
        for now in range {
            if case .request(let number) = requester.poll(now: time(now), roundTrip: .milliseconds(roundTrip)) {
                sent.append([now, Int(number)])
            }
        }
        return sent
    }

    @Test func `the first wish is passed on at once, a crowd's only once`() {
        var requester = KeyframeRequester()
        #expect(requester.deadline == nil && run(&requester, 0..<10).isEmpty)
        for _ in 0..<100 { requester.want(now: time(10)) }
        #expect(requester.deadline == time(10) && run(&requester, 10..<200) == [[10, 1]])
        requester.keyframeCame()
        #expect(!requester.isWaiting && requester.deadline == nil && run(&requester, 200..<2_000).isEmpty)
    }

    @Test func `a request is repeated under its number until it is given up`() {
        var requester = KeyframeRequester()
        requester.want(now: time(0))
        #expect(run(&requester, 0..<10_000) == (0..<10).map { [$0 * 300, 1] })
        #expect(!requester.isWaiting && requester.requestCount == 10)
        requester.want(now: time(10_000))
        #expect(run(&requester, 10_000..<10_001) == [[10_000, 2]])
    }

    @Test(arguments: [(0, 300), (150, 300), (400, 800), (60_000, 2_000)])
    func `the repetition follows the round trip within bounds`(roundTrip: Int, interval: Int) {
        var requester = KeyframeRequester()
        requester.want(now: time(0))
        #expect(run(&requester, 0..<interval + 1, roundTrip: roundTrip) == [[0, 1], [interval, 1]])
    }

    @Test func `a wish right after a key frame waits for its turn`() {
        var requester = KeyframeRequester()
        requester.want(now: time(0))
        #expect(run(&requester, 0..<100) == [[0, 1]])
        requester.keyframeCame()
        requester.want(now: time(100))
        #expect(run(&requester, 100..<500) == [[300, 2]])
    }
}
