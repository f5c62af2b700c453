// A copy of what of the vault's book a repository hangs on, as it lies in each place: docs/formats/backup.md, "Keys".

import Base
import Crypto
package import Vault
import Wire

package struct KeyBookCopy: Sendable, Equatable {
    /// The keys of `BackupKeyNames.all` with all their versions, wrapped, and what tells their root key.
    package let book: KeyBook
    /// The file.
    let bytes: Bytes

    private static let magic = Bytes("PXKEYS01".utf8)
    private static let codeCount = SHA256.count
    private static let checkCount = 17
    private static let fingerprintCount = 8
    private static let states: [KeyState] = [.active, .opening, .disabled, .scheduled, .destroyed]

    var id: Digest { .sha256(bytes) }

    /// Newer ones come after older ones of the same root key.
    var age: (epoch: UInt32, revision: Int64) { (book.root.epoch, book.root.revision) }

    /// Of what a vault has opened.
    init(_ snapshot: KeySnapshot) { self.init(snapshot.book, code: snapshot.vault.codeOfCopy) }

    init(_ book: KeyBook, code: (Bytes) -> Bytes) {
        self.book = book
        let body = Self.body(book)
        bytes = body + code(body)
    }

    /// Whether whoever has the root key has written it.
    func isAuthentic(for vault: Vault) -> Bool {
        constantTimeEquals(
            Bytes(bytes.suffix(Self.codeCount)), vault.codeOfCopy(Bytes(bytes.dropLast(Self.codeCount))))
    }

    /// Nothing but the count of the book's changes differs: other keys have changed.
    func isSame(as other: KeyBookCopy) -> Bool {
        func content(_ bytes: Bytes) -> Bytes {
            let revisionEnd = Self.magic.count + 8
            return Bytes(bytes.dropFirst(revisionEnd).dropLast(Self.codeCount))
        }
        return content(bytes) == content(other.bytes)
    }

    /// What was read, written again.
    var rewritten: Bytes { Self.body(book) + bytes.suffix(Self.codeCount) }

    // MARK: Writing

    private static func body(_ book: KeyBook) -> Bytes {
        var bytes = magic
        bytes.append(bigEndian: UInt64(bitPattern: book.root.revision))
        bytes.append(bigEndian: book.root.epoch)
        bytes += book.root.check
        bytes.append(counted: book.root.base ?? [])
        bytes.append(counted: Bytes((book.root.passphrase ?? "").utf8))
        bytes.append(UInt8(book.keys.count))
        for key in book.keys.values.sorted(by: { $0.name < $1.name }) { append(key, to: &bytes) }
        return bytes
    }

    private static func append(_ key: NamedKey, to bytes: inout Bytes) {
        bytes.append(counted: Bytes(key.name.utf8))
        bytes.append(counted: Bytes(key.kind.rawValue.utf8))
        bytes.append(time: key.createdAt)
        bytes.append(bigEndian: UInt16(key.versions.count))
        for version in key.versions {
            bytes.append(bigEndian: version.number)
            bytes.append(UInt8(states.firstIndex(of: version.state) ?? 0))
            bytes.append(time: version.createdAt)
            bytes.append(time: version.changedAt)
            bytes += Hex.decode(version.fingerprint) ?? Bytes(repeating: 0, count: fingerprintCount)
            bytes.append(counted: version.wrapped ?? [])
        }
    }

    // MARK: Reading

    /// Nothing of it is believed before `isAuthentic`: it says which root key it is for.
    init(parsing bytes: Bytes) throws(WireError) {
        guard bytes.count <= BackupLimits.keyCopy else { throw .invalid("it is longer than a copy of keys") }
        var reader = ByteReader(bytes.span.bytes)
        guard try reader.readBytes(Self.magic.count) == Self.magic else { throw .invalid("it is no copy of keys") }
        let revision = Int64(bitPattern: try reader.readUInt64())
        let epoch = try reader.readUInt32()
        let check = try reader.readBytes(Self.checkCount)
        let base = try reader.readCounted(most: 256)
        let passphrase = try reader.readCountedText(most: 256)
        let root = RootRecord(
            revision: revision, epoch: epoch, check: check, base: base.isEmpty ? nil : base,
            passphrase: passphrase.isEmpty ? nil : passphrase)
        var keys: [String: NamedKey] = [:]
        var last = ""
        for _ in 0..<Int(try reader.readUInt8()) {
            let key = try Self.key(&reader)
            guard last < key.name else { throw .invalid("names of keys do not ascend") }
            last = key.name
            keys[key.name] = key
        }
        try reader.skip(Self.codeCount)
        try reader.requireEnd()
        book = KeyBook(root: root, keys: keys)
        self.bytes = bytes
    }

    private static func key(_ reader: inout ByteReader) throws(WireError) -> NamedKey {
        let name = try reader.readCountedText(most: 64)
        let word = try reader.readCountedText(most: 64)
        guard let kind = KeyKind(rawValue: word) else { throw .invalid("a key is of no known kind") }
        var key = NamedKey(name: name, kind: kind, createdAt: try reader.readTime())
        let count = Int(try reader.readUInt16())
        guard (1...1_000).contains(count) else { throw .invalid("a key has 1 to 1,000 versions") }
        for _ in 0..<count {
            let version = try version(&reader)
            guard key.versions.last.map({ $0.number < version.number }) ?? true else {
                throw .invalid("versions do not ascend")
            }
            key.versions.append(version)
        }
        return key
    }

    private static func version(_ reader: inout ByteReader) throws(WireError) -> KeyVersion {
        let number = try reader.readUInt32()
        let state = Int(try reader.readUInt8())
        guard states.indices.contains(state) else { throw .invalid("a version is in no known state") }
        let (created, changed) = (try reader.readTime(), try reader.readTime())
        let fingerprint = try reader.readBytes(fingerprintCount)
        let wrapped = try reader.readCounted(most: 256)
        return KeyVersion(
            number: number, state: states[state], createdAt: created, changedAt: changed,
            fingerprint: Hex.encode(fingerprint), wrapped: wrapped.isEmpty ? nil : wrapped)
    }
}

extension Bytes {
    fileprivate mutating func append(counted bytes: Bytes) {
        append(bigEndian: UInt16(bytes.count))
        self += bytes
    }
}

extension ByteReader {
    @_lifetime(self: copy self)
    fileprivate mutating func readCounted(most: Int) throws(WireError) -> Bytes {
        let count = Int(try readUInt16())
        guard count <= most else { throw .invalid("a field is too long") }
        return try readBytes(count)
    }

    @_lifetime(self: copy self)
    fileprivate mutating func readCountedText(most: Int) throws(WireError) -> String {
        let count = Int(try readUInt16())
        guard count <= most else { throw .invalid("a text is too long") }
        return try readText(count)
    }
}
