// Segments as files: docs/formats/journal.md, "Segment".

import Base
import Crypto
import Vault
import Wire

enum SegmentName {
    static let digits = 8

    static func of(_ number: UInt32) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text + ".age"
    }

    /// `nil` for a name that is no segment's.
    static func number(_ name: String) -> UInt32? {
        guard name.hasSuffix(".age"), let number = UInt32(name.dropLast(4)), number > 0, of(number) == name else {
            return nil
        }
        return number
    }
}

/// The head of a segment.
struct SegmentHead: Sendable, Equatable {
    static let magic = Bytes("PXJOURNL".utf8)
    static let version: UInt8 = 1
    static let count = 8 + 1 + 16 + 4 + SHA256.count + 8 + 8 + 4
    static let context = Bytes("plexichat journal 1".utf8)

    var recording: UUID
    var number: UInt32
    /// The hash of the one before, random in the first one.
    var before: Bytes
    var time: RecordingTime
    var civil: Timestamp
    var entriesCount: Int

    var bytes: Bytes {
        var bytes = Self.magic
        bytes.append(Self.version)
        bytes.append(id: recording)
        bytes.append(bigEndian: number)
        bytes += before
        bytes.append(bigEndian: UInt64(time.microseconds))
        bytes.append(time: civil)
        bytes.append(bigEndian: UInt32(entriesCount))
        return bytes
    }

    init(recording: UUID, number: UInt32, before: Bytes, _ segment: ClosedSegment) {
        self.recording = recording
        self.number = number
        self.before = before
        time = segment.time
        civil = segment.civil
        entriesCount = segment.entries.count
    }

    init(parsing reader: inout ByteReader) throws(WireError) {
        guard try reader.readBytes(Self.magic.count) == Self.magic else { throw .invalid("it begins otherwise") }
        guard try reader.readUInt8() == Self.version else { throw .invalid("it has version 0") }
        recording = try reader.readID()
        number = try reader.readUInt32()
        before = try reader.readBytes(SHA256.count)
        time = try reader.readRecordingTime()
        civil = try reader.readTime()
        entriesCount = Int(try reader.readUInt32())
        guard (1...JournalLimits.segment + JournalLimits.reserve).contains(entriesCount) else {
            throw .invalid("the length of its entries is not such")
        }
    }
}

/// Makes files of segments, one after the other.
struct SegmentSealer: Sendable {
    struct Sealed: Sendable {
        let name: String
        let file: Bytes
        let hash: Bytes
    }

    let recording: UUID
    let keys: JournalWritingKeys
    private var number: UInt32 = 1
    private var before = SecureRandom.bytes(SHA256.count)

    init(recording: UUID, keys: JournalWritingKeys) {
        self.recording = recording
        self.keys = keys
    }

    mutating func seal(_ segment: ClosedSegment) throws(JournalError) -> Sealed {
        let head = SegmentHead(recording: recording, number: number, before: before, segment).bytes
        var digest = SHA256Stream()
        digest.update(head)
        digest.update(segment.entries)
        let hash = digest.finish()
        let tail = JournalSignature.make(hash, SegmentHead.context, keys)
        let file = try AgeFile.seal([head, segment.entries, tail], for: keys)
        defer {
            number += 1
            before = hash
        }
        return Sealed(name: SegmentName.of(number), file: file, hash: hash)
    }
}

/// A segment whose signature is good. Whether it is the one that belongs here is the reader's question.
struct OpenedSegment {
    let head: SegmentHead
    let hash: Bytes
    /// Of all; entries lie behind the head.
    let plaintext: Bytes

    /// Nothing of it is looked at before its signature was.
    init(opening plaintext: Bytes, _ file: String, with keys: JournalReadingKeys) throws(JournalError) {
        guard plaintext.count > SegmentHead.count + JournalSignature.count, plaintext.starts(with: SegmentHead.magic)
        else { throw .malformed(file: file, reason: "it does not begin like a segment") }
        guard plaintext[SegmentHead.magic.count] <= SegmentHead.version else { throw .newerVersion(file: file) }
        var digest = SHA256Stream()
        plaintext.withUnsafeBytes {
            digest.update(UnsafeRawBufferPointer(rebasing: $0.dropLast(JournalSignature.count)))
        }
        hash = digest.finish()
        guard JournalSignature.isValid(plaintext, hash, SegmentHead.context, keys) else {
            throw .notAuthentic(file: file)
        }
        do throws(WireError) {
            head = try Self.head(of: plaintext)
        } catch { throw .malformed(file: file, reason: error.reason) }
        self.plaintext = plaintext
    }

    private static func head(of plaintext: Bytes) throws(WireError) -> SegmentHead {
        var reader = ByteReader(plaintext.span.bytes)
        let head = try SegmentHead(parsing: &reader)
        guard reader.remaining == head.entriesCount + JournalSignature.count else {
            throw .invalid("the length of its entries is not such")
        }
        return head
    }

    var entries: Range<Int> { SegmentHead.count..<SegmentHead.count + head.entriesCount }
}

/// Age files in memory, with errors of journals.
enum AgeFile {
    static func seal(_ parts: [Bytes], for keys: JournalWritingKeys) throws(JournalError) -> Bytes {
        do throws(AgeError) {
            var encryptor = try AgeEncryptor(to: keys.recipients)
            var file = Bytes()
            let count = parts.reduce(0) { $0 + $1.count }
            file.reserveCapacity(count + count / 4_000 + 8_192)
            for part in parts { encryptor.update(part, into: &file) }
            encryptor.finish(into: &file)
            return file
        } catch { throw .refused("encryption of a recording: \(error)") }
    }

    /// `length` is what a manifest says of it. `isKnown`: these keys have opened another file of the recording, so
    /// when they do not open this one it was changed.
    static func open(
        _ file: Bytes, _ name: String, with keys: JournalReadingKeys, length: UInt32?, isKnown: Bool
    ) throws(JournalError) -> Bytes {
        do throws(AgeError) {
            var decryptor = try AgeDecryptor(with: keys.identities, expecting: length.map { UInt64($0) })
            var plaintext = Bytes()
            plaintext.reserveCapacity(file.count)
            try decryptor.update(file, into: &plaintext)
            try decryptor.finish(into: &plaintext)
            return plaintext
        } catch {
            switch error {
            case .truncated: throw .truncated(file: name)
            case .noIdentityMatches where !isKnown: throw .wrongKey(file: name)
            default: throw .damaged(file: name, reason: "\(error)")
            }
        }
    }
}
