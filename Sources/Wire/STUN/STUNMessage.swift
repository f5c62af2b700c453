// A STUN message as a view of the datagram that it came in (RFC 8489 §5): checked once, then read by offset.
//
// Parsing allocates nothing and finds the attributes of ICE on its one pass; the others, TURN's among them, are found
// when asked for. It is strict where the RFC is: the length is that of the datagram, attributes fill it exactly, what
// follows an integrity attribute does not exist. Whether values are right (their lengths, a family, the FINGERPRINT,
// the integrity) is the accessors' answer, `nil` for a malformed value as for an absent one. The HMAC is computed
// where the keys are: `integrity` says over which bytes.
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |0 0|M M M M M|C|M M M|C|M M M M|        length (of the rest)   |
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |                     magic cookie 0x2112A442                   |
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |                     transaction id (96 bits)                  |
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     then, until the end:  type (16) | length (16) | value | 0…3 bytes that fill up to a multiple of 4

/// Where the value of an attribute lies in its message.
package struct STUNAttribute: Equatable, Sendable {
    package let type: STUNAttributeType
    /// Offset of the value, without the attribute's own header.
    package let start: Int
    /// Without the filling.
    package let length: Int

    var end: Int { start &+ ((length &+ 3) & ~3) }
}

/// What a MESSAGE-INTEGRITY is computed over (§14.5): `firstWord`, which holds the length up to and including the
/// attribute instead of the real one, and then the bytes of the message from 4 up to `coveredEnd`.
package struct STUNIntegrity: Equatable, Sendable {
    package let firstWord: UInt32
    package let coveredEnd: Int
    /// The bytes of the code.
    package let code: Range<Int>
}

package struct STUNMessage: ~Escapable {
    package static let headerLength = 20
    package static let magicCookie: UInt32 = 0x2112_A442

    /// Types of a 420 answer. More would let a peer choose the size of the answer; the rest are not named.
    package static let unknownAttributesMax = 8

    package let span: RawSpan
    package let kind: STUNClass
    package let method: STUNMethod
    package let transactionID: STUNTransactionID

    /// Offsets of values; 0 for what is absent. Of repeated attributes only the first counts (§14).
    private var usernameStart = 0
    private var priorityStart = 0
    private var controlledStart = 0
    private var controllingStart = 0
    private var integrityStart = 0
    private var integritySHA256Start = 0
    private var fingerprintStart = 0
    private var hasFlag = false
    /// Where the attributes end that an integrity covers, or all of them when there is none.
    private var attributesEnd = Self.headerLength

    /// Comprehension-required attributes that we do not know, in their order.
    package private(set) var unknownAttributes = InlineArray<8, UInt16>(repeating: 0)
    package private(set) var unknownAttributeCount = 0

    @_lifetime(copy span)
    package init(parsing span: RawSpan) throws(WireError) {
        guard span.byteCount >= Self.headerLength else { throw .truncated }
        let type = span.uint16(0)
        guard type & 0xC000 == 0 else { throw .invalid("the first two bits of a STUN message are 0") }
        guard span.uint32(4) == Self.magicCookie else { throw .invalid("not the magic cookie of STUN") }
        let length = Int(span.uint16(2))
        guard length & 3 == 0, length == span.byteCount &- Self.headerLength else {
            throw .invalid("the length of a STUN message is not that of the datagram")
        }
        self.span = span
        let classBits = UInt8(truncatingIfNeeded: type >> 7 & 2 | type >> 4 & 1)
        kind = STUNClass(rawValue: classBits) ?? .request
        method = STUNMethod(rawValue: type >> 2 & 0xF80 | type >> 1 & 0x70 | type & 0xF)
        transactionID = STUNTransactionID(
            span.uint32(8), UInt64(span.uint32(12)) << 32 | UInt64(span.uint32(16)))
        try findAttributes()
    }

    @_lifetime(self: copy self)
    private mutating func findAttributes() throws(WireError) {
        var offset = Self.headerLength
        attributesEnd = span.byteCount
        while let attribute = try attribute(at: offset) {
            note(attribute)
            offset = attribute.end
        }
    }

    /// `nil` at the end. Lengths are multiples of 4, so that a header is always whole.
    private func attribute(at offset: Int) throws(WireError) -> STUNAttribute? {
        guard span.byteCount &- offset >= 4 else { return nil }
        let length = Int(span.uint16(offset &+ 2))
        let attribute = STUNAttribute(
            type: STUNAttributeType(rawValue: span.uint16(offset)), start: offset &+ 4, length: length)
        guard attribute.end <= span.byteCount else { throw .invalid("a STUN attribute runs past the end") }
        return attribute
    }

    @_lifetime(self: copy self)
    private mutating func note(_ attribute: STUNAttribute) {
        let start = attribute.start
        // After the FINGERPRINT nothing may come; after an integrity only a stronger one and the FINGERPRINT count.
        if fingerprintStart != 0 { return }
        switch attribute.type {
        case .fingerprint: fingerprintStart = start
        case .messageIntegritySHA256 where integritySHA256Start == 0:
            integritySHA256Start = start
            attributesEnd = min(attributesEnd, start &- 4)
        case .messageIntegrity where integrityStart == 0 && integritySHA256Start == 0:
            integrityStart = start
            attributesEnd = min(attributesEnd, start &- 4)
        default:
            if start &- 4 < attributesEnd { noteCovered(attribute) }
        }
    }

    @_lifetime(self: copy self)
    private mutating func noteCovered(_ attribute: STUNAttribute) {
        let start = attribute.start
        switch attribute.type {
        case .username where usernameStart == 0: usernameStart = start
        case .priority where priorityStart == 0: priorityStart = start
        case .useCandidate: hasFlag = hasFlag || attribute.length == 0
        case .iceControlled where controlledStart == 0: controlledStart = start
        case .iceControlling where controllingStart == 0: controllingStart = start
        case let type where type.isUnknownAndRequired && unknownAttributeCount < Self.unknownAttributesMax:
            unknownAttributes[unknownAttributeCount] = type.rawValue
            unknownAttributeCount &+= 1
        default: break
        }
    }
}

// MARK: - Attributes

extension STUNMessage {
    /// The next attribute at or after `offset`, which moves behind it. Begin with `headerLength`. Ends before the first
    /// integrity attribute; without one, before the FINGERPRINT or with the message.
    package func nextAttribute(from offset: inout Int) -> STUNAttribute? {
        guard offset >= Self.headerLength, offset < attributesEnd, let attribute = try? attribute(at: offset),
            attribute.type != .fingerprint
        else { return nil }
        offset = attribute.end
        return attribute
    }

    /// The first of its type. A walk over the message: for attributes that are asked for once.
    package func attribute(_ type: STUNAttributeType) -> STUNAttribute? {
        var offset = Self.headerLength
        while let attribute = nextAttribute(from: &offset) {
            if attribute.type == type { return attribute }
        }
        return nil
    }

    @_lifetime(copy self)
    package func value(_ attribute: STUNAttribute) -> RawSpan {
        span.extracting(attribute.start..<(attribute.start &+ attribute.length))
    }

    private func length(ofValueAt start: Int) -> Int { start == 0 ? -1 : Int(span.uint16(start &- 2)) }

    /// The bytes of USERNAME.
    package var username: STUNAttribute? {
        usernameStart == 0
            ? nil : STUNAttribute(type: .username, start: usernameStart, length: length(ofValueAt: usernameStart))
    }

    package var priority: UInt32? { length(ofValueAt: priorityStart) == 4 ? span.uint32(priorityStart) : nil }
    package var usesCandidate: Bool { hasFlag }
    /// The tie-breaker of a peer that says to be controlled.
    package var iceControlled: UInt64? { uint64(controlledStart) }
    package var iceControlling: UInt64? { uint64(controllingStart) }

    private func uint64(_ start: Int) -> UInt64? {
        guard length(ofValueAt: start) == 8 else { return nil }
        return UInt64(span.uint32(start)) << 32 | UInt64(span.uint32(start &+ 4))
    }

    package func uint32(_ type: STUNAttributeType) -> UInt32? {
        guard let attribute = attribute(type), attribute.length == 4 else { return nil }
        return span.uint32(attribute.start)
    }

    package var errorCode: STUNErrorCode? {
        guard let attribute = attribute(.errorCode), attribute.length >= 4 else { return nil }
        let hundreds = UInt16(span.byte(attribute.start &+ 2) & 7)
        let rest = UInt16(span.byte(attribute.start &+ 3))
        guard (3...6).contains(hundreds), rest < 100 else { return nil }
        return STUNErrorCode(rawValue: hundreds &* 100 &+ rest)
    }
}

// MARK: - Integrity and fingerprint

extension STUNMessage {
    /// What MESSAGE-INTEGRITY (HMAC-SHA1, 20 bytes) covers.
    package var integrity: STUNIntegrity? {
        length(ofValueAt: integrityStart) == 20 ? integrity(at: integrityStart, 20) : nil
    }

    /// What MESSAGE-INTEGRITY-SHA256 covers: 16…32 bytes of HMAC-SHA256, a multiple of 4 (§14.6).
    package var integritySHA256: STUNIntegrity? {
        let length = length(ofValueAt: integritySHA256Start)
        guard (16...32).contains(length), length & 3 == 0 else { return nil }
        return integrity(at: integritySHA256Start, length)
    }

    private func integrity(at start: Int, _ length: Int) -> STUNIntegrity {
        let covered = UInt32(truncatingIfNeeded: start &+ length &- Self.headerLength)
        return STUNIntegrity(
            firstWord: UInt32(span.uint16(0)) << 16 | covered, coveredEnd: start &- 4, code: start..<(start &+ length))
    }

    package enum Fingerprint: Sendable { case absent, valid, invalid }

    static let fingerprintMask: UInt32 = 0x5354_554E

    /// One that is not the last attribute is invalid (§14.7).
    package var fingerprint: Fingerprint {
        guard fingerprintStart != 0 else { return .absent }
        guard length(ofValueAt: fingerprintStart) == 4, fingerprintStart &+ 4 == span.byteCount else { return .invalid }
        let sum = CRC32.checksum(span.extracting(0..<(fingerprintStart &- 4))) ^ Self.fingerprintMask
        return sum == span.uint32(fingerprintStart) ? .valid : .invalid
    }
}

// MARK: - Addresses (§14.1, §14.2)

extension STUNMessage {
    /// XOR-MAPPED-ADDRESS and TURN's attributes of the same form.
    package func xorAddress(_ type: STUNAttributeType) -> TransportAddress? {
        guard let attribute = attribute(type) else { return nil }
        return address(attribute, portMask: UInt16(truncatingIfNeeded: Self.magicCookie >> 16), isMasked: true)
    }

    /// MAPPED-ADDRESS, as old servers send it.
    package func plainAddress(_ type: STUNAttributeType) -> TransportAddress? {
        guard let attribute = attribute(type) else { return nil }
        return address(attribute, portMask: 0, isMasked: false)
    }

    /// Any attribute of the form of XOR-MAPPED-ADDRESS: for those that may come more than once (XOR-PEER-ADDRESS).
    package func xorAddress(_ attribute: STUNAttribute) -> TransportAddress? {
        address(attribute, portMask: UInt16(truncatingIfNeeded: Self.magicCookie >> 16), isMasked: true)
    }

    private func address(_ attribute: STUNAttribute, portMask: UInt16, isMasked: Bool) -> TransportAddress? {
        let start = attribute.start
        guard attribute.length >= 8 else { return nil }
        let port = span.uint16(start &+ 2) ^ portMask
        switch (span.byte(start &+ 1), attribute.length) {
        case (1, 8):
            let bits = span.uint32(start &+ 4) ^ (isMasked ? Self.magicCookie : 0)
            return TransportAddress(IPAddress(v4: bits), port)
        case (2, 20):
            var high = UInt64(span.uint32(start &+ 4)) << 32 | UInt64(span.uint32(start &+ 8))
            var low = UInt64(span.uint32(start &+ 12)) << 32 | UInt64(span.uint32(start &+ 16))
            if isMasked {
                high ^= UInt64(Self.magicCookie) << 32 | UInt64(transactionID.high)
                low ^= transactionID.low
            }
            return TransportAddress(IPAddress(v6: high, low), port)
        default: return nil
        }
    }
}
