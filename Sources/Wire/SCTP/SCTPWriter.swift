// Writing SCTP: packets and chunks onto an array that is kept between packets.
//
// Each `append` leaves the array at a multiple of four bytes, so that chunks follow each other without more ado.

package import Base

extension Array where Element == UInt8 {
    /// The common header, with a checksum of zero; `sealSCTPPacket` fills that in.
    package mutating func appendSCTPHeader(source: UInt16, destination: UInt16, verificationTag: UInt32) {
        append(bigEndian: source)
        append(bigEndian: destination)
        append(bigEndian: verificationTag)
        append(bigEndian: UInt32(0))
    }

    /// Puts the checksum into a packet that is complete and starts at the array's first byte.
    package mutating func sealSCTPPacket() {
        precondition(count >= SCTPPacket.headerSize, "a packet has a header")
        self[8] = 0
        let sum = unsafe SCTPPacket.checksum(of: span.bytes)
        for index in 0..<4 { self[8 &+ index] = UInt8(truncatingIfNeeded: sum >> UInt32(8 &* index)) }
    }

    /// Opens a chunk; what is appended until `closeSCTPChunk(at:)` with the result is its value.
    package mutating func openSCTPChunk(_ type: UInt8, flags: UInt8 = 0) -> Int {
        let start = count
        append(type)
        append(flags)
        append(bigEndian: UInt16(0))
        return start
    }

    /// Opens a parameter or a cause; `closeSCTPChunk(at:)` closes these too.
    package mutating func openSCTPParameter(_ type: UInt16) -> Int {
        let start = count
        append(bigEndian: type)
        append(bigEndian: UInt16(0))
        return start
    }

    /// Sets the length, which does not count the padding, and pads.
    package mutating func closeSCTPChunk(at start: Int) {
        overwrite(bigEndian: UInt16(truncatingIfNeeded: count &- start), at: start &+ 2)
        while (count &- start) & 3 != 0 { append(0) }
    }

    package mutating func appendSCTPChunk(_ type: UInt8, flags: UInt8 = 0, value: Bytes = []) {
        let start = openSCTPChunk(type, flags: flags)
        append(contentsOf: value)
        closeSCTPChunk(at: start)
    }

    package mutating func appendSCTPParameter(_ type: UInt16, value: Bytes = []) {
        let start = openSCTPParameter(type)
        append(contentsOf: value)
        closeSCTPChunk(at: start)
    }

    /// The fixed part of INIT and INIT ACK; parameters follow in the open chunk.
    package mutating func appendSCTPInitiation(
        tag: UInt32, window: UInt32, outbound: UInt16, inbound: UInt16, initialTSN: UInt32
    ) {
        append(bigEndian: tag)
        append(bigEndian: window)
        append(bigEndian: outbound)
        append(bigEndian: inbound)
        append(bigEndian: initialTSN)
    }

    /// The header of DATA with a payload of `payloadCount` bytes, which the caller appends with its padding.
    package mutating func appendSCTPDataHeader(
        flags: SCTPData.Flags, tsn: UInt32, streamID: UInt16, streamSequence: UInt16, protocolID: UInt32,
        payloadCount: Int
    ) {
        append(SCTPChunk.data)
        append(flags.rawValue)
        append(bigEndian: UInt16(truncatingIfNeeded: SCTPData.headerSize &+ payloadCount))
        append(bigEndian: tsn)
        append(bigEndian: streamID)
        append(bigEndian: streamSequence)
        append(bigEndian: protocolID)
    }

    package mutating func appendSCTPInterleavedData(
        flags: SCTPData.Flags, tsn: UInt32, streamID: UInt16, messageID: UInt32, protocolOrFragment: UInt32,
        payload: Bytes
    ) {
        let start = openSCTPChunk(SCTPChunk.interleavedData, flags: flags.rawValue)
        append(bigEndian: tsn)
        append(bigEndian: streamID)
        append(bigEndian: UInt16(0))
        append(bigEndian: messageID)
        append(bigEndian: protocolOrFragment)
        append(contentsOf: payload)
        closeSCTPChunk(at: start)
    }

    package mutating func appendSCTPSelectiveAck(
        cumulativeTSN: UInt32, window: UInt32, gaps: [SCTPSelectiveAck.GapBlock], duplicates: [UInt32]
    ) {
        let start = openSCTPChunk(SCTPChunk.selectiveAck)
        append(bigEndian: cumulativeTSN)
        append(bigEndian: window)
        append(bigEndian: UInt16(truncatingIfNeeded: gaps.count))
        append(bigEndian: UInt16(truncatingIfNeeded: duplicates.count))
        for gap in gaps {
            append(bigEndian: gap.start)
            append(bigEndian: gap.end)
        }
        for duplicate in duplicates { append(bigEndian: duplicate) }
        closeSCTPChunk(at: start)
    }

    package mutating func appendSCTPForwardTSN(newCumulativeTSN: UInt32, skipped: [SCTPForwardTSN.Skipped]) {
        let start = openSCTPChunk(SCTPChunk.forwardTSN)
        append(bigEndian: newCumulativeTSN)
        for entry in skipped {
            append(bigEndian: entry.streamID)
            append(bigEndian: entry.streamSequence)
        }
        closeSCTPChunk(at: start)
    }

    package mutating func appendSCTPOutgoingReset(
        requestNumber: UInt32, responseNumber: UInt32, lastTSN: UInt32, streams: [UInt16]
    ) {
        let start = openSCTPParameter(SCTPParameter.outgoingReset)
        append(bigEndian: requestNumber)
        append(bigEndian: responseNumber)
        append(bigEndian: lastTSN)
        for stream in streams { append(bigEndian: stream) }
        closeSCTPChunk(at: start)
    }

    package mutating func appendSCTPReconfigurationResponse(
        responseNumber: UInt32, result: SCTPReconfigurationResponse.Result
    ) {
        let start = openSCTPParameter(SCTPParameter.reconfigurationResponse)
        append(bigEndian: responseNumber)
        append(bigEndian: result.rawValue)
        closeSCTPChunk(at: start)
    }
}
