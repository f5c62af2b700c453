// The VP8 payload descriptor (RFC 7741 §4.2) and the one bit of the payload header that tells a keyframe (§4.3).
//
//      0 1 2 3 4 5 6 7
//     +-+-+-+-+-+-+-+-+
//     |X|R|N|S|R| PID |  required
//     +-+-+-+-+-+-+-+-+
//  X: |I|L|T|K|  RSV  |
//     +-+-+-+-+-+-+-+-+
//  I: |M| PictureID   |  7 bits, or 15 with M
//     +-+-+-+-+-+-+-+-+
//  L: |   TL0PICIDX   |
//     +-+-+-+-+-+-+-+-+
// T/K:|TID|Y| KEYIDX  |
//     +-+-+-+-+-+-+-+-+
//
// The descriptor is in the clear under end-to-end encryption of frames; the payload header may not be.

package struct VP8Descriptor: Equatable, Sendable {
    package var isNonReference = false
    package var startsPartition = false
    package var partition: UInt8 = 0
    /// 0, 7 or 15.
    package var pictureIDBits: UInt8 = 0
    package var pictureID: UInt16 = 0
    /// Where in the payload the picture id begins; meaningless without one. The same for `tl0Offset`.
    package var pictureIDOffset: UInt8 = 0
    package var hasTL0 = false
    package var tl0: UInt8 = 0
    package var tl0Offset: UInt8 = 0
    package var hasTemporal = false
    package var temporal: UInt8 = 0
    /// Y: depends on the base layer alone, so that who has had the layers below can begin with this one here.
    package var isLayerSync = false
    package var hasKeyIndex = false
    package var keyIndex: UInt8 = 0
    /// Bytes of the descriptor.
    package var length = 0
    package var isKeyframe = false

    package init(parsing payload: RawSpan) throws(WireError) {
        var reader = ByteReader(payload)
        let first = try reader.readUInt8()
        isNonReference = first & 0x20 != 0
        startsPartition = first & 0x10 != 0
        partition = first & 0x07
        if first & 0x80 != 0 { try readExtension(&reader) }
        length = reader.offset
        let header = try reader.readUInt8()
        isKeyframe = startsPartition && partition == 0 && header & 1 == 0
    }

    private mutating func readExtension(_ reader: inout ByteReader) throws(WireError) {
        let present = try reader.readUInt8()
        if present & 0x80 != 0 {
            pictureIDOffset = UInt8(truncatingIfNeeded: reader.offset)
            let high = try reader.readUInt8()
            if high & 0x80 != 0 {
                pictureIDBits = 15
                pictureID = UInt16(high & 0x7F) << 8 | UInt16(try reader.readUInt8())
            } else {
                pictureIDBits = 7
                pictureID = UInt16(high)
            }
        }
        if present & 0x40 != 0 {
            hasTL0 = true
            tl0Offset = UInt8(truncatingIfNeeded: reader.offset)
            tl0 = try reader.readUInt8()
        }
        guard present & 0x30 != 0 else { return }
        let layer = try reader.readUInt8()
        hasTemporal = present & 0x20 != 0
        hasKeyIndex = present & 0x10 != 0
        if hasTemporal {
            temporal = layer >> 6
            isLayerSync = layer & 0x20 != 0
        }
        if hasKeyIndex { keyIndex = layer & 0x1F }
    }
}
