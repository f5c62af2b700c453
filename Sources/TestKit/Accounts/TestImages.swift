// Images for tests, and what looks into them without a process: types by first bytes, verdicts by a word in the content.

package import Accounts
package import Base
package import Store
import Synchronization

package final class TestImageInspector: ClientImageInspector {
    private let isAway = Mutex(false)
    private let isScanning = Mutex(false)
    /// Nobody scans, and images wait for it.
    private let isHolding = Mutex(false)

    package init() {}

    package func set(isAway away: Bool = false, scans: Bool = false, holds: Bool = false) {
        isHolding.withLock { $0 = holds }
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
        let holds = isHolding.withLock { $0 }
        if text.contains("virus"), !holds { throw .virus }
        if text.contains("broken") { throw .damaged("is truncated or damaged") }
        return CleanImage(
            bytes: Bytes(bytes.prefix { $0 != UInt8(ascii: "|") }), type: type, width: 4, height: 3,
            scan: holds ? .pending : isScanning.withLock { $0 } ? .clean : .skipped)
    }

    package func scan(_ source: @escaping BlobSource) async -> ClientImage.Scan {
        if isHolding.withLock({ $0 }) { return .pending }
        guard isScanning.withLock({ $0 }) else { return .skipped }
        var bytes = Bytes()
        do {
            while let piece = try await source() { bytes += piece }
        } catch {
            return .pending
        }
        return String(decoding: bytes, as: UTF8.self).contains("virus") ? .infected : .clean
    }
}
