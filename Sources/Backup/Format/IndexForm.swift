// The body of an index: which blocks lie in which packs. docs/formats/backup.md, "Index".

import Base
import Wire

/// A pack, as an index lists it.
struct ListedPack: Sendable, Equatable {
    let id: Digest
    /// Of the object.
    let length: Int
    let protection: Protection
    let blocks: [Digest]
}

enum IndexForm {
    static func body(_ packs: [ListedPack]) -> Bytes {
        var body = Bytes()
        body.append(bigEndian: UInt32(packs.count))
        for pack in packs {
            pack.id.write(into: &body)
            body.append(bigEndian: UInt64(pack.length))
            body.append(pack.protection)
            body.append(bigEndian: UInt16(pack.blocks.count))
            for block in pack.blocks { block.write(into: &body) }
        }
        return body
    }

    static func packs(parsing body: Bytes) throws(WireError) -> [ListedPack] {
        var reader = ByteReader(body.span.bytes)
        let count = Int(try reader.readUInt32())
        guard count <= BackupLimits.packsPerIndex else { throw .invalid("it lists too many packs") }
        var packs: [ListedPack] = []
        for _ in 0..<count { packs.append(try pack(&reader)) }
        try reader.requireEnd()
        return packs
    }

    private static func pack(_ reader: inout ByteReader) throws(WireError) -> ListedPack {
        let id = try Digest(parsing: &reader)
        let length = try reader.readUInt64()
        guard length <= UInt64(BackupLimits.object) else { throw .invalid("a pack is too long") }
        let protection = try reader.readProtection()
        let count = Int(try reader.readUInt16())
        guard (1...BackupLimits.blocksPerPack).contains(count) else {
            throw .invalid("a pack has no such count of blocks")
        }
        guard reader.remaining >= count * Digest.count else { throw .truncated }
        var blocks: [Digest] = []
        blocks.reserveCapacity(count)
        for _ in 0..<count { blocks.append(try Digest(parsing: &reader)) }
        return ListedPack(id: id, length: Int(length), protection: protection, blocks: blocks)
    }
}
