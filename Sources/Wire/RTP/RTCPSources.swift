// Who sends, and that one has left: source descriptions (RFC 3550 §6.5), of which only the canonical name is read, and
// goodbyes (§6.6).
//
//     SDES:  |        SSRC       | 1 | length | text … | … | 0, padded to 32 bits |   as often as the head says
//     BYE:   |        SSRC       | …, as often as the head says | length | reason … |

/// The sources of a description, one after the other.
package struct RTCPSourceDescription: ~Escapable {
    package struct Chunk: Sendable, Equatable {
        package var ssrc: SSRC
        /// Of the canonical name, within the datagram; empty when there is none.
        package var name: Range<Int>
    }

    private static let canonicalName: UInt8 = 1

    private let body: RawSpan
    private let bodyStart: Int
    private var remaining: Int
    private var position = 0

    /// The chunks are checked as they are read.
    @_lifetime(copy packet)
    package init(_ block: RTCPBlock, in packet: RawSpan) {
        body = block.body(in: packet)
        bodyStart = block.start
        remaining = Int(block.count)
    }

    @_lifetime(self: copy self)
    package mutating func next() throws(WireError) -> Chunk? {
        guard remaining > 0 else { return nil }
        remaining &-= 1
        guard position &+ 4 <= body.byteCount else { throw .truncated }
        var chunk = Chunk(ssrc: body.uint32(position), name: 0..<0)
        position &+= 4
        while true {
            guard position < body.byteCount else { throw .truncated }
            let type = body.byte(position)
            position &+= 1
            if type == 0 { break }
            guard position < body.byteCount else { throw .truncated }
            let length = Int(body.byte(position))
            let start = position &+ 1
            guard start &+ length <= body.byteCount else { throw .truncated }
            if type == Self.canonicalName, chunk.name.isEmpty {
                chunk.name = (bodyStart &+ start)..<(bodyStart &+ start &+ length)
            }
            position = start &+ length
        }
        position = (position &+ 3) & ~3
        guard position <= body.byteCount else { throw .truncated }
        return chunk
    }

    /// One source with its canonical name, of which no more than 255 bytes are written.
    package static func write(_ ssrc: SSRC, canonicalName name: Span<UInt8>, into bytes: inout [UInt8]) {
        let start = RTCPWriting.begin(RTCPNumber.sourceDescription, 1, &bytes)
        let length = min(255, name.count)
        bytes.append(bigEndian: ssrc)
        bytes.append(canonicalName)
        bytes.append(UInt8(truncatingIfNeeded: length))
        for index in 0..<length { bytes.append(name[index]) }
        repeat { bytes.append(0) } while (bytes.count &- start) & 3 != 0
        RTCPWriting.end(start, &bytes)
    }
}

/// The sources that leave. The reason is checked for its length and not read.
package struct RTCPGoodbye: ~Escapable {
    package static let limit = 31

    package let count: Int
    private let body: RawSpan

    @_lifetime(copy packet)
    package init(parsing block: RTCPBlock, in packet: RawSpan) throws(WireError) {
        body = block.body(in: packet)
        count = Int(block.count)
        let end = count &* 4
        guard end <= body.byteCount else { throw .truncated }
        if end < body.byteCount {
            guard end &+ 1 &+ Int(body.byte(end)) <= body.byteCount else { throw .truncated }
        }
    }

    package func ssrc(_ index: Int) -> SSRC? {
        index >= 0 && index < count ? body.uint32(index &* 4) : nil
    }

    /// Sources beyond 31 are left out.
    package static func write(_ sources: Span<SSRC>, into bytes: inout [UInt8]) {
        let count = min(limit, sources.count)
        let start = RTCPWriting.begin(RTCPNumber.goodbye, UInt8(truncatingIfNeeded: count), &bytes)
        for index in 0..<count { bytes.append(bigEndian: sources[index]) }
        RTCPWriting.end(start, &bytes)
    }
}
