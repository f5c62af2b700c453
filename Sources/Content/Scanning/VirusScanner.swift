// The seam to whatever knows viruses. What a verdict means for a file is decided by who keeps the file.

package import Base
import Synchronization

package enum ScanVerdict: Hashable, Sendable {
    case clean
    /// The name that the scanner has for it.
    case infected(String)
    /// Nothing is known of the content: why, and what to do.
    case unavailable(String)
}

package protocol VirusScanner: Sendable {
    /// Looks at everything that `source` gives; `nil` is the end. What `source` throws makes the verdict
    /// `unavailable`.
    func scan(_ source: @escaping @Sendable () async throws -> Bytes?) async -> ScanVerdict

    /// Whether the scanner answers: `nil`, or what is wrong and what to do. For the doctor and for start-up.
    func problem() async -> String?
}

extension VirusScanner {
    /// For content that is in memory.
    package func scan(_ bytes: Bytes) async -> ScanVerdict {
        let rest = Remainder(bytes)
        return await scan { rest.take() }
    }
}

/// Bytes that are given once.
private final class Remainder: Sendable {
    private let bytes: Mutex<Bytes?>
    init(_ bytes: Bytes) { self.bytes = Mutex(bytes) }
    func take() -> Bytes? { bytes.withLock { $0.take() } }
}
