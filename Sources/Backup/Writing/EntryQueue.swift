// Items whose blocks are on their way, in the order of the catalogue. Workers finish them in any order.

import Base

struct EntryQueue {
    /// Where a block's id goes.
    struct Slot: Sendable, Hashable {
        let item: Int
        let ordinal: Int
    }

    private static let removedAtOnce = 1_024

    private struct Item {
        let source: SourceItem
        var length: UInt64 = 0
        var blocks: [Digest] = []
        var missing = 0
        var isRead = false
    }

    private var items: [Item?] = []
    /// Items before this one were given out; they are removed many at once.
    private var head = 0
    /// The number of `items[0]`.
    private var first = 0

    var count: Int { items.count - head }

    /// An item that is about to be read.
    mutating func begin(_ source: SourceItem) { items.append(Item(source: source)) }

    /// An item that did not change since it was read for an earlier backup.
    mutating func append(_ source: SourceItem, length: UInt64, blocks: [Digest]) {
        items.append(Item(source: source, length: length, blocks: blocks, isRead: true))
    }

    /// The next block of the item that was begun last.
    mutating func expectBlock(of count: Int) -> Slot {
        let last = items.count - 1
        guard var item = items[last].take() else { preconditionFailure("an item was begun") }
        defer { items[last] = item }
        item.blocks.append(.zero)
        item.missing += 1
        item.length += UInt64(count)
        return Slot(item: first + last, ordinal: item.blocks.count - 1)
    }

    mutating func end() { items[items.count - 1]?.isRead = true }

    mutating func fill(_ slot: Slot, _ id: Digest) {
        items[slot.item - first]?.blocks[slot.ordinal] = id
        items[slot.item - first]?.missing -= 1
    }

    /// The entries of the next item, when it is complete.
    mutating func next() -> [CatalogueEntry]? {
        guard head < items.count, let item = items[head], item.isRead, item.missing == 0 else { return nil }
        items[head] = nil
        head += 1
        if head == items.count || head >= Self.removedAtOnce {
            items.removeFirst(head)
            first += head
            head = 0
        }
        return Self.entries(item)
    }

    private static func entries(_ item: Item) -> [CatalogueEntry] {
        let parts = max(1, (item.blocks.count + BackupLimits.blocksPerEntry - 1) / BackupLimits.blocksPerEntry)
        return (0..<parts).map { part in
            let start = part * BackupLimits.blocksPerEntry
            let end = min(item.blocks.count, start + BackupLimits.blocksPerEntry)
            return CatalogueEntry(
                kind: item.source.kind, continues: part + 1 < parts, mode: item.source.mode,
                changed: item.source.changed, length: item.length, part: UInt32(part), path: item.source.path,
                mark: item.source.mark, blocks: Array(item.blocks[start..<end]))
        }
    }
}
