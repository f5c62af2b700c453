// A share of an object with its head: docs/formats/backup.md, "Names in a place".

import Base
import Crypto
import Wire

struct Piece: Sendable {
    static let headCount = 88
    private static let magic = Bytes("PXSHARD1".utf8)
    private static let hashOffset = 56

    let name: RepositoryFile.PieceName
    /// Of the object.
    let length: Int
    let share: Bytes

    var bytes: Bytes {
        var bytes = Self.magic
        bytes.append(UInt8(name.index))
        bytes.append(name.protection)
        bytes += [0, 0, 0, 0, 0]
        bytes.append(bigEndian: UInt64(length))
        name.object.write(into: &bytes)
        bytes += Self.hash(bytes, share)
        return bytes + share
    }

    private static func hash(_ head: Bytes, _ share: some Sequence<UInt8>) -> Bytes { SHA256.hash(head + share) }

    init(_ name: RepositoryFile.PieceName, length: Int, share: Bytes) {
        self.name = name
        self.length = length
        self.share = share
    }

    /// Throws what is wrong, in words. `name` is the one that the file has.
    init(parsing bytes: Bytes, as name: RepositoryFile.PieceName) throws(PieceDamage) {
        guard bytes.count > Self.headCount, bytes.starts(with: Self.magic) else {
            throw PieceDamage(reason: "it is no piece of an object")
        }
        let hash = Self.hash(Bytes(bytes[..<Self.hashOffset]), bytes[Self.headCount...])
        guard hash == Bytes(bytes[Self.hashOffset..<Self.headCount]) else {
            throw PieceDamage(reason: "its bytes are not those that were written")
        }
        var reader = ByteReader(bytes.span.bytes)
        do throws(WireError) {
            try reader.skip(Self.magic.count)
            let index = Int(try reader.readUInt8())
            let protection = try reader.readProtection()
            try reader.skip(5)
            let length = try reader.readUInt64()
            let object = try Digest(parsing: &reader)
            let own = RepositoryFile.PieceName(object: object, index: index, protection: protection)
            guard own == name else { throw .invalid("it is not what its name says") }
            guard length <= UInt64(BackupLimits.object) else { throw .invalid("its object is too long") }
            self.init(own, length: Int(length), share: Bytes(bytes[Self.headCount...]))
        } catch { throw PieceDamage(reason: error.reason) }
        guard share.count == ErasureCode(name.protection).shareCount(of: length) else {
            throw PieceDamage(reason: "its share has another length than its head says")
        }
    }
}

struct PieceDamage: Error { let reason: String }
