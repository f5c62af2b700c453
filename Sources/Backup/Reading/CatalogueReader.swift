// A catalogue, entry by entry: its blocks are read as they are needed, and no more than one and an entry is in memory.

import Base
import Wire

struct CatalogueReader {
    private let blocks: BlockReader
    private let manifest: BackupManifest
    private var nextBlock = 0
    private var buffer = Bytes()
    private var position = 0
    private var previous: CatalogueEntry?
    private var total: UInt64 = 0

    init(_ manifest: BackupManifest, _ blocks: BlockReader) {
        self.manifest = manifest
        self.blocks = blocks
    }

    /// `nil` after the last. Throws for what the format does not allow, however well it is signed.
    mutating func next() async throws(BackupError) -> CatalogueEntry? {
        while true {
            do throws(WireError) {
                if let entry = try parse() { return entry }
                if nextBlock == manifest.catalogue.count { return try finish() }
            } catch { throw error.inForm("the catalogue of backup \(manifest.id)") }
            let block = try await blocks.block(
                manifest.catalogue[nextBlock], of: "the catalogue of backup \(manifest.id)")
            nextBlock += 1
            total += UInt64(block.count)
            buffer.removeSubrange(..<position)
            position = 0
            buffer += block
        }
    }

    /// The next entry, if all of it is in memory.
    private mutating func parse() throws(WireError) -> CatalogueEntry? {
        guard let (entry, used) = try Self.parse(buffer, from: position) else { return nil }
        try entry.checkFollows(previous)
        position += used
        previous = entry
        return entry
    }

    private static func parse(_ buffer: Bytes, from start: Int) throws(WireError) -> (CatalogueEntry, Int)? {
        guard start < buffer.count else { return nil }
        var reader = ByteReader(buffer.span.bytes.extracting(droppingFirst: start))
        do throws(WireError) {
            return (try CatalogueEntry(parsing: &reader), reader.offset)
        } catch {
            if case .truncated = error, buffer.count - start < CatalogueEntry.longest { return nil }
            throw error
        }
    }

    private func finish() throws(WireError) -> CatalogueEntry? {
        guard position == buffer.count, previous?.continues != true else { throw .truncated }
        guard total == manifest.catalogueLength else { throw .invalid("it has another length than its record says") }
        return nil
    }
}
