import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct SentHistoryTests {
    private func rewrite(_ random: inout SplitMix, sequence: UInt64) -> Rewrite {
        var rewrite = Rewrite()
        rewrite.layer = .random(in: 0...3, using: &random)
        rewrite.sequence = sequence
        rewrite.timestamp = .random(in: 0 ... .max, using: &random)
        rewrite.marker = .random(using: &random)
        rewrite.pictureIDBits = [0, 7, 15].randomElement(using: &random) ?? 0
        if rewrite.pictureIDBits > 0 {
            rewrite.pictureIDOffset = .random(in: 1...2, using: &random)
            rewrite.pictureID = .random(in: 0...0x7FFF, using: &random)
        }
        rewrite.hasTL0 = .random(using: &random)
        rewrite.tl0 = .random(in: 0...255, using: &random)
        rewrite.tl0Offset = .random(in: 2...5, using: &random)
        rewrite.hasDescriptor = .random(using: &random)
        rewrite.frameNumber = .random(in: 0 ... .max, using: &random)
        rewrite.writesDecodeTargets = .random(using: &random)
        rewrite.spatial = .random(in: 0...3, using: &random)
        rewrite.temporal = .random(in: 0...7, using: &random)
        return rewrite
    }

    @Test func `what was sent comes back as it was, and older than the ring does not`() throws {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: SentHistory.byteCount(capacity: 64), alignment: 8)
        defer { memory.deallocate() }
        let history = SentHistory(over: memory, capacity: 64)
        #expect(history.mapBack(0) == nil && history.mapBack(65) == nil)
        var random = SplitMix(seed: 1)
        var sent: [UInt64: (Rewrite, UInt64, Bool)] = [:]
        for sequence in UInt64(65_400)..<65_700 {
            let rewrite = rewrite(&random, sequence: sequence)
            let incoming = UInt64.random(in: 0..<(1 << 48), using: &random)
            let isEmpty = Bool.random(using: &random)
            history.record(rewrite, incoming: incoming, isEmpty: isEmpty)
            sent[sequence] = (rewrite, incoming, isEmpty)
        }
        for sequence in UInt64(65_000)..<66_000 {
            let back = history.mapBack(sequence)
            guard sequence >= 65_636, let expected = sent[sequence] else {
                #expect(back == nil)
                continue
            }
            #expect(back?.incoming == expected.1 && back?.isEmpty == expected.2)
            let found = try #require(back?.rewrite)
            #expect("\(found)" == "\(expected.0)")
        }
    }

    @Test func `a rewriting never writes outside of a payload`() {
        var random = SplitMix(seed: 2)
        for _ in 0..<500 {
            let rewrite = rewrite(&random, sequence: 1)
            for count in 0..<7 {
                var payload = Bytes(repeating: 0x5A, count: count)
                do {
                    var span = payload.mutableSpan
                    var bytes = span.mutableBytes
                    rewrite.apply(to: &bytes)
                    rewrite.apply(toDescriptor: &bytes)
                }
                #expect(payload.count == count)
            }
        }
    }
}
