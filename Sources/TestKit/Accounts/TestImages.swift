// Images for tests, and what looks into them without a process: types by first bytes, verdicts by a word in the content.

package import Accounts
package import Base
import Synchronization

package final class TestImageInspector: ClientImageInspector {
    private let isAway = Mutex(false)
    private let isScanning = Mutex(false)

    package init() {}

    package func set(isAway away: Bool = false, scans: Bool = false) {
        isAway.withLock { $0 = away }
        isScanning.withLock { $0 = scans }
    }

    package static func png(_ text: String) -> Bytes { Bytes([0x89]) + Bytes("PNG\r\n\u{1A}\n \(text)".utf8) }

    /// Drops everything behind a `|`, as metadata are dropped.
    package func clean(_ bytes: Bytes, allowed: Set<String>) async throws(ClientImageRefusal) -> CleanImage {
        let isPNG = bytes.starts(with: Self.png("").prefix(8))
        let type = isPNG ? "image/png" : bytes.starts(with: [0xFF, 0xD8]) ? "image/jpeg" : ""
        guard allowed.contains(type) else { throw .typeNotAllowed }
        if isAway.withLock({ $0 }) { throw .unavailable("away on purpose") }
        let text = String(decoding: bytes.dropFirst(8), as: UTF8.self)
        if text.contains("virus") { throw .virus }
        if text.contains("broken") { throw .damaged("is truncated or damaged") }
        return CleanImage(
            bytes: Bytes(bytes.prefix { $0 != UInt8(ascii: "|") }), type: type, width: 4, height: 3,
            scan: isScanning.withLock { $0 } ? .clean : .skipped)
    }
}
