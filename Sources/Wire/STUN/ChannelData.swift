// ChannelData (RFC 8656 §12.4): what TURN spares by numbering peers. And where a message of TURN ends on a stream.
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |         channel number        |  length (of the data alone)   |
//     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//     |                             data …
//
// On a stream 0…3 bytes fill the message up to a multiple of 4, which the length does not count. In a datagram they may
// be there, and more: what follows the data is nobody's.

import Base

package struct ChannelNumber: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16

    /// `nil` outside of 0x4000…0x4FFF (RFC 8656 §12): 0x5000…0xFFFF is reserved, and what begins so is DTLS or RTP.
    @inlinable package init?(rawValue: UInt16) {
        guard rawValue & 0xF000 == 0x4000 else { return nil }
        self.rawValue = rawValue
    }

    package static let all: ClosedRange<UInt16> = 0x4000...0x4FFF
    /// Those of RFC 5766 §11.
    package static let old: ClosedRange<UInt16> = 0x4000...0x7FFE
}

package struct ChannelData: Equatable, Sendable {
    package static let headerLength = 4

    package let channel: ChannelNumber
    /// Of the data, which begins after the header.
    package let length: Int

    package init(channel: ChannelNumber, length: Int) {
        self.channel = channel
        self.length = length
    }

    package init(parsing span: RawSpan) throws(WireError) {
        guard span.byteCount >= Self.headerLength else { throw .truncated }
        guard let channel = ChannelNumber(rawValue: span.uint16(0)) else {
            throw .invalid("a channel's number is 0x4000 to 0x4fff")
        }
        let length = Int(span.uint16(2))
        guard length <= span.byteCount &- Self.headerLength else { throw .truncated }
        self.init(channel: channel, length: length)
    }

    package var data: Range<Int> { Self.headerLength..<(Self.headerLength &+ length) }

    /// The header, before data that is there.
    package func writeHeader(into span: inout MutableRawSpan) {
        span.store(bigEndian: channel.rawValue, at: 0)
        span.store(bigEndian: UInt16(truncatingIfNeeded: length), at: 2)
    }
}

/// Cuts a stream into STUN messages and ChannelData. One that lies whole within a chunk is given as its place there,
/// without a copy; one that two or more chunks share is put together in `assembled`.
package struct TURNDeframer: Sendable {
    /// The longest ChannelData is 4 + 65,535 bytes, filled up. Both lengths have 16 bits, so this bound is that of the
    /// format; a driver that holds many idle streams gives a lower one.
    package static let messageBytesMax = 65_540

    package enum Step: Equatable, Sendable {
        /// Bytes of the chunk: a message, without what fills it up.
        case message(Range<Int>)
        /// The bytes of `assembled`, until the next call.
        case assembled
        /// The chunk is used up.
        case needsMore
    }

    private let limit: Int
    /// Channel numbers of RFC 5766 begin a message, too.
    private let takesOldChannels: Bool
    private var held: Bytes = []
    /// Of `held`, without the filling; 0 until it is whole.
    private var deliveredCount = 0

    package init(limit: Int = Self.messageBytesMax, takesOldChannels: Bool = false) {
        precondition((STUNMessage.headerLength...Self.messageBytesMax).contains(limit), "a limit holds a header")
        self.limit = limit
        self.takesOldChannels = takesOldChannels
    }

    /// The message after `.assembled`.
    package var assembled: RawSpan {
        @_lifetime(borrow self) get { unsafe held.span.bytes.extracting(0..<deliveredCount) }
    }

    /// Bytes held back for a message that has begun.
    package var heldCount: Int { deliveredCount > 0 ? 0 : held.count }

    /// What comes next in the chunk from `offset` on, which moves along. Call until `.needsMore`, then bring the next
    /// chunk. After an error the stream is useless: nothing after it could be trusted to be a length.
    package mutating func next(in chunk: RawSpan, from offset: inout Int) throws(WireError) -> Step {
        if deliveredCount > 0 {
            deliveredCount = 0
            held.removeAll(keepingCapacity: held.capacity <= Self.keptBytesMax)
        }
        if !held.isEmpty { return try complete(chunk, &offset) }
        let available = chunk.byteCount &- offset
        guard available >= 4 else { return hold(chunk, &offset, available) }
        let size = try size(first: chunk.uint32(offset))
        guard available >= size.filled else { return hold(chunk, &offset, available) }
        let start = offset
        offset &+= size.filled
        return .message(start..<(start &+ size.plain))
    }

    /// A longer buffer is given back after its message: one long message does not cost memory for the rest of a
    /// connection.
    private static let keptBytesMax = 2_048

    private mutating func hold(_ chunk: RawSpan, _ offset: inout Int, _ count: Int) -> Step {
        let count = min(max(count, 0), chunk.byteCount &- offset)
        held.append(chunk.extracting(offset..<(offset &+ count)))
        offset &+= count
        return .needsMore
    }

    private mutating func complete(_ chunk: RawSpan, _ offset: inout Int) throws(WireError) -> Step {
        if held.count < 4 { _ = hold(chunk, &offset, 4 &- held.count) }
        guard held.count >= 4 else { return .needsMore }
        let size = try size(first: unsafe held.span.bytes.uint32(0))
        if held.count < size.filled { _ = hold(chunk, &offset, size.filled &- held.count) }
        guard held.count == size.filled else { return .needsMore }
        deliveredCount = size.plain
        return .assembled
    }

    /// By the first four bytes: the length of the message, and with what fills it up.
    private func size(first word: UInt32) throws(WireError) -> (plain: Int, filled: Int) {
        let length = Int(word & 0xFFFF)
        let plain: Int
        switch word >> 28 {
        case 0...3:
            guard length & 3 == 0 else { throw .invalid("the length of a STUN message is a multiple of 4") }
            plain = STUNMessage.headerLength &+ length
        case 4: plain = ChannelData.headerLength &+ length
        case 5...7 where takesOldChannels: plain = ChannelData.headerLength &+ length
        default: throw .invalid("neither STUN nor ChannelData")
        }
        let filled = (plain &+ 3) & ~3
        guard filled <= limit else { throw .invalid("a message is longer than its stream allows") }
        return (plain, filled)
    }
}
