import Base
import Glibc
import TestKit
import Testing

/// Content's fuzzers over their corpora and seeded mutations of them, as all others in WireTests.
@Suite(.serialized) struct ContentReplayTests {
    private static let seed = getenv("PLEXI_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? 1
    private static let time = Duration.milliseconds(1_000)

    @Test(arguments: ContentFuzzBodies.all.map(\.name)) func `the promises on content hold`(name: String) throws {
        let body = try #require(ContentFuzzBodies.all.first { $0.name == name }?.body)
        let corpus = Self.corpus(name)
        try #require(!corpus.isEmpty, "Tests/Corpus/\(name) has no seed")
        body([])
        for input in corpus { body(input) }
        var mutator = Mutator(corpus: corpus, seed: Self.seed)
        let end = Instant.now() + Self.time
        while Instant.now() < end { body(mutator.next()) }
    }

    private static func corpus(_ name: String, from file: String = #filePath) -> [Bytes] {
        let parts = file.split(separator: "/", omittingEmptySubsequences: false)
        let tests = parts.lastIndex(of: "Tests") ?? 0
        let path = parts[...tests].joined(separator: "/") + "/Corpus/" + name
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var inputs: [Bytes] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard !name.hasPrefix("."), let file = fopen(path + "/" + name, "rb") else { continue }
            defer { fclose(file) }
            var bytes = Bytes(repeating: 0, count: 1 << 16)
            bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
            inputs.append(bytes)
        }
        return inputs
    }
}
