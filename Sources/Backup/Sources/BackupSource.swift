// What is backed up: items in the order of their paths, each with its bytes to pull.

package import Base

/// The bytes of an item. Each call gives some, `nil` after the last. Pieces of `BackupLimits.block` bytes are not copied.
package typealias ItemBytes = @Sendable () async throws(BackupError) -> Bytes?

package struct SourceItem: Sendable {
    package let path: ItemPath
    package let kind: ItemKind
    package let mode: UInt16
    package let changed: Timestamp
    /// At most 255 bytes that are the same as long as the item is; empty when that cannot be told.
    package let mark: Bytes
    /// Begins to read; `nil` when the item has gone meanwhile.
    package let open: @Sendable () async throws(BackupError) -> ItemBytes?

    package init(
        path: ItemPath, kind: ItemKind, mode: UInt16, changed: Timestamp, mark: Bytes,
        open: @escaping @Sendable () async throws(BackupError) -> ItemBytes?
    ) {
        self.path = path
        self.kind = kind
        self.mode = mode & 0o777
        self.changed = changed
        self.mark = Bytes(mark.prefix(BackupLimits.mark))
        self.open = open
    }
}

package protocol BackupSource: Sendable {
    /// How many bytes there will be, about; `nil` when it cannot be told without reading them. Asked of all sources before
    /// the first item of any: a database takes its snapshot here, so that the blobs that it speaks of are there when their
    /// folder is read later.
    func expectedBytes() async throws(BackupError) -> UInt64?
    /// The next item; `nil` after the last. Paths ascend.
    func next() async throws(BackupError) -> SourceItem?
    /// Called once at the end, however it came: temporary files go.
    func close() async
}
