import Base
import TestKit
import Testing

@Suite struct BandwidthReplayTests {
    @Test func `The feedback fuzzer passes over mutations of its seeds`() {
        var corpus: [Bytes] = []
        corpus.append(Bytes((0..<280).map { [0x24, 3, 9, 10, 2, 10, 10][$0 % 7] }))
        corpus.append(Bytes((0..<140).map { [0x35, 1, 200, 63, 2, 1, 62, 5, 3, 0, 0x11, 7, 255, 40][$0 % 14] }))
        var mutator = Mutator(corpus: corpus, seed: 5)
        for fuzzer in Fuzzers.bandwidth {
            for seed in corpus { fuzzer.body(seed) }
            for _ in 0..<3_000 { fuzzer.body(mutator.next()) }
        }
    }
}
