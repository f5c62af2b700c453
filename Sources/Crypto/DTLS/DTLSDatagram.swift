// A look at the records of a datagram before OpenSSL sees them (RFC 6347 §4.1), so that junk costs a few comparisons
// and no state.
//
//      0               1               2               3
//     +---------------+---------------+---------------+---------------+
//     | content type  | version: major| minor         | epoch …       |
//     +---------------+---------------+---------------+---------------+
//     | … epoch       | sequence number (48 bits) …                   |
//     +---------------+---------------+---------------+---------------+
//     | … sequence number                             | length …      |
//     +---------------+---------------+---------------+---------------+
//     | … length      | fragment …
//
// Records of DTLS 1.3 (first bits 001) and of connection ids (25) are not for us.

package struct DTLSDatagram: Equatable, Sendable {
    package static let headerCount = 13
    /// RFC 6347 §4.2.2: type, length, sequence, offset and length of the fragment.
    private static let messageHeaderCount = 12
    static let handshakeType: UInt8 = 22
    /// RFC 6347 §4.1: 2^14 and what protection adds. Longer ones are nobody's records.
    package static let longestFragment = 16_384 + 2_048
    /// Far more than a handshake packs into a datagram. Zero-length records would otherwise let one datagram of
    /// 1,500 bytes make a hundred rounds.
    package static let recordLimit = 32

    package private(set) var recordCount = 0
    /// Records of an epoch after the first: encrypted.
    package private(set) var protectedCount = 0
    package private(set) var applicationCount = 0
    /// The first record opens a handshake: type, epoch 0, and a ClientHello in it.
    package private(set) var startsWithClientHello = false

    /// `nil` when any record is malformed: a datagram is sent whole, so one bad record spoils it.
    package init?(inspecting datagram: UnsafeRawBufferPointer) {
        var rest = datagram[...]
        while !rest.isEmpty {
            guard rest.count >= Self.headerCount, recordCount < Self.recordLimit else { return nil }
            let start = rest.startIndex
            let (type, major, minor) = (rest[start], rest[start + 1], rest[start + 2])
            // 1.0 (0xFEFF) appears in first flights, before a version is agreed.
            guard (20...23).contains(type), major == 0xFE, minor == 0xFF || minor == 0xFD else { return nil }
            let epoch = Int(rest[start + 3]) << 8 | Int(rest[start + 4])
            let count = Int(rest[start + 11]) << 8 | Int(rest[start + 12])
            guard count <= Self.longestFragment, rest.count >= Self.headerCount + count else { return nil }
            if recordCount == 0, type == Self.handshakeType, epoch == 0, count > 0 {
                startsWithClientHello = rest[start + Self.headerCount] == 1
            }
            recordCount += 1
            if epoch > 0 { protectedCount += 1 }
            if type == 23 { applicationCount += 1 }
            rest = rest.dropFirst(Self.headerCount + count)
        }
        guard recordCount > 0 else { return nil }
    }

    /// The 32 bytes after the headers of the record and the message, and the version (RFC 5246 §7.4.1.2). Of a datagram
    /// that `startsWithClientHello`; `nil` when they are not there, or it is a later fragment.
    static func clientRandom(ofHello datagram: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer>? {
        let start = headerCount + messageHeaderCount + 2
        let fragmentOffset = (headerCount + 6)..<(headerCount + 9)
        guard datagram.count >= start + 32, datagram[fragmentOffset].allSatisfy({ $0 == 0 }) else { return nil }
        return datagram[start..<start + 32]
    }

    /// First bytes of RFC 7983: 20 to 63 is DTLS.
    package static func isDTLS(_ firstByte: UInt8) -> Bool { (20...63).contains(firstByte) }
}
