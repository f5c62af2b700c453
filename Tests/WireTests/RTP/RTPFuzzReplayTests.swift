import Base
import TestKit
import Testing

@testable import Wire

/// The fuzzers of this folder over their corpus, and over mutations of it: the same ones in every run.
@Suite struct RTPFuzzReplayTests {
    private static let mutations = 20_000

    @Test(arguments: Fuzzers.rtp.map(\.name)) func `the promises on RTP hold`(name: String) throws {
        let fuzzer = try #require(Fuzzers.rtp.first { $0.name == name })
        let folder = VectorFolder("../Corpus/" + name)
        var corpus = folder.files.map { folder.bytes(of: $0) }
        try #require(!corpus.isEmpty)
        for file in ["rtp-vectors.json", "malformed-rtp.json", "rtcp-vectors.json", "malformed-rtcp.json"] {
            corpus += RTPVectorCase.all(in: file).map(\.bytes)
        }
        fuzzer.body([])
        for input in corpus { fuzzer.body(input) }
        var mutator = Mutator(corpus: corpus, seed: 4)
        for _ in 0..<Self.mutations { fuzzer.body(mutator.next()) }
    }
}
