import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct SCTPStreamResetTests {
    private func resets(_ side: SCTPSide) -> [[UInt16]] {
        side.events.compactMap { if case .incomingReset(let streams) = $0 { streams } else { nil } }
    }

    private func done(_ side: SCTPSide) -> [UInt16] {
        side.events.flatMap { event -> [UInt16] in
            if case .outgoingReset(let streams, isDone: true) = event { streams } else { [] }
        }
    }

    @Test(arguments: [0.0, 0.2], [UInt64(1), 2, 3, 4, 5])
    func `a reset comes after everything that was sent, and the stream begins at zero`(loss: Double, seed: UInt64) {
        let pair = SCTPPair(seed: seed, network: .init(loss: loss, jitter: 20))
        pair.connect()
        for round in 0..<3 {
            for number in 0..<20 {
                let size = number % 4 == 0 ? 5_000 : 20
                #expect(
                    pair.left.send(Bytes(repeating: 1, count: size), on: 4, protocolID: UInt32(number), now: pair.now)
                        == .accepted)
            }
            pair.left.association.resetStreams([4], now: pair.now)
            #expect(pair.left.send([1], on: 4, protocolID: 1, now: pair.now) == .refused)
            #expect(pair.left.send([1], on: 5, protocolID: 1, now: pair.now) == .accepted)
            #expect(pair.run(.seconds(120)) { done(pair.left).count == round + 1 })
            #expect(resets(pair.right).count == round + 1)
            #expect(pair.right.messages.filter { $0.streamID == 4 }.count == 20 * (round + 1))
        }
    }

    @Test func `many streams are reset in several requests`() {
        let pair = SCTPPair(seed: 9, network: .init(loss: 0.1))
        pair.connect()
        pair.left.association.resetStreams(Array(0..<500), now: pair.now)
        #expect(pair.run(.seconds(120)) { done(pair.left).count == 500 })
        #expect(resets(pair.right).map(\.count) == [200, 200, 100])
        #expect(pair.left.largestPacket <= SCTPConfiguration().largestPacket)
    }

    @Test func `both sides reset the same stream at the same time`() {
        let pair = SCTPPair(seed: 10)
        pair.connect()
        pair.left.association.resetStreams([1], now: pair.now)
        pair.right.association.resetStreams([1], now: pair.now)
        pair.run(.seconds(10))
        #expect(done(pair.left) == [1] && done(pair.right) == [1])
        #expect(resets(pair.left) == [[1]] && resets(pair.right) == [[1]])
    }

    @Test func `requests that are not for outgoing streams are denied, and old ones answered as before`() {
        var resets = SCTPStreamResets(initialTSN: 100, peerInitialTSN: 500)
        #expect(taken { resets.deny(500) } == .denied)
        #expect(taken { resets.deny(500) } == .denied)
        #expect(taken { resets.deny(499) } == .badNumber)
        #expect(taken { resets.deny(600) } == .badNumber)
    }

    private func reset(_ number: UInt32, last: UInt32, _ streams: [UInt16]) -> Bytes {
        var bytes: Bytes = []
        bytes.appendSCTPOutgoingReset(requestNumber: number, responseNumber: 0, lastTSN: last, streams: streams)
        return Bytes(bytes[4..<(16 + 2 * streams.count)])
    }

    @Test func `a request ahead of its data waits for it`() throws {
        var resets = SCTPStreamResets(initialTSN: 100, peerInitialTSN: 500)
        let request = reset(500, last: 510, [3])
        let early = resets.receive(try SCTPOutgoingReset(parsing: request.span.bytes), cumulativeTSN: 505)
        #expect(early.result == .inProgress && early.streams == nil)
        #expect(taken { resets.takeDeferred(cumulativeTSN: 509) } == nil)
        let next = reset(501, last: 510, [4])
        let second = resets.receive(try SCTPOutgoingReset(parsing: next.span.bytes), cumulativeTSN: 509)
        #expect(second.result == .requestInProgress)
        #expect(taken { resets.takeDeferred(cumulativeTSN: 510) } == [3])
        let again = resets.receive(try SCTPOutgoingReset(parsing: request.span.bytes), cumulativeTSN: 510)
        #expect(again.result == .performed && again.streams == nil)
    }

    @Test func `a stream that there is not is refused`() throws {
        var resets = SCTPStreamResets(initialTSN: 100, peerInitialTSN: 500)
        let request = reset(500, last: 400, [1, UInt16(SCTPLimits.streams)])
        let answer = resets.receive(try SCTPOutgoingReset(parsing: request.span.bytes), cumulativeTSN: 499)
        #expect(answer.result == .wrongStreamNumber && answer.streams == nil)
    }
}
