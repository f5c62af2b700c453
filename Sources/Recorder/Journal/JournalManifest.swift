// What a recording that ended says of itself: docs/formats/journal.md, "Manifest".

package import Base
import Crypto
import Wire

package struct JournalTotals: Sendable, Equatable {
    package var packets: UInt64 = 0
    package var payloadBytes: UInt64 = 0
    /// What gaps counted.
    package var leftOut: UInt64 = 0

    package init() {}
}

package struct JournalManifest: Sendable, Equatable {
    package struct Segment: Sendable, Equatable {
        /// Of the file, and of the plaintext before its signer.
        package var length: UInt32
        package var hash: Bytes
    }

    package struct Consent: Sendable, Equatable {
        package var time: RecordingTime
        package var consent: JournalConsent
    }

    package var recording: UUID
    package var call: UUID
    package var started: Timestamp
    package var ended: Timestamp
    /// Of the end.
    package var time: RecordingTime
    package var reason: JournalEnd
    package var totals: JournalTotals
    package var segments: [Segment]
    package var consents: [Consent]

    private static let version: UInt8 = 1
    private static let magic = Bytes("PXJMANIF".utf8)
    private static let context = Bytes("plexichat journal manifest 1".utf8)
    static let file = "manifest.age"
}

extension JournalManifest {
    /// The plaintext.
    func signed(with keys: JournalWritingKeys) -> Bytes {
        let body = body
        return body + JournalSignature.make(SHA256.hash(body), Self.context, keys)
    }

    /// All but the signer and the signature.
    var body: Bytes {
        var bytes = Self.magic
        bytes.append(Self.version)
        bytes.append(id: recording)
        bytes.append(id: call)
        bytes.append(time: started)
        bytes.append(time: ended)
        bytes.append(bigEndian: UInt64(time.microseconds))
        bytes.append(reason.rawValue)
        for number in [totals.packets, totals.payloadBytes, totals.leftOut] { bytes.append(bigEndian: number) }
        bytes.append(bigEndian: UInt32(segments.count))
        for segment in segments {
            bytes.append(bigEndian: segment.length)
            bytes += segment.hash
        }
        bytes.append(bigEndian: UInt32(consents.count))
        for consent in consents {
            bytes.append(bigEndian: UInt64(consent.time.microseconds))
            consent.consent.write(to: &bytes)
        }
        return bytes
    }

    /// Nothing of it is looked at before its signature was.
    init(opening plaintext: Bytes, with keys: JournalReadingKeys) throws(JournalError) {
        guard plaintext.count > Self.magic.count + JournalSignature.count, plaintext.starts(with: Self.magic) else {
            throw .malformed(file: Self.file, reason: "it does not begin like a manifest")
        }
        guard plaintext[Self.magic.count] <= Self.version else { throw .newerVersion(file: Self.file) }
        let body = Bytes(plaintext.dropLast(JournalSignature.count))
        guard JournalSignature.isValid(plaintext, SHA256.hash(body), Self.context, keys) else {
            throw .notAuthentic(file: Self.file)
        }
        do throws(WireError) {
            try self.init(parsing: body)
        } catch { throw .malformed(file: Self.file, reason: error.reason) }
    }

    init(parsing body: Bytes) throws(WireError) {
        var reader = ByteReader(body.span.bytes)
        guard try reader.readBytes(Self.magic.count) == Self.magic else { throw .invalid("it begins otherwise") }
        guard try reader.readUInt8() == Self.version else { throw .invalid("it has version 0") }
        recording = try reader.readID()
        call = try reader.readID()
        started = try reader.readTime()
        ended = try reader.readTime()
        time = try reader.readRecordingTime()
        reason = try reader.readCase("a recording ends for no known reason")
        totals = JournalTotals()
        totals.packets = try reader.readUInt64()
        totals.payloadBytes = try reader.readUInt64()
        totals.leftOut = try reader.readUInt64()
        segments = try Self.readSegments(&reader)
        consents = try Self.readConsents(&reader)
        guard reader.isAtEnd else { throw .invalid("bytes follow its end") }
    }

    private static func readSegments(_ reader: inout ByteReader) throws(WireError) -> [Segment] {
        let count = Int(try reader.readUInt32())
        guard (1...JournalLimits.segments).contains(count), reader.remaining >= count * 36 else {
            throw .invalid("the number of its segments is not such")
        }
        var segments: [Segment] = []
        segments.reserveCapacity(count)
        for _ in 0..<count {
            segments.append(Segment(length: try reader.readUInt32(), hash: try reader.readBytes(SHA256.count)))
        }
        return segments
    }

    private static func readConsents(_ reader: inout ByteReader) throws(WireError) -> [Consent] {
        let count = Int(try reader.readUInt32())
        guard count <= JournalLimits.consents, reader.remaining >= count * 50 else {
            throw .invalid("the number of its consents is not such")
        }
        var consents: [Consent] = []
        for _ in 0..<count {
            consents.append(
                Consent(time: try reader.readRecordingTime(), consent: try JournalConsent(parsing: &reader)))
        }
        return consents
    }
}

/// The signer's public key and the signature: the last bytes of segments and manifests.
enum JournalSignature {
    static let count = Ed25519PublicKey.count + Ed25519PublicKey.signatureCount

    static func make(_ hash: Bytes, _ context: Bytes, _ keys: JournalWritingKeys) -> Bytes {
        keys.signer.bytes + keys.sign(context + hash)
    }

    /// Of a plaintext that is longer than a signature, over the hash of what is before the signer.
    static func isValid(_ plaintext: Bytes, _ hash: Bytes, _ context: Bytes, _ keys: JournalReadingKeys) -> Bool {
        let tail = plaintext.suffix(count)
        let signer = Bytes(tail.prefix(Ed25519PublicKey.count))
        guard let key = keys.verifiers.first(where: { $0.bytes == signer }) else { return false }
        return key.isValid(Bytes(tail.suffix(Ed25519PublicKey.signatureCount)), for: context + hash)
    }
}
