import Base
import TestKit
import Testing

@testable import Media

/// The fuzzer over mutations of its corpus and of the malformed descriptions: the same ones in every run.
struct SDPFuzzTests {
    @Test(arguments: [UInt64(1), 2, 3])
    func `the promises hold`(seed: UInt64) throws {
        let fuzzer = try #require(Fuzzers.sdp.first)
        let corpus =
            NegotiationVectors.list("../../Corpus/sdp").map { NegotiationVectors.bytes("../../Corpus/sdp/" + $0) }
            + NegotiationVectors.malformed.map { NegotiationVectors.bytes("malformed/" + $0) }
        try #require(corpus.count > 80)
        fuzzer.body([])
        for input in corpus { fuzzer.body(input) }
        // A broken promise stops the process; the seed is the one to run again with.
        print("fuzzer sdp: seed \(seed)")
        var mutator = Mutator(corpus: corpus, seed: seed)
        for _ in 0..<1_500 { fuzzer.body(mutator.next()) }
    }
}
