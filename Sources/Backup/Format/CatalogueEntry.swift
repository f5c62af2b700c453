// An entry of a catalogue: docs/formats/backup.md, "Catalogue".

import Base
import Wire

package enum ItemKind: UInt8, Sendable {
    case file = 1
    case folder = 2
}

struct CatalogueEntry: Sendable, Equatable {
    let kind: ItemKind
    var continues: Bool
    let mode: UInt16
    let changed: Timestamp
    var length: UInt64
    let part: UInt32
    let path: ItemPath
    /// What its source said of it; empty when it cannot be told whether it changed.
    let mark: Bytes
    var blocks: [Digest]

    private static let headCount = 1 + 1 + 2 + 8 + 8 + 4 + 2 + 1 + 4
    /// The longest entry that can be.
    static let longest = headCount + BackupLimits.path + BackupLimits.mark + BackupLimits.blocksPerEntry * Digest.count

    func write(into bytes: inout Bytes) {
        let path = Bytes(self.path.description.utf8)
        bytes.append(kind.rawValue)
        bytes.append(continues ? 1 : 0)
        bytes.append(bigEndian: mode)
        bytes.append(time: changed)
        bytes.append(bigEndian: length)
        bytes.append(bigEndian: part)
        bytes.append(bigEndian: UInt16(path.count))
        bytes.append(UInt8(mark.count))
        bytes.append(bigEndian: UInt32(blocks.count))
        bytes += path
        bytes += mark
        for block in blocks { block.write(into: &bytes) }
    }
}

extension CatalogueEntry {
    /// `truncated` when more bytes are needed.
    init(parsing reader: inout ByteReader) throws(WireError) {
        guard let kind = ItemKind(rawValue: try reader.readUInt8()) else {
            throw .invalid("an item is of no known kind")
        }
        self.kind = kind
        let flags = try reader.readUInt8()
        guard flags & ~1 == 0 else { throw .invalid("an item has flags that are not known") }
        continues = flags & 1 != 0
        mode = try reader.readUInt16()
        guard mode & ~0o777 == 0 else { throw .invalid("an item has a mode that is not such") }
        changed = try reader.readTime()
        length = try reader.readUInt64()
        part = try reader.readUInt32()
        let pathCount = Int(try reader.readUInt16())
        let markCount = Int(try reader.readUInt8())
        let count = Int(try reader.readUInt32())
        guard pathCount <= BackupLimits.path, count <= BackupLimits.blocksPerEntry else {
            throw .invalid("an item is longer than is allowed")
        }
        guard let path = ItemPath(try reader.readText(pathCount)) else { throw .invalid("a path is not allowed") }
        self.path = path
        mark = try reader.readBytes(markCount)
        guard reader.remaining >= count * Digest.count else { throw .truncated }
        var blocks: [Digest] = []
        blocks.reserveCapacity(count)
        for _ in 0..<count { blocks.append(try Digest(parsing: &reader)) }
        self.blocks = blocks
        try checkCounts()
    }

    /// The blocks of this part fit the item's length.
    private func checkCounts() throws(WireError) {
        guard kind == .file else {
            guard length == 0, blocks.isEmpty, part == 0, !continues else { throw .invalid("a folder has blocks") }
            return
        }
        guard length <= UInt64(BackupLimits.blocks) * UInt64(BackupLimits.block) else {
            throw .invalid("an item is longer than is allowed")
        }
        let all = Int(length) / BackupLimits.block + (Int(length) % BackupLimits.block == 0 ? 0 : 1)
        let (before, overflow) = Int(part).multipliedReportingOverflow(by: BackupLimits.blocksPerEntry)
        let rest = all - before
        guard !overflow, rest >= 0, rest > 0 || part == 0 else { throw .invalid("an item has too many parts") }
        guard blocks.count == min(rest, BackupLimits.blocksPerEntry), continues == (rest > blocks.count) else {
            throw .invalid("an item's blocks are not as many as its length needs")
        }
    }

    /// That it may come behind `previous`: the order of paths and of parts.
    func checkFollows(_ previous: CatalogueEntry?) throws(WireError) {
        guard let previous else {
            guard part == 0 else { throw .invalid("an item begins with a later part") }
            return
        }
        if previous.continues {
            guard path == previous.path, part == previous.part + 1, kind == previous.kind, length == previous.length
            else { throw .invalid("an item's parts do not follow each other") }
            return
        }
        guard part == 0, previous.path < path else { throw .invalid("paths do not ascend") }
        if previous.kind == .file, path.isWithin(previous.path) { throw .invalid("an item lies below a file") }
    }
}
