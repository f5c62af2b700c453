// Audio payloads: whether Opus is silent, and the blocks of redundant audio (RFC 2198).

package enum OpusPayload {
    /// At most a table-of-contents byte and one more: no frame with sound fits (RFC 6716 §3.1; libopus sends these
    /// when it is in discontinuous transmission).
    package static func isSilence(_ payload: RawSpan) -> Bool { payload.byteCount <= 2 }
}

/// Redundant audio (RFC 2198 §3): headers of the older blocks, then the newest's, then the data in the same order.
///
///      0                   1                    2                   3
///      0 1 2 3 4 5 6 7 8 9 0 1 2 3  4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
///     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
///     |1|   block PT  |  timestamp offset         |   block length    |
///     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
///     |0|   block PT  |
///     +-+-+-+-+-+-+-+-+
package struct RedundantAudio: Sendable, BitwiseCopyable {
    /// Browsers send up to 9 older blocks and the newest. A packet with more is refused; more would cost nothing but
    /// room here, fewer would refuse what some send.
    package static let maximumBlocks = 16

    package struct Block: Equatable, Sendable, BitwiseCopyable {
        package var payloadType: UInt8 = 0
        /// How much older than the packet's timestamp.
        package var timestampOffset: UInt16 = 0
        package var offset: UInt16 = 0
        package var length: UInt16 = 0
    }

    package private(set) var count = 0
    private var blocks = InlineArray<16, Block>(repeating: Block())

    package init(parsing payload: RawSpan) throws(WireError) {
        guard payload.byteCount <= Int(UInt16.max) else { throw .invalid("RED: longer than a packet") }
        var reader = ByteReader(payload)
        while true {
            guard count < Self.maximumBlocks else { throw .invalid("RED: too many blocks") }
            let type = try reader.readUInt8()
            blocks[count].payloadType = type & 0x7F
            count &+= 1
            guard type & 0x80 != 0 else { break }
            let rest = try reader.readUInt24()
            blocks[count &- 1].timestampOffset = UInt16(truncatingIfNeeded: rest >> 10)
            blocks[count &- 1].length = UInt16(truncatingIfNeeded: rest & 0x3FF)
        }
        for index in 0..<count {
            blocks[index].offset = UInt16(truncatingIfNeeded: reader.offset)
            if index == count &- 1 { blocks[index].length = UInt16(truncatingIfNeeded: reader.remaining) }
            try reader.skip(Int(blocks[index].length))
        }
    }

    package subscript(index: Int) -> Block? { index >= 0 && index < count ? blocks[index] : nil }
    /// The block that is of the packet's own time.
    package var newest: Block { blocks[count &- 1] }
}
