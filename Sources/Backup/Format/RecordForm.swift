// The body of a record: docs/formats/backup.md, "Record".

package import Base
import Wire

/// A record, by what the chain knows of it.
struct RecordLink: Hashable, Sendable {
    let sequence: UInt64
    let hash: Digest
}

/// What a backup is.
package struct BackupManifest: Sendable, Equatable {
    package let id: UUID
    package let isIncremental: Bool
    /// The record that it was compared with; 0 for none.
    package let base: UInt64
    package let items: UInt64
    package let bytes: UInt64
    package let newBytes: UInt64
    /// Of the snapshot.
    package let taken: Timestamp
    package let protection: Protection
    package let program: String
    package let note: String
    let catalogueLength: UInt64
    let catalogue: [Digest]
}

struct BackupRecord: Sendable, Equatable {
    enum Content: Sendable, Equatable {
        case backup(BackupManifest)
        case removal
    }

    let sequence: UInt64
    let made: Timestamp
    let previous: Digest
    let live: [RecordLink]
    let content: Content

    var manifest: BackupManifest? {
        if case .backup(let manifest) = content { manifest } else { nil }
    }

    var body: Bytes {
        var body = Bytes()
        body.append(bigEndian: sequence)
        body.append(manifest == nil ? 2 : 1)
        body.append(time: made)
        previous.write(into: &body)
        body.append(bigEndian: UInt32(live.count))
        for link in live {
            body.append(bigEndian: link.sequence)
            link.hash.write(into: &body)
        }
        manifest?.write(into: &body)
        return body
    }
}

extension BackupRecord {
    init(parsing body: Bytes) throws(WireError) {
        var reader = ByteReader(body.span.bytes)
        sequence = try reader.readUInt64()
        // Far from where counting on would overflow.
        guard sequence > 0, sequence < 1 << 62 else { throw .invalid("a record's number is not such") }
        let kind = try reader.readUInt8()
        made = try reader.readTime()
        previous = try Digest(parsing: &reader)
        let count = Int(try reader.readUInt32())
        guard count <= BackupLimits.liveRecords else { throw .invalid("it lists too many records") }
        var live: [RecordLink] = []
        for _ in 0..<count {
            let link = RecordLink(sequence: try reader.readUInt64(), hash: try Digest(parsing: &reader))
            guard link.sequence > live.last?.sequence ?? 0, link.sequence < sequence else {
                throw .invalid("the records that it lists do not ascend")
            }
            live.append(link)
        }
        self.live = live
        switch kind {
        case 1: content = .backup(try BackupManifest(parsing: &reader))
        case 2: content = .removal
        default: throw .invalid("a record is of no known kind")
        }
        try reader.requireEnd()
    }
}

extension BackupManifest {
    fileprivate func write(into body: inout Bytes) {
        body.append(id: id)
        body.append(isIncremental ? 2 : 1)
        for number in [base, items, bytes, newBytes] { body.append(bigEndian: number) }
        body.append(time: taken)
        body.append(protection)
        let (program, note) = (Bytes(self.program.utf8.prefix(255)), Bytes(self.note.utf8))
        body.append(UInt8(program.count))
        body += program
        body.append(bigEndian: UInt16(note.count))
        body += note
        body.append(bigEndian: catalogueLength)
        body.append(bigEndian: UInt32(catalogue.count))
        for block in catalogue { block.write(into: &body) }
    }

    fileprivate init(parsing reader: inout ByteReader) throws(WireError) {
        id = try reader.readID()
        let type = try reader.readUInt8()
        guard type == 1 || type == 2 else { throw .invalid("a backup is of no known type") }
        isIncremental = type == 2
        base = try reader.readUInt64()
        items = try reader.readUInt64()
        bytes = try reader.readUInt64()
        newBytes = try reader.readUInt64()
        taken = try reader.readTime()
        protection = try reader.readProtection()
        program = try reader.readText(Int(try reader.readUInt8()))
        let noteCount = Int(try reader.readUInt16())
        guard noteCount <= BackupLimits.note else { throw .invalid("a note is too long") }
        note = try reader.readText(noteCount)
        catalogueLength = try reader.readUInt64()
        let count = Int(try reader.readUInt32())
        guard count <= BackupLimits.blocksPerCatalogue, reader.remaining >= count * Digest.count,
            catalogueLength <= UInt64(count) * UInt64(BackupLimits.block),
            catalogueLength > UInt64(max(count, 1) - 1) * UInt64(BackupLimits.block) || count == 0
        else { throw .invalid("a catalogue's length is not such") }
        var catalogue: [Digest] = []
        catalogue.reserveCapacity(count)
        for _ in 0..<count { catalogue.append(try Digest(parsing: &reader)) }
        self.catalogue = catalogue
    }
}
