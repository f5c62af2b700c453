// Fuzzers: bodies that take any bytes and stop the process when a promise of a parser does not hold.
//
// Ordinary builds compile them, and `FuzzReplayTests` runs each over its corpus and over seeded mutations of it;
// `plexifuzz` hands them to libFuzzer. A body checks more than that nothing traps: that pieces give the same answer as
// the whole, that what was written is read back, that no answer is longer than its bound.

package import Base

package struct Fuzzer: Sendable {
    /// Also the folder of its corpus in `Tests/Corpus`.
    package let name: String
    package let body: @Sendable (Bytes) -> Void

    package init(_ name: String, _ body: @escaping @Sendable (Bytes) -> Void) {
        self.name = name
        self.body = body
    }
}

package enum Fuzzers {
    /// One list per area; a new fuzzer needs a folder in `Tests/Corpus` with a seed at least.
    package static let all: [Fuzzer] =
        accounts + age + backup + configuration + content + exports + http + json + webSocket + bandwidth + dtls + ice
        + payloads
        + relay + rtp
        + sctp + sdp

    package static func named(_ name: String) -> Fuzzer? { all.first { $0.name == name } }
}

/// A promise that did not hold.
func promise(_ holds: Bool, _ text: @autoclosure () -> String) {
    if !holds { fatalError("broken promise: \(text())") }
}
