// The plaintext of a pack: docs/formats/backup.md, "Pack".

import Base
import Wire

struct PackEntry: Sendable, Equatable {
    static let count = 41

    enum Coding: UInt8, Sendable {
        case plain = 0
        case zstandard = 1
    }

    let id: Digest
    let coding: Coding
    let storedLength: Int
    let length: Int
}

/// Blocks on their way into a pack.
struct PackBuilder: Sendable {
    private static let headCount = 12
    static let magic = Bytes("PXPACK01".utf8)

    private(set) var entries: [PackEntry] = []
    private var blocks = Bytes()

    var isEmpty: Bool { entries.isEmpty }
    private var plaintextCount: Int { Self.headCount + entries.count * PackEntry.count + blocks.count }

    func hasRoom(for storedLength: Int) -> Bool {
        entries.count < BackupLimits.blocksPerPack
            && plaintextCount + PackEntry.count + storedLength <= BackupLimits.pack
    }

    /// There must be room. Returns the block's place in the pack.
    mutating func append(_ id: Digest, _ coding: PackEntry.Coding, _ stored: Bytes, length: Int) -> Int {
        precondition(hasRoom(for: stored.count), "a full pack is closed")
        if blocks.isEmpty { blocks.reserveCapacity(BackupLimits.pack) }
        entries.append(PackEntry(id: id, coding: coding, storedLength: stored.count, length: length))
        blocks += stored
        return entries.count - 1
    }

    /// The plaintext in parts, so that it need not be copied.
    var parts: [Bytes] {
        var head = Self.magic
        head.append(bigEndian: UInt32(entries.count))
        for entry in entries {
            entry.id.write(into: &head)
            head.append(entry.coding.rawValue)
            head.append(bigEndian: UInt32(entry.storedLength))
            head.append(bigEndian: UInt32(entry.length))
        }
        let padding = Padding.length(of: plaintextCount) - plaintextCount
        return [head, blocks, Bytes(repeating: 0, count: padding)]
    }
}

/// A pack that was opened.
struct PackContent: Sendable {
    let entries: [PackEntry]
    private let starts: [Int]
    private let plaintext: Bytes

    init(parsing plaintext: Bytes) throws(WireError) {
        var reader = ByteReader(plaintext.span.bytes)
        guard try reader.readBytes(PackBuilder.magic.count) == PackBuilder.magic else {
            throw .invalid("it is no pack")
        }
        let count = Int(try reader.readUInt32())
        guard (1...BackupLimits.blocksPerPack).contains(count) else {
            throw .invalid("its count of blocks is not such")
        }
        var entries: [PackEntry] = []
        entries.reserveCapacity(count)
        for _ in 0..<count { entries.append(try PackEntry(parsing: &reader)) }
        var starts: [Int] = []
        starts.reserveCapacity(count)
        for entry in entries {
            starts.append(reader.offset)
            try reader.skip(entry.storedLength)
        }
        guard plaintext.count == Padding.length(of: reader.offset) else {
            throw .invalid("its padding has another length")
        }
        guard try reader.readBytes(reader.remaining).allSatisfy({ $0 == 0 }) else {
            throw .invalid("its padding is not zeros")
        }
        self.entries = entries
        self.starts = starts
        self.plaintext = plaintext
    }

    /// As it lies in the pack, unverified.
    func stored(_ ordinal: Int) -> Bytes {
        Bytes(plaintext[starts[ordinal]..<starts[ordinal] + entries[ordinal].storedLength])
    }

    /// The block, which is what its id says; `nil` when it is not, or does not decode.
    func block(_ ordinal: Int, _ key: Secret) -> Bytes? {
        let entry = entries[ordinal]
        let stored = starts[ordinal]..<starts[ordinal] + entry.storedLength
        let block: Bytes? =
            switch entry.coding {
            case .plain: Bytes(plaintext[stored])
            case .zstandard:
                plaintext.withUnsafeBytes { bytes in
                    BlockDecoder.decompress(UnsafeRawBufferPointer(rebasing: bytes[stored]), count: entry.length)
                }
            }
        guard let block, Digest.keyed(block, key) == entry.id else { return nil }
        return block
    }
}

extension PackEntry {
    init(parsing reader: inout ByteReader) throws(WireError) {
        id = try Digest(parsing: &reader)
        guard let coding = Coding(rawValue: try reader.readUInt8()) else {
            throw .invalid("a block has no known coding")
        }
        self.coding = coding
        storedLength = Int(try reader.readUInt32())
        length = Int(try reader.readUInt32())
        guard (1...BackupLimits.block).contains(length), storedLength > 0,
            coding == .plain ? storedLength == length : storedLength < length
        else { throw .invalid("a block's lengths are not such") }
    }
}
