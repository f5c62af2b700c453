// SCTP packets (RFC 9260 §3): the common header, the checksum, and the walk over chunks and parameters.
//
// Parsing makes views: nothing is copied and nothing allocated. A packet is read while it is walked, so that chunks in
// front of a broken one are seen, as the RFC wants; who wants the packet whole or not at all walks it twice.

package struct SCTPPacket: ~Escapable {
    package static let headerSize = 12

    package enum ChecksumState: Sendable { case valid, zero, invalid }

    package let sourcePort: UInt16
    package let destinationPort: UInt16
    package let verificationTag: UInt32
    /// What stands in the packet, as a number; the wire has it in little-endian order.
    package let checksum: UInt32
    /// Everything after the header.
    package let chunks: RawSpan
    private let whole: RawSpan

    // RFC 9260 §3.1
    //  0                   1                   2                   3
    //  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    // +-------------------------------+-------------------------------+
    // |          source port          |       destination port        |
    // |                        verification tag                       |
    // |                       checksum (CRC32c)                       |
    // |                            chunks …                           |
    // +---------------------------------------------------------------+
    @_lifetime(copy bytes)
    package init(parsing bytes: RawSpan) throws(WireError) {
        var reader = ByteReader(bytes)
        sourcePort = try reader.readUInt16()
        destinationPort = try reader.readUInt16()
        verificationTag = try reader.readUInt32()
        checksum = try reader.readUInt32().byteSwapped
        chunks = try reader.readSpan(reader.remaining)
        whole = bytes
    }

    /// Computed when asked for, because packets with a zero checksum need no computation.
    package var checksumState: ChecksumState {
        if checksum == Self.checksum(of: whole) { return .valid }
        return checksum == 0 ? .zero : .invalid
    }

    /// Of a packet of at least twelve bytes; its checksum field counts as zero.
    package static func checksum(of packet: RawSpan) -> UInt32 {
        var sum = CRC32C()
        sum.update(packet.extracting(first: 8))
        sum.updateZeroes(4)
        sum.update(packet.extracting(droppingFirst: headerSize))
        return sum.value
    }
}

extension CRC32C {
    package mutating func updateZeroes(_ count: Int) {
        let zero: InlineArray<1, UInt8> = [0]
        for _ in 0..<count { unsafe update(zero.span.bytes) }
    }
}

/// One chunk. `value` is what follows the four bytes of its header, without padding.
package struct SCTPChunk: ~Escapable {
    package let type: UInt8
    package let flags: UInt8
    package let value: RawSpan

    @_lifetime(copy value)
    package init(type: UInt8, flags: UInt8, value: RawSpan) {
        self.type = type
        self.flags = flags
        self.value = value
    }
}

extension SCTPChunk {
    // RFC 9260 §3.2 and its extensions. Constants, not an enum: unknown types are handled by their two highest bits.
    package static let data: UInt8 = 0
    package static let initiation: UInt8 = 1
    package static let initiationAck: UInt8 = 2
    package static let selectiveAck: UInt8 = 3
    package static let heartbeat: UInt8 = 4
    package static let heartbeatAck: UInt8 = 5
    package static let abort: UInt8 = 6
    package static let shutdown: UInt8 = 7
    package static let shutdownAck: UInt8 = 8
    package static let error: UInt8 = 9
    package static let cookieEcho: UInt8 = 10
    package static let cookieAck: UInt8 = 11
    package static let shutdownComplete: UInt8 = 14
    /// RFC 8260
    package static let interleavedData: UInt8 = 64
    /// RFC 6525
    package static let reconfiguration: UInt8 = 130
    /// RFC 4820
    package static let padding: UInt8 = 132
    /// RFC 3758
    package static let forwardTSN: UInt8 = 192
    /// RFC 8260
    package static let interleavedForwardTSN: UInt8 = 194

    /// In ABORT and SHUTDOWN COMPLETE: the tag is the receiver's own, reflected.
    package static let reflectedTag: UInt8 = 1
}

/// What to do with a chunk or a parameter of an unknown type: its two highest bits say it (RFC 9260 §3.2, §3.2.1).
package struct SCTPUnknownAction: Equatable, Sendable {
    /// Whether what follows is still read.
    package let goesOn: Bool
    /// Whether the sender is told.
    package let isReported: Bool

    package init(chunkType: UInt8) {
        goesOn = chunkType & 0x80 != 0
        isReported = chunkType & 0x40 != 0
    }

    package init(parameterType: UInt16) { self.init(chunkType: UInt8(truncatingIfNeeded: parameterType >> 8)) }
}

/// Walks the chunks of a packet. After a throw the rest cannot be read.
package struct SCTPChunkReader: ~Escapable {
    private var reader: ByteReader

    @_lifetime(copy chunks)
    package init(_ chunks: RawSpan) { reader = ByteReader(chunks) }

    package var isAtEnd: Bool { reader.isAtEnd }

    //  +---------------+---------------+-------------------------------+
    //  |     type      |     flags     |  length, with these 4 bytes   |
    //  |                 value, padded to 4 with zeroes                |
    //  +---------------+---------------+-------------------------------+
    @_lifetime(copy self)
    package mutating func next() throws(WireError) -> SCTPChunk {
        let type = try reader.readUInt8()
        let flags = try reader.readUInt8()
        let length = Int(try reader.readUInt16())
        guard length >= 4 else { throw .invalid("a chunk is shorter than its header") }
        let value = try reader.readSpan(length &- 4)
        // The last chunk's padding may be left out; some stacks do.
        try reader.skip(min(-length & 3, reader.remaining))
        return SCTPChunk(type: type, flags: flags, value: value)
    }
}

/// A parameter of INIT, INIT ACK or RE-CONFIG, or a cause of ABORT or ERROR: both have the same form (§3.2.1, §3.3.10).
package struct SCTPParameter: ~Escapable {
    package let type: UInt16
    package let value: RawSpan

    @_lifetime(copy value)
    package init(type: UInt16, value: RawSpan) {
        self.type = type
        self.value = value
    }
}

extension SCTPParameter {
    package static let heartbeatInfo: UInt16 = 1
    package static let stateCookie: UInt16 = 7
    package static let unrecognised: UInt16 = 8
    package static let outgoingReset: UInt16 = 13
    package static let incomingReset: UInt16 = 14
    package static let associationReset: UInt16 = 15
    package static let reconfigurationResponse: UInt16 = 16
    package static let addOutgoingStreams: UInt16 = 17
    package static let addIncomingStreams: UInt16 = 18
    /// RFC 9653
    package static let zeroChecksum: UInt16 = 0x8001
    /// RFC 5061 §4.2.7
    package static let supportedExtensions: UInt16 = 0x8008
    /// RFC 3758 §3.1
    package static let forwardTSN: UInt16 = 0xC000

    /// The one alternative to checksums that is registered: DTLS (RFC 9653 §4).
    package static let zeroChecksumOverDTLS: UInt32 = 1
}

/// RFC 9260 §3.3.10
package enum SCTPCause {
    package static let staleCookie: UInt16 = 3
    package static let unrecognisedChunk: UInt16 = 6
    package static let noUserData: UInt16 = 9
    package static let restartWithNewAddresses: UInt16 = 11
    package static let userAbort: UInt16 = 12
    package static let protocolViolation: UInt16 = 13
}

package struct SCTPParameterReader: ~Escapable {
    private var reader: ByteReader

    @_lifetime(copy parameters)
    package init(_ parameters: RawSpan) { reader = ByteReader(parameters) }

    package var isAtEnd: Bool { reader.isAtEnd }

    @_lifetime(copy self)
    package mutating func next() throws(WireError) -> SCTPParameter {
        let type = try reader.readUInt16()
        let length = Int(try reader.readUInt16())
        guard length >= 4 else { throw .invalid("a parameter is shorter than its header") }
        let value = try reader.readSpan(length &- 4)
        try reader.skip(min(-length & 3, reader.remaining))
        return SCTPParameter(type: type, value: value)
    }
}
