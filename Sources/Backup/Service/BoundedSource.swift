// A source that stops a backup when it grows beyond what the operator allows.

import Base

struct BoundedSource: BackupSource {
    let source: any BackupSource
    let bytesMax: UInt64
    /// Counts what was read and what was taken over unread, of all sources.
    let meter: BackupMeter

    func expectedBytes() async throws(BackupError) -> UInt64? { try await source.expectedBytes() }

    func next() async throws(BackupError) -> SourceItem? {
        try check()
        guard let item = try await source.next() else { return nil }
        return SourceItem(
            path: item.path, kind: item.kind, mode: item.mode, changed: item.changed, mark: item.mark
        ) { () async throws(BackupError) -> ItemBytes? in
            guard let next = try await item.open() else { return nil }
            return { () async throws(BackupError) -> Bytes? in
                try check()
                return try await next()
            }
        }
    }

    func close() async { await source.close() }

    private func check() throws(BackupError) {
        guard meter.current.bytes > bytesMax else { return }
        throw .refused(
            "there is more to back up than the \(bytesMax) bytes that backup.max_size allows; back up less, or raise it"
        )
    }
}
