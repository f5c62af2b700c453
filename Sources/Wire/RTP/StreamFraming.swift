// RFC 4571 framing: packets on a TCP connection, each behind its length in two bytes. For ICE-TCP (RFC 6544 §3), where
// STUN, DTLS and SRTP share the connection.
//
// A frame that lies whole within a chunk is given as its place there, without a copy; one that two or more chunks
// share is put together in `assembled`. A frame of length 0 carries nothing and is passed over.

import Base

package struct StreamDeframer: Sendable {
    /// No packet of ours or of a browser is longer: they fit a network of 1500 bytes. A longer frame ends the
    /// connection, for nothing after it could be trusted to be a length. A higher bound holds more memory for each
    /// connection that stalls within a frame.
    package static let frameBytesMax = 1_536

    package enum Step: Equatable, Sendable {
        /// Bytes of the chunk.
        case frame(Range<Int>)
        /// The bytes of `assembled`, until the next call.
        case assembled
        /// The chunk is used up.
        case needsMore
    }

    private let limit: Int
    /// The unfinished frame, with its length.
    private var held: Bytes = []
    private var isDelivered = false

    package init(limit: Int = Self.frameBytesMax) {
        precondition((1...0xFFFF).contains(limit), "RFC 4571 lengths have 16 bits")
        self.limit = limit
    }

    /// The packet after `.assembled`.
    package var assembled: RawSpan {
        @_lifetime(borrow self) get { unsafe held.span.bytes.extracting(min(2, held.count)..<held.count) }
    }

    /// Bytes held back for a frame that has begun.
    package var heldCount: Int { isDelivered ? 0 : held.count }

    /// What comes next in the chunk from `offset` on, which moves along. Call until `.needsMore`, then bring the next
    /// chunk. After an error the connection is useless.
    package mutating func next(in chunk: RawSpan, from offset: inout Int) throws(WireError) -> Step {
        if isDelivered {
            isDelivered = false
            held.removeAll(keepingCapacity: true)
        }
        while true {
            if !held.isEmpty { return try complete(chunk, &offset) }
            let available = chunk.byteCount &- offset
            guard available >= 2 else { break }
            let length = try checked(Int(chunk.uint16(offset)))
            guard available &- 2 >= length else { break }
            let start = offset &+ 2
            offset = start &+ length
            if length > 0 { return .frame(start..<offset) }
        }
        hold(chunk, &offset, chunk.byteCount &- offset)
        return .needsMore
    }

    private func checked(_ length: Int) throws(WireError) -> Int {
        guard length <= limit else { throw .invalid("a frame is longer than any packet") }
        return length
    }

    private mutating func hold(_ chunk: RawSpan, _ offset: inout Int, _ count: Int) {
        guard count > 0 else { return }
        held.append(chunk.extracting(offset..<(offset &+ count)))
        offset &+= count
    }

    private mutating func complete(_ chunk: RawSpan, _ offset: inout Int) throws(WireError) -> Step {
        if held.count < 2 { hold(chunk, &offset, min(2 &- held.count, chunk.byteCount &- offset)) }
        guard held.count >= 2 else { return .needsMore }
        let length = try checked(Int(held[0]) << 8 | Int(held[1]))
        hold(chunk, &offset, min(length &+ 2 &- held.count, chunk.byteCount &- offset))
        guard held.count == length &+ 2 else { return .needsMore }
        if length == 0 {
            held.removeAll(keepingCapacity: true)
            return try next(in: chunk, from: &offset)
        }
        isDelivered = true
        return .assembled
    }
}

extension Array where Element == UInt8 {
    /// A packet with its length before it. `packet` has at most 65,535 bytes.
    package mutating func append(framed packet: RawSpan) {
        precondition(packet.byteCount <= 0xFFFF, "RFC 4571 lengths have 16 bits")
        append(bigEndian: UInt16(truncatingIfNeeded: packet.byteCount))
        append(packet)
    }
}
