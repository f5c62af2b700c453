import Base
import TestKit
import Testing

@testable import Media

/// The fuzzers of ICE over their corpora, and for a moment over mutations of them.
@Suite(.serialized) struct ICEFuzzReplayTests {
    @Test(arguments: Fuzzers.ice.map(\.name)) func `the promises hold`(name: String) throws {
        let fuzzer = try #require(Fuzzers.ice.first { $0.name == name })
        let corpus = CorpusFolder.inputs(of: name)
        try #require(!corpus.isEmpty, "Tests/Corpus/\(name) has no seed")
        fuzzer.body([])
        for input in corpus { fuzzer.body(input) }
        var mutator = Mutator(corpus: corpus, seed: 0x1CE)
        for _ in 0..<20_000 { fuzzer.body(mutator.next()) }
    }
}
