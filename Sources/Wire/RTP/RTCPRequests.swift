// What a receiver asks of a sender: lost packets (generic NACK, RFC 4585 §6.2.1) and key frames (PLI, §6.3.1; FIR,
// RFC 5104 §4.3.1).
//
//     all:   |                  SSRC of packet sender                        |
//            |                  SSRC of media source, zero with FIR          |
//     NACK:  |   lost packet (PID)           | bits of the 16 after it (BLP) |   once at least
//     FIR:   |                  SSRC of the source asked                     |
//            |  number       |                zero                           |   once at least
//
// A list without entries asks for nothing and is let pass.

/// The sequence numbers that a NACK asks for, in its order.
package struct RTCPNACK: ~Escapable {
    /// A receiver with a burst of loss behind it names a few hundred; one datagram could name over 6,000, each to be
    /// answered with a packet. What comes after this many is not given.
    package static let sequenceLimit = 1_024
    /// Of one written block. 256 pairs and a report fit a datagram.
    package static let pairLimit = 256

    package let senderSSRC: SSRC
    package let mediaSSRC: SSRC
    private let body: RawSpan
    private var position = 8
    private var first: SequenceNumber = 0
    /// Of the pair before `position`, the bits not given yet.
    private var mask: UInt16 = 0
    private var given = 0

    @_lifetime(copy packet)
    package init(parsing block: RTCPBlock, in packet: RawSpan) throws(WireError) {
        body = block.body(in: packet)
        guard body.byteCount >= 8 else { throw .truncated }
        guard body.byteCount & 3 == 0 else { throw .invalid("length of a NACK") }
        senderSSRC = body.uint32(0)
        mediaSSRC = body.uint32(4)
    }

    @_lifetime(self: copy self)
    package mutating func next() -> SequenceNumber? {
        guard given < Self.sequenceLimit else { return nil }
        if mask != 0 {
            let bit = mask.trailingZeroBitCount
            mask &= mask &- 1
            given &+= 1
            return first &+ 1 &+ SequenceNumber(truncatingIfNeeded: bit)
        }
        guard position < body.byteCount else { return nil }
        first = body.uint16(position)
        mask = body.uint16(position &+ 2)
        position &+= 4
        given &+= 1
        return first
    }

    /// Sequence numbers in ascending order, wrapping allowed; any other order is right too, but longer. Nothing is
    /// written when there are none, and what needs more than `pairLimit` pairs is left for the next time. The answer is
    /// how many were written.
    @discardableResult
    package static func write(
        from sender: SSRC, to media: SSRC, lost: Span<SequenceNumber>, into bytes: inout [UInt8]
    ) -> Int {
        guard !lost.isEmpty else { return 0 }
        let start = RTCPWriting.begin(RTCPNumber.transportLayerFeedback, RTCPNumber.nack, &bytes)
        bytes.append(bigEndian: sender)
        bytes.append(bigEndian: media)
        var index = 0
        var pairs = 0
        while index < lost.count, pairs < pairLimit {
            let first = lost[index]
            var mask: UInt16 = 0
            index &+= 1
            while index < lost.count {
                let distance = lost[index] &- first
                guard distance >= 1, distance <= 16 else { break }
                mask |= 1 << (distance &- 1)
                index &+= 1
            }
            bytes.append(bigEndian: first)
            bytes.append(bigEndian: mask)
            pairs &+= 1
        }
        RTCPWriting.end(start, &bytes)
        return index
    }
}

/// Picture loss: a key frame is wanted.
package struct RTCPPictureLoss: Sendable, Equatable {
    package var senderSSRC: SSRC
    package var mediaSSRC: SSRC

    package init(senderSSRC: SSRC, mediaSSRC: SSRC) {
        self.senderSSRC = senderSSRC
        self.mediaSSRC = mediaSSRC
    }

    package init(parsing block: RTCPBlock, in packet: RawSpan) throws(WireError) {
        let body = block.body(in: packet)
        guard body.byteCount == 8 else { throw .invalid("length of a PLI") }
        senderSSRC = body.uint32(0)
        mediaSSRC = body.uint32(4)
    }

    package func write(into bytes: inout [UInt8]) {
        let start = RTCPWriting.begin(RTCPNumber.payloadSpecificFeedback, RTCPNumber.pictureLoss, &bytes)
        bytes.append(bigEndian: senderSSRC)
        bytes.append(bigEndian: mediaSSRC)
        RTCPWriting.end(start, &bytes)
    }
}

/// Full intra requests, each to a source of its own.
package struct RTCPFullIntraRequest: ~Escapable {
    package struct Entry: Sendable, Equatable {
        package var ssrc: SSRC
        /// Another number is another request; the same number is the request repeated.
        package var number: UInt8

        package init(ssrc: SSRC, number: UInt8) {
            self.ssrc = ssrc
            self.number = number
        }
    }

    package let senderSSRC: SSRC
    package let count: Int
    private let body: RawSpan

    @_lifetime(copy packet)
    package init(parsing block: RTCPBlock, in packet: RawSpan) throws(WireError) {
        body = block.body(in: packet)
        guard body.byteCount >= 8 else { throw .truncated }
        guard body.byteCount & 7 == 0 else { throw .invalid("length of a FIR") }
        senderSSRC = body.uint32(0)
        count = body.byteCount / 8 &- 1
    }

    package func entry(_ index: Int) -> Entry? {
        guard index >= 0, index < count else { return nil }
        let offset = 8 &+ index &* 8
        return Entry(ssrc: body.uint32(offset), number: body.byte(offset &+ 4))
    }

    package static func write(from sender: SSRC, _ entry: Entry, into bytes: inout [UInt8]) {
        let start = RTCPWriting.begin(RTCPNumber.payloadSpecificFeedback, RTCPNumber.fullIntraRequest, &bytes)
        bytes.append(bigEndian: sender)
        bytes.append(bigEndian: 0 as UInt32)
        bytes.append(bigEndian: entry.ssrc)
        bytes.append(bigEndian: UInt32(entry.number) << 24)
        RTCPWriting.end(start, &bytes)
    }
}
