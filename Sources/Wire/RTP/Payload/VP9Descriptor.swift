// The VP9 payload descriptor (RFC 9628 §4.2). It is in the clear under end-to-end encryption of frames.
//
//      0 1 2 3 4 5 6 7
//     +-+-+-+-+-+-+-+-+
//     |I|P|L|F|B|E|V|Z|  required
//     +-+-+-+-+-+-+-+-+
//  I: |M| PICTURE ID  |  7 bits, or 15 with M
//     +-+-+-+-+-+-+-+-+
//  L: | TID |U| SID |D|
//     +-+-+-+-+-+-+-+-+
//     |   TL0PICIDX   |  with L and without F
//     +-+-+-+-+-+-+-+-+
//     |    P_DIFF   |N|  with F and P, up to three times
//     +-+-+-+-+-+-+-+-+
//  V: | N_S |Y|G|-|-|-|  scalability structure
//     +-+-+-+-+-+-+-+-+
//  Y: |  WIDTH  HEIGHT|  N_S + 1 times, 16 bits each
//  G: |      N_G      |
//     | TID |U| R |-|-|  N_G times, each with R times P_DIFF in a byte
//     +-+-+-+-+-+-+-+-+

package struct VP9Descriptor: Sendable, BitwiseCopyable {
    /// P_DIFFs of one picture (RFC 9628 §4.2): a fourth is refused.
    package static let maximumReferences = 3
    package static let maximumSpatialLayers = 8

    package struct Size: Equatable, Sendable, BitwiseCopyable {
        package var width: UInt16 = 0
        package var height: UInt16 = 0
    }

    /// 0, 7 or 15.
    package var pictureIDBits: UInt8 = 0
    package var pictureID: UInt16 = 0
    package var pictureIDOffset: UInt8 = 0
    /// P: refers to earlier pictures.
    package var isInterPicture = false
    package var isFlexible = false
    package var startsFrame = false
    package var endsFrame = false
    /// Z: no frame of a higher spatial layer of any picture refers to this one.
    package var isNotReferencedAbove = false
    package var hasLayers = false
    package var temporal: UInt8 = 0
    package var spatial: UInt8 = 0
    /// U: later frames of higher temporal layers refer to none of a higher temporal layer from before this picture.
    package var isSwitchingUpPoint = false
    /// D: refers to the spatial layer below, of the same picture.
    package var usesLayerBelow = false
    package var hasTL0 = false
    package var tl0: UInt8 = 0
    package var tl0Offset: UInt8 = 0
    package var referenceCount: UInt8 = 0
    package var references: (UInt8, UInt8, UInt8) = (0, 0, 0)
    package var hasStructure = false
    package var structureLayers: UInt8 = 0
    package var hasSizes = false
    private var sizes = InlineArray<8, Size>(repeating: Size())
    package var pictureGroup: UInt8 = 0
    /// Bytes of the descriptor.
    package var length = 0

    package init(parsing payload: RawSpan) throws(WireError) {
        var reader = ByteReader(payload)
        let first = try reader.readUInt8()
        isInterPicture = first & 0x40 != 0
        isFlexible = first & 0x10 != 0
        startsFrame = first & 0x08 != 0
        endsFrame = first & 0x04 != 0
        isNotReferencedAbove = first & 0x01 != 0
        if first & 0x80 != 0 { try readPictureID(&reader) }
        if first & 0x20 != 0 { try readLayers(&reader) }
        if isFlexible && isInterPicture { try readReferences(&reader) }
        if first & 0x02 != 0 { try readStructure(&reader) }
        length = reader.offset
    }

    /// The first picture of a sequence: nothing before it is needed. Whether the frame starts here is `startsFrame`.
    package var isKeyframe: Bool { !isInterPicture && spatial == 0 }

    package func size(ofLayer layer: Int) -> Size? {
        guard hasSizes, layer >= 0, layer < Int(structureLayers) else { return nil }
        return sizes[layer]
    }

    private mutating func readPictureID(_ reader: inout ByteReader) throws(WireError) {
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

    private mutating func readLayers(_ reader: inout ByteReader) throws(WireError) {
        let layers = try reader.readUInt8()
        hasLayers = true
        temporal = layers >> 5
        isSwitchingUpPoint = layers & 0x10 != 0
        spatial = layers >> 1 & 0x07
        usesLayerBelow = layers & 0x01 != 0
        guard !isFlexible else { return }
        hasTL0 = true
        tl0Offset = UInt8(truncatingIfNeeded: reader.offset)
        tl0 = try reader.readUInt8()
    }

    private mutating func readReferences(_ reader: inout ByteReader) throws(WireError) {
        while true {
            let byte = try reader.readUInt8()
            switch referenceCount {
            case 0: references.0 = byte >> 1
            case 1: references.1 = byte >> 1
            default: references.2 = byte >> 1
            }
            referenceCount &+= 1
            guard byte & 1 != 0 else { return }
            guard referenceCount < Self.maximumReferences else { throw .invalid("VP9: more than three references") }
        }
    }

    private mutating func readStructure(_ reader: inout ByteReader) throws(WireError) {
        let header = try reader.readUInt8()
        hasStructure = true
        structureLayers = header >> 5 &+ 1
        hasSizes = header & 0x10 != 0
        if hasSizes {
            for layer in 0..<Int(structureLayers) {
                sizes[layer] = Size(width: try reader.readUInt16(), height: try reader.readUInt16())
            }
        }
        guard header & 0x08 != 0 else { return }
        pictureGroup = try reader.readUInt8()
        for _ in 0..<pictureGroup {
            let references = try reader.readUInt8() >> 2 & 0x03
            try reader.skip(Int(references))
        }
    }
}
