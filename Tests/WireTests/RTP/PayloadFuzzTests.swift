import Base
import TestKit
import Testing

@testable import Wire

@Suite struct PayloadFuzzTests {
    @Test(arguments: Fuzzers.payloads.map(\.name)) func `the promises of payload parsers hold`(name: String) throws {
        let fuzzer = try #require(Fuzzers.payloads.first { $0.name == name })
        let folder = VectorFolder("../Corpus/" + name)
        let corpus = folder.files.map { folder.bytes(of: $0) }
        try #require(corpus.count >= 3)
        fuzzer.body([])
        for input in corpus { fuzzer.body(input) }
        let seed = UInt64.random(in: 0...UInt64.max)
        print("fuzzer \(name): seed \(seed)")
        var mutator = Mutator(corpus: corpus, seed: seed)
        for _ in 0..<20_000 { fuzzer.body(mutator.next()) }
    }
}
