// Configuration, index, record and lock: a body that somebody trusted signed. docs/formats/backup.md, "Signed objects".

import Base
import Crypto
import Vault
import Wire

struct SignedObject: Sendable {
    enum Kind: UInt8, Sendable {
        case configuration = 1
        case index, record, lock
    }

    static let version: UInt8 = 1
    private static let magic = Bytes("PXBACKUP".utf8)
    private static let headCount = 8 + 1 + 1 + 16 + 4
    private static let tailCount = Ed25519PublicKey.count + Ed25519PublicKey.signatureCount
    private static let context = Bytes("plexichat backup 1".utf8)

    let kind: Kind
    let repository: UUID
    let body: Bytes

    /// The plaintext.
    func signed(by keys: any BackupKeys) -> Bytes {
        var bytes = Self.magic
        bytes.append(kind.rawValue)
        bytes.append(Self.version)
        bytes.append(id: repository)
        bytes.append(bigEndian: UInt32(body.count))
        bytes += body
        let length = Padding.length(of: bytes.count + Self.tailCount)
        bytes += Bytes(repeating: 0, count: length - Self.tailCount - bytes.count)
        bytes += keys.signer.bytes
        return bytes + keys.sign(Self.context + bytes)
    }

    /// `file` names it in errors. Nothing of it is looked at before the signature was.
    init(opening plaintext: Bytes, _ file: String, with keys: any BackupKeys) throws(BackupError) {
        guard plaintext.count >= Self.headCount + Self.tailCount, plaintext.starts(with: Self.magic) else {
            throw .malformed("\(file) is no signed object")
        }
        guard plaintext[9] <= Self.version else { throw .newerVersion(file: file) }
        let message = Bytes(plaintext.dropLast(Ed25519PublicKey.signatureCount))
        let signer = Bytes(message.suffix(Ed25519PublicKey.count))
        let signature = Bytes(plaintext.suffix(Ed25519PublicKey.signatureCount))
        guard let key = keys.verifiers.first(where: { $0.bytes == signer }),
            key.isValid(signature, for: Self.context + message)
        else { throw .notAuthentic(file: file) }
        do throws(WireError) { try self.init(parsing: plaintext) } catch { throw error.inForm(file) }
    }

    private init(parsing plaintext: Bytes) throws(WireError) {
        var reader = ByteReader(plaintext.span.bytes)
        try reader.skip(Self.magic.count)
        guard let kind = Kind(rawValue: try reader.readUInt8()) else { throw .invalid("it is of no known kind") }
        guard try reader.readUInt8() == Self.version else { throw .invalid("it has version 0") }
        self.kind = kind
        repository = try reader.readID()
        body = try reader.readBytes(Int(try reader.readUInt32()))
        let zeros = reader.remaining - Self.tailCount
        guard zeros >= 0, try reader.readBytes(zeros).allSatisfy({ $0 == 0 }) else {
            throw .invalid("its padding is not zeros")
        }
    }

    init(_ kind: Kind, of repository: UUID, body: Bytes) {
        self.kind = kind
        self.repository = repository
        self.body = body
    }
}

/// Age files in memory, with errors of the repository.
enum SealedObject {
    static func seal(_ parts: [Bytes], for keys: any BackupKeys) throws(BackupError) -> Bytes {
        do throws(AgeError) {
            var encryptor = try AgeEncryptor(to: keys.recipients)
            var object = Bytes()
            let count = parts.reduce(0) { $0 + $1.count }
            object.reserveCapacity(count + count / 4_000 + AgeHeader.longest / 16)
            for part in parts { encryptor.update(part, into: &object) }
            encryptor.finish(into: &object)
            return object
        } catch { throw .refused("encryption of a backup: \(error)") }
    }

    /// The bytes are known to be those that were written (their hash is in their name), so what does not open is for
    /// other keys, or was made wrong.
    static func open(_ object: Bytes, _ file: String, with keys: any BackupKeys) throws(BackupError) -> Bytes {
        do throws(AgeError) {
            return try Age.decrypt(object, with: keys.identities)
        } catch {
            if error == .noIdentityMatches { throw .wrongKey(file: file) }
            throw .malformed("\(file): \(error)")
        }
    }
}
