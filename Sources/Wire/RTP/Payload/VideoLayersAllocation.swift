// The header extension "video-layers-allocation00": which layers a sender sends just now, at what bitrates and sizes.
//
//     +-+-+-+-+-+-+-+-+
//     |RID| NS| sl_bm |  NS + 1 streams; sl_bm: the spatial layers of each, or 0: a nibble for each stream follows
//     +-+-+-+-+-+-+-+-+
//     | sl_bm | sl_bm |  only with sl_bm 0, padded to a byte
//     +-+-+-+-+-+-+-+-+
//     |#tl|#tl|#tl|#tl|  temporal layers minus one of each spatial layer, padded to a byte
//     +-+-+-+-+-+-+-+-+
//     |  LEB128 kbps  |  for each temporal layer, cumulative
//     +-+-+-+-+-+-+-+-+
//     | width-1 (16), height-1 (16), fps (8), for each spatial layer; may be left out as a whole
//
// One byte of 0 says that nothing is sent.

package struct VideoLayersAllocation: Sendable, BitwiseCopyable {
    package struct Layer: Sendable, BitwiseCopyable {
        package var stream: UInt8 = 0
        package var spatial: UInt8 = 0
        package var temporalCount: UInt8 = 0
        /// 0 when not told.
        package var width: UInt32 = 0
        package var height: UInt32 = 0
        package var frameRate: UInt8 = 0
        fileprivate var bitrates = InlineArray<4, UInt32>(repeating: 0)

        /// In kbit/s, together with the temporal layers below.
        package func kilobits(temporal: Int) -> UInt32? {
            temporal >= 0 && temporal < Int(temporalCount) ? bitrates[temporal] : nil
        }
    }

    /// The stream that the extension came in.
    package private(set) var stream: UInt8 = 0
    package private(set) var streams: UInt8 = 0
    package private(set) var hasSizes = false
    package private(set) var count = 0
    /// Four streams of four layers: what the format has numbers for.
    private var layers = InlineArray<16, Layer>(repeating: Layer())

    package init(parsing element: RawSpan) throws(WireError) {
        var reader = ByteReader(element)
        let header = try reader.readUInt8()
        if header == 0 && reader.isAtEnd { return }
        stream = header >> 6
        streams = header >> 4 & 0x03 &+ 1
        try readMasks(&reader, common: header & 0x0F)
        guard count > 0 else { throw .invalid("layers allocation: streams without layers") }
        guard stream < streams else { throw .invalid("layers allocation: sent in a stream that it does not count") }
        try readTemporalCounts(&reader)
        for index in 0..<count {
            for temporal in 0..<Int(layers[index].temporalCount) {
                layers[index].bitrates[temporal] = UInt32(truncatingIfNeeded: try AV1Payload.readLength(&reader))
            }
        }
        guard !reader.isAtEnd else { return }
        hasSizes = true
        for index in 0..<count {
            layers[index].width = UInt32(try reader.readUInt16()) &+ 1
            layers[index].height = UInt32(try reader.readUInt16()) &+ 1
            layers[index].frameRate = try reader.readUInt8()
        }
        guard reader.isAtEnd else { throw .invalid("layers allocation: bytes after the end") }
    }

    package subscript(index: Int) -> Layer? { index >= 0 && index < count ? layers[index] : nil }

    private mutating func readMasks(_ reader: inout ByteReader, common: UInt8) throws(WireError) {
        var byte: UInt8 = 0
        for index in 0..<streams {
            var mask = common
            if common == 0 {
                if index & 1 == 0 { byte = try reader.readUInt8() }
                mask = index & 1 == 0 ? byte >> 4 : byte & 0x0F
            }
            for spatial in 0..<UInt8(4) where mask >> spatial & 1 != 0 {
                layers[count].stream = index
                layers[count].spatial = spatial
                count &+= 1
            }
        }
    }

    private mutating func readTemporalCounts(_ reader: inout ByteReader) throws(WireError) {
        var byte: UInt8 = 0
        for index in 0..<count {
            if index & 3 == 0 { byte = try reader.readUInt8() }
            layers[index].temporalCount = byte >> 6 &+ 1
            byte <<= 2
        }
    }
}
