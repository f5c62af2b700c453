import Base
import Glibc
import TestKit
import Testing

@testable import Wire

/// Every fuzzer over its corpus, and for a moment over mutations of it: the same ones in every run, so that a change
/// and not chance breaks a promise. `PLEXI_FUZZ_SEED` gives others; `make fuzz` looks for new inputs. A broken promise
/// stops the process.
@Suite(.serialized) struct FuzzReplayTests {
    /// Long enough for tens of thousands of inputs, short enough for every run of the tests.
    private static let time = Duration.milliseconds(1_500)

    private static let seed: UInt64 =
        getenv("PLEXI_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1

    @Test(arguments: Fuzzers.all.map(\.name)) func `the promises hold`(name: String) throws {
        let fuzzer = try #require(Fuzzers.named(name))
        let folder = VectorFolder("../Corpus/" + name)
        let corpus = folder.files.map { folder.bytes(of: $0) }
        try #require(!corpus.isEmpty, "Tests/Corpus/\(name) has no seed")
        print("fuzzer \(name): seed \(Self.seed), \(corpus.count) inputs")
        fuzzer.body([])
        for input in corpus { fuzzer.body(input) }
        var mutator = Mutator(corpus: corpus, seed: Self.seed)
        let end = Instant.now() + Self.time
        var count = 0
        while Instant.now() < end {
            fuzzer.body(mutator.next())
            count += 1
        }
        print("fuzzer \(name): \(count) mutations")
        #expect(count > 0)
    }

    @Test func `the same seed gives the same inputs`() {
        var first = Mutator(corpus: [Bytes("GET / HTTP/1.1".utf8)], seed: 7)
        var second = Mutator(corpus: [Bytes("GET / HTTP/1.1".utf8)], seed: 7)
        for _ in 0..<100 { #expect(first.next() == second.next()) }
    }
}
