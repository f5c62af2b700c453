import Base
import TestKit
import Testing

@testable import Media

/// The fuzzers `sctp` and `dcep` over their corpus, and for a moment over mutations of it.
@Suite struct SCTPFuzzTests {
    @Test(arguments: ["sctp", "dcep"], [UInt64(1), 2])
    func `the promises hold`(name: String, seed: UInt64) throws {
        let fuzzer = try #require(Fuzzers.sctp.first { $0.name == name })
        let corpus = try Self.corpus(name)
        try #require(corpus.count >= 3)
        fuzzer.body([])
        for input in corpus { fuzzer.body(input) }
        var mutator = Mutator(corpus: corpus, seed: seed)
        let end = Instant.now() + .milliseconds(1_000)
        var count = 0
        while Instant.now() < end {
            fuzzer.body(mutator.next())
            count += 1
        }
        print("fuzzer \(name): \(count) mutations")
        #expect(count > 0)
    }

    private static let names = [
        "sctp": [
            "abort", "cookie-echo", "data", "forward-tsn", "init", "init-ack", "reconfig", "reconfig-response", "sack",
            "shutdown",
        ],
        "dcep": ["ack", "open", "open-partial"],
    ]

    private static func corpus(_ name: String, from file: String = #filePath) throws -> [Bytes] {
        let tests = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        return try (names[name] ?? []).map { try #require(VectorFile.contents("\(tests)/Corpus/\(name)/\($0)")) }
    }
}
