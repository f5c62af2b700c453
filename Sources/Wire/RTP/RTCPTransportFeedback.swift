// Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1): which packets of
// a transport came, and when.
//
//     |                  SSRC of packet sender                        |
//     |                  SSRC of media source                         |
//     |      base sequence number     |      packet status count      |
//     |          reference time, 24 bits with sign    | feedback count|
//     |       chunks of 16 bits       | … until the count is reached  |
//     | one byte per small delta, two per large one …                 |
//
//     run length: |0|sym|   13 bits of length       |
//     vector:     |1|0| 14 symbols of one bit       |  1: a small delta
//                 |1|1| 7 symbols of two bits       |
//     symbols: 0 not received, 1 small delta (0…63.75 ms), 2 large or negative delta, 3 received, no delta

/// The packets that a feedback tells of, in the order of their numbers. Chunks and deltas are checked at the start, so
/// the reading does not fail halfway.
package struct RTCPTransportFeedback: ~Escapable {
    package struct Item: Sendable, Equatable {
        package var sequence: SequenceNumber
        package var isReceived: Bool
        /// False for a packet that came at a time not told.
        package var hasArrival: Bool
        /// In microseconds of the receiver's clock, which wraps every 12.4 days and may be negative. Of the packet before
        /// when this one has none.
        package var arrival: Int64
    }

    /// 2^14 packets are 16 s at 1,000 per second, and two bytes could announce 8,191. More in one feedback is no
    /// feedback: it is refused.
    package static let statusLimit = 16_384
    /// Of the reference time, in microseconds.
    package static let referenceUnit: Int64 = 64_000
    /// Of a delta, in microseconds.
    package static let deltaUnit: Int64 = 250

    package let senderSSRC: SSRC
    package let mediaSSRC: SSRC
    package let baseSequence: SequenceNumber
    package let statusCount: Int
    /// In units of 64 ms.
    package let referenceTime: Int32
    package let feedbackCount: UInt8

    private let body: RawSpan
    private var chunks = ChunkCursor()
    private var delta: Int
    private var given = 0
    private var arrival: Int64

    @_lifetime(copy packet)
    package init(parsing block: RTCPBlock, in packet: RawSpan) throws(WireError) {
        body = block.body(in: packet)
        guard body.byteCount >= ChunkCursor.start else { throw .truncated }
        senderSSRC = body.uint32(0)
        mediaSSRC = body.uint32(4)
        baseSequence = body.uint16(8)
        statusCount = Int(body.uint16(10))
        let time = body.uint32(12)
        referenceTime = Int32(truncatingIfNeeded: time) >> 8
        feedbackCount = UInt8(truncatingIfNeeded: time)
        guard statusCount <= Self.statusLimit else { throw .invalid("number of packets in a feedback") }
        let (end, deltas) = try ChunkCursor.measure(body, statusCount)
        guard end &+ deltas <= body.byteCount else { throw .truncated }
        delta = end
        arrival = Int64(referenceTime) &* Self.referenceUnit
    }

    @_lifetime(self: copy self)
    package mutating func next() -> Item? {
        guard given < statusCount, let symbol = chunks.next(body) else { return nil }
        let sequence = baseSequence &+ SequenceNumber(truncatingIfNeeded: given)
        given &+= 1
        switch symbol {
        case 1:
            arrival &+= Int64(body.byte(delta)) &* Self.deltaUnit
            delta &+= 1
        case 2:
            arrival &+= Int64(Int16(bitPattern: body.uint16(delta))) &* Self.deltaUnit
            delta &+= 2
        default: break
        }
        return Item(
            sequence: sequence, isReceived: symbol != 0, hasArrival: symbol == 1 || symbol == 2, arrival: arrival)
    }
}

/// Where one is in the chunks: a chunk taken apart, and the place of the next.
private struct ChunkCursor {
    static let start = 16

    private var position = Self.start
    /// Symbols of the present chunk that are not given.
    private var remaining = 0
    /// Two bits each, the next at the top; a run keeps its one symbol there.
    private var symbols: UInt32 = 0
    private var isRun = false

    /// The caller has measured: nil only at the end of the bytes.
    mutating func next(_ body: RawSpan) -> UInt8? {
        if remaining == 0 {
            guard position &+ 2 <= body.byteCount else { return nil }
            load(body.uint16(position))
            position &+= 2
        }
        guard remaining > 0 else { return nil }
        remaining &-= 1
        let symbol = UInt8(truncatingIfNeeded: symbols >> 30)
        if !isRun { symbols <<= 2 }
        return symbol
    }

    private mutating func load(_ chunk: UInt16) {
        isRun = chunk & 0x8000 == 0
        if isRun {
            remaining = Int(chunk & 0x1FFF)
            symbols = UInt32(chunk >> 13) << 30
        } else if chunk & 0x4000 != 0 {
            remaining = 7
            symbols = UInt32(chunk & 0x3FFF) << 18
        } else {
            remaining = 14
            var spread: UInt32 = 0
            for bit in 0..<14 where chunk >> (13 &- bit) & 1 != 0 { spread |= 1 << UInt32(30 &- 2 &* bit) }
            symbols = spread
        }
    }

    /// Where the deltas begin and how many bytes they take. A run without length is refused: it would stall.
    static func measure(_ body: RawSpan, _ count: Int) throws(WireError) -> (end: Int, deltas: Int) {
        var cursor = ChunkCursor()
        var deltas = 0
        var seen = 0
        while seen < count {
            guard cursor.position &+ 2 <= body.byteCount else { throw .truncated }
            cursor.load(body.uint16(cursor.position))
            cursor.position &+= 2
            guard cursor.remaining > 0 else { throw .invalid("a run of no packets") }
            let taken = min(cursor.remaining, count &- seen)
            seen &+= taken
            deltas &+= cursor.deltaBytes(taken)
        }
        return (cursor.position, deltas)
    }

    /// Of the next symbols of the present chunk.
    private func deltaBytes(_ count: Int) -> Int {
        func size(_ symbol: UInt32) -> Int { symbol == 3 ? 0 : Int(symbol) }
        if isRun { return count &* size(symbols >> 30) }
        var total = 0
        for index in 0..<count { total &+= size((symbols << UInt32(2 &* index)) >> 30) }
        return total
    }
}
