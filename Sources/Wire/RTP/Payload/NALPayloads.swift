// H.264 (RFC 6184) and H.265 (RFC 7798) payloads, as far as forwarding needs them: where a keyframe begins, and which
// temporal layer a packet is of. Slices are not read.

/// What the NAL units of one packet of H.264 say.
///
///     +---------------+
///     |0|1|2|3|4|5|6|7|
///     |F|NRI|  Type   |   1-23 one unit, 24 STAP-A: (size 16, unit)+, 28 FU-A: |S|E|R| Type | fragment
///     +---------------+
///
/// Temporal layers are not told by the base format, and SVC's prefix units (14) are not read: such streams are
/// forwarded whole unless a dependency descriptor comes along. STAP-B, MTAP and FU-B are of the interleaved mode that
/// no browser speaks, and are refused.
package struct H264Payload: Equatable, Sendable, BitwiseCopyable {
    package var hasSequenceParameters = false
    /// An IDR slice begins here, not merely continues.
    package var startsIDR = false
    /// No unit here is a reference for others (NRI is 0).
    package var isDiscardable = true

    /// A keyframe begins: with its parameters when it has them, else with its first slice.
    package var startsKeyframe: Bool { hasSequenceParameters || startsIDR }

    package init(parsing payload: RawSpan) throws(WireError) {
        var reader = ByteReader(payload)
        let header = try reader.readUInt8()
        isDiscardable = header & 0x60 == 0
        switch header & 0x1F {
        case 1...23: note(header & 0x1F)
        case 24: try readAggregate(&reader)
        case 28:
            let fragment = try reader.readUInt8()
            if fragment & 0xC0 == 0xC0 { throw .invalid("H.264: a fragment that is both first and last") }
            if fragment & 0x80 != 0 { note(fragment & 0x1F) }
        default: throw .invalid("H.264: a packet type outside of the non-interleaved mode")
        }
    }

    private mutating func readAggregate(_ reader: inout ByteReader) throws(WireError) {
        // One byte left over at the end cannot begin a unit; senders are known that leave it.
        repeat {
            let size = Int(try reader.readUInt16())
            guard size > 0 else { throw .invalid("H.264: an empty unit in an aggregate") }
            note(try reader.readUInt8() & 0x1F)
            try reader.skip(size &- 1)
        } while reader.remaining >= 2
    }

    private mutating func note(_ type: UInt8) {
        if type == 7 { hasSequenceParameters = true }
        if type == 5 { startsIDR = true }
    }
}

/// What the NAL units of one packet of H.265 say.
///
///     +---------------+---------------+
///     |0|1|2|3|4|5|6|7|0|1|2|3|4|5|6|7|
///     |F|   Type    |  LayerId  | TID |   0-47 one unit, 48 AP: (size 16, unit)+, 49 FU: |S|E| Type | fragment
///     +-------------+-----------------+
///
/// Decoding order numbers (sprop-max-don-diff above 0) and PACI are refused: nobody offers them for calls.
package struct H265Payload: Equatable, Sendable, BitwiseCopyable {
    package var temporal: UInt8 = 0
    package var hasParameters = false
    /// A slice of a random access picture (types 16 to 23) begins here.
    package var startsRandomAccess = false
    /// TSA: from here on this and all higher temporal layers can be begun with.
    package var isTemporalSwitch = false
    /// STSA: this temporal layer, but not yet those above, can be begun with.
    package var isStepwiseTemporalSwitch = false
    /// Of a sub-layer that no picture of the same sub-layer refers to.
    package var isDiscardable = false

    package var startsKeyframe: Bool { hasParameters || startsRandomAccess }

    package init(parsing payload: RawSpan) throws(WireError) {
        var reader = ByteReader(payload)
        let header = try Self.readHeader(&reader)
        temporal = header.temporal
        switch header.type {
        case 0...47: note(header.type)
        case 48: try readAggregate(&reader)
        case 49:
            let fragment = try reader.readUInt8()
            if fragment & 0xC0 == 0xC0 { throw .invalid("H.265: a fragment that is both first and last") }
            note(fragment & 0x3F, isStart: fragment & 0x80 != 0)
        default: throw .invalid("H.265: an unknown packet type")
        }
    }

    private static func readHeader(_ reader: inout ByteReader) throws(WireError) -> (type: UInt8, temporal: UInt8) {
        let header = try reader.readUInt16()
        guard header & 0x07 > 0 else { throw .invalid("H.265: a temporal id of -1") }
        return (UInt8(truncatingIfNeeded: header >> 9 & 0x3F), UInt8(truncatingIfNeeded: header & 0x07) &- 1)
    }

    private mutating func readAggregate(_ reader: inout ByteReader) throws(WireError) {
        repeat {
            let size = Int(try reader.readUInt16())
            guard size >= 2 else { throw .invalid("H.265: a unit without a header in an aggregate") }
            note(try Self.readHeader(&reader).type)
            try reader.skip(size &- 2)
        } while reader.remaining >= 2
    }

    private mutating func note(_ type: UInt8, isStart: Bool = true) {
        switch type {
        case 16...23: startsRandomAccess = startsRandomAccess || isStart
        case 32, 33: hasParameters = hasParameters || isStart
        case 2, 3: isTemporalSwitch = true
        case 4, 5: isStepwiseTemporalSwitch = true
        default: break
        }
        // Even numbers below 16 are the sub-layer non-reference pictures (ITU-T H.265, table 7-1).
        if type < 16 { isDiscardable = type & 1 == 0 }
    }
}
