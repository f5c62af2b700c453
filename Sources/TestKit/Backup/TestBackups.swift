// Keys, trees of items in memory, and places for tests of backups.

package import Backup
package import Base
package import Crypto
import Synchronization
package import Vault

/// Keys from a number: the same number, the same keys.
package struct TestBackupKeys: BackupKeys {
    private let identity: XWingPrivateKey
    private let signing: Ed25519PrivateKey

    package init(_ number: UInt8 = 1) throws {
        identity = try XWingPrivateKey(seed: Secret(Bytes(repeating: number, count: XWing.seedCount)))
        signing = try Ed25519PrivateKey(seed: Secret(Bytes(repeating: number, count: Ed25519PrivateKey.seedCount)))
    }

    package var recipients: [AgeRecipient] { [.hybrid(identity.publicKey)] }
    package var identities: [AgeIdentity] { [.hybrid(identity)] }
    package var verifiers: [Ed25519PublicKey] { [signing.publicKey] }
    package var signer: Ed25519PublicKey { signing.publicKey }
    package func sign(_ message: Bytes) -> Bytes { signing.sign(message) }
}

/// The same to decrypt with, and another to sign with: somebody who knows the recipient, and forges.
package struct ForgedBackupKeys: BackupKeys {
    private let own: TestBackupKeys
    private let other: TestBackupKeys

    package init(_ number: UInt8, signing: UInt8) throws {
        own = try TestBackupKeys(number)
        other = try TestBackupKeys(signing)
    }

    package var recipients: [AgeRecipient] { own.recipients }
    package var identities: [AgeIdentity] { own.identities }
    package var verifiers: [Ed25519PublicKey] { other.verifiers }
    package var signer: Ed25519PublicKey { other.signer }
    package func sign(_ message: Bytes) -> Bytes { other.sign(message) }
}

/// A tree in memory: paths with their bytes.
package struct TestTree: Sendable, Equatable {
    package var files: [String: Bytes] = [:]

    package init() {}

    /// Some files: empty, small, of several blocks, compressible or not.
    package static func random(using random: inout SplitMix, files: Int = 12) -> TestTree {
        var tree = TestTree()
        for _ in 0..<files { tree.change(using: &random) }
        return tree
    }

    /// Adds, changes, lengthens, cuts or removes a file.
    package mutating func change(using random: inout SplitMix) {
        let folder = ["data", "data/blobs", "configuration", "données"].randomElement(using: &random) ?? "data"
        let name = "\(folder)/\(Int.random(in: 0..<20, using: &random)).bin"
        switch Int.random(in: 0..<6, using: &random) {
        case 0: files[name] = []
        case 1: files[name] = nil
        case 2:
            if var bytes = files[name], !bytes.isEmpty {
                bytes[Int.random(in: bytes.indices, using: &random)] ^= 1
                files[name] = bytes
            }
        case 3: files[name, default: []] += Self.bytes(Int.random(in: 1...100_000, using: &random), &random)
        default: files[name] = Self.bytes(Int.random(in: 1...900_000, using: &random), &random)
        }
    }

    private static func bytes(_ count: Int, _ random: inout SplitMix) -> Bytes {
        if Bool.random(using: &random) {
            let word = Bytes("plexichat \(UInt8.random(in: 0...255, using: &random)) ".utf8)
            return Bytes((0..<count).map { word[$0 % word.count] })
        }
        return Bytes(unsafeUninitializedCapacity: count) { buffer, filled in
            for index in 0..<count { buffer[index] = UInt8(truncatingIfNeeded: random.next()) }
            filled = count
        }
    }
}

package actor TreeSource: BackupSource {
    private let items: [(path: ItemPath, bytes: Bytes)]
    private let marks: Bool
    private var position = 0

    /// `marks`: whether an item that is the same says so.
    package init(_ tree: TestTree, marks: Bool = true) throws {
        items = try tree.files.map { name, bytes in
            guard let path = ItemPath(name) else { throw ConformanceFailure(description: "\(name) is no path") }
            return (path, bytes)
        }.sorted { $0.path < $1.path }
        self.marks = marks
    }

    package func expectedBytes() -> UInt64? { items.reduce(0) { $0 + UInt64($1.bytes.count) } }

    package func next() -> SourceItem? {
        guard position < items.count else { return nil }
        defer { position += 1 }
        let (path, bytes) = items[position]
        return SourceItem(
            path: path, kind: .file, mode: 0o640, changed: Timestamp(secondsSinceEpoch: 1_700_000_000),
            mark: marks ? SHA256.hash(bytes) : []
        ) { () throws(BackupError) -> ItemBytes? in
            let pieces = TreePieces(bytes)
            return { () throws(BackupError) -> Bytes? in pieces.next() }
        }
    }

    package func close() {}
}

/// Bytes in pieces of an odd size, so that blocks are cut across them.
private final class TreePieces: Sendable {
    private static let size = 100_003
    private let bytes: Bytes
    private let position = Mutex(0)

    init(_ bytes: Bytes) { self.bytes = bytes }

    func next() -> Bytes? {
        position.withLock { position in
            guard position < bytes.count else { return nil }
            defer { position = min(bytes.count, position + Self.size) }
            return Bytes(bytes[position..<min(bytes.count, position + Self.size)])
        }
    }
}
