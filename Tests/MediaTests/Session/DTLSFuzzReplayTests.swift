import Base
import Glibc
import TestKit
import Testing

/// The body of the fuzzer over its corpus, and for a moment over mutations of it.
@Suite(.serialized) struct DTLSFuzzReplayTests {
    private static let seed: UInt64 =
        getenv("PLEXI_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0...UInt64.max)

    @Test func `records of DTLS keep their promises`() throws {
        let fuzzer = try #require(Fuzzers.dtls.first { $0.name == "dtls-records" })
        let corpus = try Self.corpus(fuzzer.name)
        try #require(!corpus.isEmpty)
        print("fuzzer \(fuzzer.name): seed \(Self.seed)")
        fuzzer.body([])
        for input in corpus { fuzzer.body(input) }
        var mutator = Mutator(corpus: corpus, seed: Self.seed)
        let end = Instant.now() + .milliseconds(1_500)
        var count = 0
        while Instant.now() < end {
            fuzzer.body(mutator.next())
            count += 1
        }
        print("fuzzer \(fuzzer.name): \(count) mutations")
        #expect(count > 100)
    }

    private static func corpus(_ name: String, from file: String = #filePath) throws -> [Bytes] {
        let parts = file.split(separator: "/", omittingEmptySubsequences: false)
        let tests = parts.lastIndex(of: "Tests") ?? 0
        let folder = parts[...tests].joined(separator: "/") + "/Corpus/" + name
        let directory = try #require(opendir(folder), "\(folder) is missing")
        defer { closedir(directory) }
        var inputs: [Bytes] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard !name.hasPrefix("."), let handle = fopen(folder + "/" + name, "rb") else { continue }
            defer { fclose(handle) }
            var bytes = Bytes(repeating: 0, count: 65_536)
            bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, handle))
            inputs.append(bytes)
        }
        return inputs
    }
}
