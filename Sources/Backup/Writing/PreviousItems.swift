// The items of the backup before, walked beside those of the sources: both are in the order of their paths.

import Base

struct PreviousItems {
    private var reader: CatalogueReader
    private var item: (first: CatalogueEntry, blocks: [Digest])?
    private var isAtEnd = false
    /// A catalogue that cannot be read makes the backup read everything, and is no reason for not having one.
    private var isLost = false

    init(_ manifest: BackupManifest, _ blocks: BlockReader) { reader = CatalogueReader(manifest, blocks) }

    /// Length and blocks of the item, if it is the one that was backed up.
    mutating func unchanged(_ item: SourceItem) async throws(BackupError) -> (length: UInt64, blocks: [Digest])? {
        guard !isLost else { return nil }
        do throws(BackupError) {
            while let current = try await current(), current.first.path < item.path { self.item = nil }
        } catch {
            if error == .cancelled { throw error }
            isLost = true
            return nil
        }
        guard let found = self.item, found.first.path == item.path, found.first.kind == item.kind,
            item.kind == .folder || (!item.mark.isEmpty && found.first.mark == item.mark)
        else { return nil }
        return (found.first.length, found.blocks)
    }

    private mutating func current() async throws(BackupError) -> (first: CatalogueEntry, blocks: [Digest])? {
        if let item { return item }
        guard !isAtEnd else { return nil }
        guard let first = try await entry() else { return nil }
        var blocks = first.blocks
        var last = first
        while last.continues, let next = try await entry() {
            blocks += next.blocks
            last = next
        }
        item = (first, blocks)
        return item
    }

    private mutating func entry() async throws(BackupError) -> CatalogueEntry? {
        let entry = try await reader.next()
        if entry == nil { isAtEnd = true }
        return entry
    }
}
