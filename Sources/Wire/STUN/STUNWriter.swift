// Writes STUN messages onto bytes that are kept between messages, so that a writer at work allocates nothing.
//
// The header's length is right after each attribute. Integrity comes from where the keys are: `reserveIntegrity`, an
// HMAC over `bytes` up to the offset that it gives, `fillIntegrity`. Then the FINGERPRINT, then nothing.

package import Base

package struct STUNWriter: Sendable {
    package private(set) var bytes: Bytes = []
    private var transactionID = STUNTransactionID(0, 0)

    package init() { bytes.reserveCapacity(256) }

    package mutating func clear() { bytes.removeAll(keepingCapacity: true) }

    package mutating func begin(_ kind: STUNClass, _ method: STUNMethod, _ transactionID: STUNTransactionID) {
        clear()
        self.transactionID = transactionID
        let method = method.rawValue
        let kind = UInt16(kind.rawValue)
        let methodBits = (method & 0xF80) << 2 | (method & 0x70) << 1 | method & 0xF
        bytes.append(bigEndian: methodBits | (kind & 2) << 7 | (kind & 1) << 4)
        bytes.append(bigEndian: UInt16(0))
        bytes.append(bigEndian: STUNMessage.magicCookie)
        bytes.append(bigEndian: transactionID.high)
        bytes.append(bigEndian: transactionID.low)
    }

    /// Attributes longer than this, or that would make the message longer than its length can say, are the program's
    /// mistake.
    private static let valueBytesMax = 0xFFFF

    private mutating func header(_ type: STUNAttributeType, _ length: Int) {
        precondition(length <= Self.valueBytesMax, "a STUN attribute says its length in 16 bits")
        bytes.append(bigEndian: type.rawValue)
        bytes.append(bigEndian: UInt16(truncatingIfNeeded: length))
        setLength(bytes.count &+ ((length &+ 3) & ~3))
    }

    private mutating func setLength(_ end: Int) {
        let length = end &- STUNMessage.headerLength
        precondition(length <= 0xFFFF, "a STUN message says its length in 16 bits")
        bytes.overwrite(bigEndian: UInt16(truncatingIfNeeded: length), at: 2)
    }

    private mutating func fill() { while bytes.count & 3 != 0 { bytes.append(0) } }

    package mutating func add(flag type: STUNAttributeType) { header(type, 0) }

    package mutating func add(_ type: STUNAttributeType, _ value: UInt32) {
        header(type, 4)
        bytes.append(bigEndian: value)
    }

    package mutating func add(_ type: STUNAttributeType, _ value: UInt64) {
        header(type, 8)
        bytes.append(bigEndian: value)
    }

    package mutating func add(_ type: STUNAttributeType, _ value: RawSpan) {
        header(type, value.byteCount)
        bytes.append(value)
        fill()
    }

    package mutating func add(_ type: STUNAttributeType, text: String) {
        header(type, text.utf8.count)
        bytes.append(contentsOf: text.utf8)
        fill()
    }

    package mutating func add(_ type: STUNAttributeType, xor address: TransportAddress) {
        header(type, address.ip.isV6 ? 20 : 8)
        bytes.append(bigEndian: address.ip.isV6 ? UInt16(2) : UInt16(1))
        bytes.append(bigEndian: address.port ^ UInt16(truncatingIfNeeded: STUNMessage.magicCookie >> 16))
        let (high, low) = address.ip.words
        if address.ip.isV6 {
            bytes.append(bigEndian: high ^ (UInt64(STUNMessage.magicCookie) << 32 | UInt64(transactionID.high)))
            bytes.append(bigEndian: low ^ transactionID.low)
        } else {
            bytes.append(bigEndian: UInt32(truncatingIfNeeded: low) ^ STUNMessage.magicCookie)
        }
    }

    /// ALTERNATE-SERVER, RESPONSE-ORIGIN, OTHER-ADDRESS: the form of MAPPED-ADDRESS.
    package mutating func add(_ type: STUNAttributeType, plain address: TransportAddress) {
        header(type, address.ip.isV6 ? 20 : 8)
        bytes.append(bigEndian: address.ip.isV6 ? UInt16(2) : UInt16(1))
        bytes.append(bigEndian: address.port)
        let (high, low) = address.ip.words
        if address.ip.isV6 {
            bytes.append(bigEndian: high)
            bytes.append(bigEndian: low)
        } else {
            bytes.append(bigEndian: UInt32(truncatingIfNeeded: low))
        }
    }

    /// Without a reason phrase unless one is given: the phrase is for people, and costs a peer nothing to do without.
    package mutating func add(error code: STUNErrorCode, reason: StaticString = "") {
        header(.errorCode, 4 &+ reason.utf8CodeUnitCount)
        bytes.append(bigEndian: UInt32(code.rawValue / 100) << 8 | UInt32(code.rawValue % 100))
        reason.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
        fill()
    }

    /// UNKNOWN-ATTRIBUTES of the answer to `request`.
    package mutating func add(unknownAttributesOf request: STUNMessage) {
        add(unknownAttributes: request.unknownAttributes, count: request.unknownAttributeCount)
    }

    /// The first `count` of them.
    package mutating func add(unknownAttributes types: InlineArray<8, UInt16>, count: Int) {
        let count = min(count, types.count)
        header(.unknownAttributes, count &* 2)
        for index in 0..<count { bytes.append(bigEndian: types[index]) }
        fill()
    }
}

// MARK: - Integrity and fingerprint

extension STUNWriter {
    /// Appends a MESSAGE-INTEGRITY of zeros; the length in the header is the one to authenticate. The HMAC goes over
    /// the bytes before the offset that is returned.
    package mutating func reserveIntegrity() -> Int { reserve(.messageIntegrity, 20) }

    /// The same for MESSAGE-INTEGRITY-SHA256, whole.
    package mutating func reserveIntegritySHA256() -> Int { reserve(.messageIntegritySHA256, 32) }

    private mutating func reserve(_ type: STUNAttributeType, _ count: Int) -> Int {
        let offset = bytes.count
        header(type, count)
        for _ in 0..<count { bytes.append(0) }
        return offset
    }

    /// `offset` is what was reserved, and `code` what it was reserved for.
    package mutating func fillIntegrity(_ offset: Int, _ code: RawSpan) {
        precondition(offset + 4 + code.byteCount == bytes.count, "a code fills what was reserved for it, at the end")
        for index in 0..<code.byteCount { bytes[offset &+ 4 &+ index] = code.byte(index) }
    }

    package mutating func addFingerprint() {
        let offset = bytes.count
        header(.fingerprint, 4)
        let sum = unsafe CRC32.checksum(bytes.span.bytes.extracting(0..<offset)) ^ STUNMessage.fingerprintMask
        bytes.append(bigEndian: sum)
    }
}
