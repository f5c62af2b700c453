// What is inside the chunks of SCTP: views over their bytes.

/// INIT and INIT ACK (RFC 9260 §3.3.2, §3.3.3).
package struct SCTPInitiation: ~Escapable {
    package let initiateTag: UInt32
    package let advertisedWindow: UInt32
    package let outboundStreams: UInt16
    package let inboundStreams: UInt16
    package let initialTSN: UInt32
    package let parameters: RawSpan

    // |                          initiate tag                         |
    // |               advertised receiver window (a_rwnd)             |
    // |        outbound streams       |         inbound streams       |
    // |                          initial TSN                          |
    // |                          parameters …                         |
    @_lifetime(copy value)
    package init(parsing value: RawSpan) throws(WireError) {
        var reader = ByteReader(value)
        initiateTag = try reader.readUInt32()
        advertisedWindow = try reader.readUInt32()
        outboundStreams = try reader.readUInt16()
        inboundStreams = try reader.readUInt16()
        initialTSN = try reader.readUInt32()
        parameters = try reader.readSpan(reader.remaining)
        guard initiateTag != 0 else { throw .invalid("an initiate tag of zero") }
        guard outboundStreams != 0, inboundStreams != 0 else { throw .invalid("an association without streams") }
    }
}

/// DATA (RFC 9260 §3.3.1).
package struct SCTPData: ~Escapable {
    package static let headerSize = 16

    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let last = Flags(rawValue: 1)
        package static let first = Flags(rawValue: 2)
        package static let unordered = Flags(rawValue: 4)
        /// RFC 7053: acknowledge at once.
        package static let immediate = Flags(rawValue: 8)
        package static let whole: Flags = [.first, .last]
    }

    package let flags: Flags
    package let tsn: UInt32
    package let streamID: UInt16
    package let streamSequence: UInt16
    package let protocolID: UInt32
    package let payload: RawSpan

    // |   type = 0    |  rsvd |I|U|B|E|             length            |
    // |                              TSN                              |
    // |           stream              |        stream sequence        |
    // |                  payload protocol identifier                  |
    // |                          user data …                          |
    @_lifetime(copy chunk)
    package init(parsing chunk: borrowing SCTPChunk) throws(WireError) {
        var reader = ByteReader(chunk.value)
        flags = Flags(rawValue: chunk.flags)
        tsn = try reader.readUInt32()
        streamID = try reader.readUInt16()
        streamSequence = try reader.readUInt16()
        protocolID = try reader.readUInt32()
        payload = try reader.readSpan(reader.remaining)
    }
}

/// I-DATA (RFC 8260 §2.1). Read and written, but not negotiated by our association.
package struct SCTPInterleavedData: ~Escapable {
    package let flags: SCTPData.Flags
    package let tsn: UInt32
    package let streamID: UInt16
    package let messageID: UInt32
    /// The payload protocol identifier in a first fragment, the fragment's number in the others.
    package let protocolOrFragment: UInt32
    package let payload: RawSpan

    // |   type = 64   |  rsvd |I|U|B|E|             length            |
    // |                              TSN                              |
    // |           stream              |            reserved           |
    // |                       message identifier                      |
    // |     payload protocol identifier / fragment sequence number    |
    // |                          user data …                          |
    @_lifetime(copy chunk)
    package init(parsing chunk: borrowing SCTPChunk) throws(WireError) {
        var reader = ByteReader(chunk.value)
        flags = SCTPData.Flags(rawValue: chunk.flags)
        tsn = try reader.readUInt32()
        streamID = try reader.readUInt16()
        try reader.skip(2)
        messageID = try reader.readUInt32()
        protocolOrFragment = try reader.readUInt32()
        payload = try reader.readSpan(reader.remaining)
    }
}

/// SACK (RFC 9260 §3.3.4).
package struct SCTPSelectiveAck: ~Escapable {
    /// Received TSNs, as distances from the cumulative one; both ends belong to the block.
    package struct GapBlock: Equatable, Sendable {
        package var start: UInt16
        package var end: UInt16

        package init(start: UInt16, end: UInt16) {
            self.start = start
            self.end = end
        }
    }

    package let cumulativeTSN: UInt32
    package let advertisedWindow: UInt32
    package let gapBlockCount: Int
    package let duplicateCount: Int
    private let blocks: RawSpan
    private let duplicates: RawSpan

    // |                       cumulative TSN ack                      |
    // |               advertised receiver window (a_rwnd)             |
    // |      number of gap blocks     |       number of duplicates    |
    // |        block 1 start          |          block 1 end          | …
    // |                        duplicate TSN 1                        | …
    @_lifetime(copy value)
    package init(parsing value: RawSpan) throws(WireError) {
        var reader = ByteReader(value)
        cumulativeTSN = try reader.readUInt32()
        advertisedWindow = try reader.readUInt32()
        gapBlockCount = Int(try reader.readUInt16())
        duplicateCount = Int(try reader.readUInt16())
        blocks = try reader.readSpan(gapBlockCount &* 4)
        duplicates = try reader.readSpan(duplicateCount &* 4)
    }

    /// The index is below `gapBlockCount`.
    package func gapBlock(_ index: Int) -> GapBlock {
        GapBlock(start: blocks.uint16(index &* 4), end: blocks.uint16(index &* 4 &+ 2))
    }

    /// The index is below `duplicateCount`.
    package func duplicate(_ index: Int) -> UInt32 { duplicates.uint32(index &* 4) }
}

/// FORWARD TSN (RFC 3758 §3.2): the sender gave up everything up to a TSN.
package struct SCTPForwardTSN: ~Escapable {
    package struct Skipped: Equatable, Sendable {
        package var streamID: UInt16
        package var streamSequence: UInt16

        package init(streamID: UInt16, streamSequence: UInt16) {
            self.streamID = streamID
            self.streamSequence = streamSequence
        }
    }

    package let newCumulativeTSN: UInt32
    private let list: RawSpan

    // |                       new cumulative TSN                      |
    // |           stream              |        stream sequence        | …
    @_lifetime(copy value)
    package init(parsing value: RawSpan) throws(WireError) {
        var reader = ByteReader(value)
        newCumulativeTSN = try reader.readUInt32()
        guard reader.remaining & 3 == 0 else { throw .invalid("half a skipped stream") }
        list = try reader.readSpan(reader.remaining)
    }

    package var skippedCount: Int { list.byteCount / 4 }

    /// The index is below `skippedCount`.
    package func skipped(_ index: Int) -> Skipped {
        Skipped(streamID: list.uint16(index &* 4), streamSequence: list.uint16(index &* 4 &+ 2))
    }
}

/// I-FORWARD-TSN (RFC 8260 §2.3.1).
package struct SCTPInterleavedForwardTSN: ~Escapable {
    package struct Skipped: Equatable, Sendable {
        package var streamID: UInt16
        package var isUnordered: Bool
        package var messageID: UInt32
    }

    package let newCumulativeTSN: UInt32
    private let list: RawSpan

    // |                       new cumulative TSN                      |
    // |           stream              |          reserved           |U|
    // |                       message identifier                      | …
    @_lifetime(copy value)
    package init(parsing value: RawSpan) throws(WireError) {
        var reader = ByteReader(value)
        newCumulativeTSN = try reader.readUInt32()
        guard reader.remaining & 7 == 0 else { throw .invalid("half a skipped message") }
        list = try reader.readSpan(reader.remaining)
    }

    package var skippedCount: Int { list.byteCount / 8 }

    /// The index is below `skippedCount`.
    package func skipped(_ index: Int) -> Skipped {
        Skipped(
            streamID: list.uint16(index &* 8), isUnordered: list.byte(index &* 8 &+ 3) & 1 == 1,
            messageID: list.uint32(index &* 8 &+ 4))
    }
}

/// The outgoing stream reset request of RE-CONFIG (RFC 6525 §4.1): the sender starts its streams anew.
package struct SCTPOutgoingReset: ~Escapable {
    package let requestNumber: UInt32
    package let responseNumber: UInt32
    package let lastTSN: UInt32
    private let list: RawSpan

    // |                    request sequence number                    |
    // |                    response sequence number                   |
    // |                   sender's last assigned TSN                  |
    // |           stream 1            |            stream 2           | …
    @_lifetime(copy value)
    package init(parsing value: RawSpan) throws(WireError) {
        var reader = ByteReader(value)
        requestNumber = try reader.readUInt32()
        responseNumber = try reader.readUInt32()
        lastTSN = try reader.readUInt32()
        guard reader.remaining & 1 == 0 else { throw .invalid("half a stream number") }
        list = try reader.readSpan(reader.remaining)
    }

    /// None means every stream.
    package var streamCount: Int { list.byteCount / 2 }

    /// The index is below `streamCount`.
    package func stream(_ index: Int) -> UInt16 { list.uint16(index &* 2) }
}

/// The incoming stream reset request (RFC 6525 §4.2): the sender wants the receiver's streams started anew.
package struct SCTPIncomingReset: ~Escapable {
    package let requestNumber: UInt32
    private let list: RawSpan

    @_lifetime(copy value)
    package init(parsing value: RawSpan) throws(WireError) {
        var reader = ByteReader(value)
        requestNumber = try reader.readUInt32()
        guard reader.remaining & 1 == 0 else { throw .invalid("half a stream number") }
        list = try reader.readSpan(reader.remaining)
    }

    package var streamCount: Int { list.byteCount / 2 }
    package func stream(_ index: Int) -> UInt16 { list.uint16(index &* 2) }
}

/// The answer to a request of RE-CONFIG (RFC 6525 §4.4).
package struct SCTPReconfigurationResponse: Equatable, Sendable {
    package enum Result: UInt32, Sendable {
        case nothingToDo, performed, denied, wrongStreamNumber, requestInProgress, badNumber, inProgress
    }

    package let responseNumber: UInt32
    /// `nil` for a result that the RFC does not know.
    package let result: Result?

    package init(parsing value: RawSpan) throws(WireError) {
        var reader = ByteReader(value)
        responseNumber = try reader.readUInt32()
        result = Result(rawValue: try reader.readUInt32())
        // Two optional TSNs follow when streams' TSNs were reset; nobody asks for that here.
    }
}
