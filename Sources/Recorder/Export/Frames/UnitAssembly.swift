// Pictures of H.264 (RFC 6184) and H.265 (RFC 7798): NAL units, each with its length before it, as files have them.
//
// Parameter sets stay in the stream, and a keyframe without them gets those that were last seen: it can be decoded by
// itself, whatever the file's header says of an earlier size.

import Base
import Wire

struct UnitAssembly {
    enum Standard { case h264, h265 }

    /// Units of one picture. A slice per macroblock row of 8K is 270.
    static let unitsMax = 1_024

    private let standard: Standard
    private(set) var sets: ParameterSets
    private var units: [Bytes] = []
    /// A unit whose rest is in the next packet.
    private var fragment: Bytes?
    private(set) var count = 0

    init(_ standard: Standard, _ parameterSets: [Bytes]) {
        self.standard = standard
        sets = ParameterSets(standard)
        for set in parameterSets { sets.take(set) }
    }

    mutating func reset() {
        units.removeAll(keepingCapacity: true)
        fragment = nil
        count = 0
    }

    mutating func add(_ payload: Bytes) -> Bool {
        count += payload.count
        switch standard {
        case .h264:
            guard (try? H264Payload(parsing: payload.span.bytes)) != nil else { return false }
            switch payload[0] & 0x1F {
            case 24: return split(payload, from: 1)
            case 28:
                let unitHeader = payload[0] & 0xE0 | payload[1] & 0x1F
                return join(payload, flags: payload[1], header: [unitHeader], from: 2)
            default: return finish(payload)
            }
        case .h265:
            guard (try? H265Payload(parsing: payload.span.bytes)) != nil else { return false }
            switch payload[0] >> 1 & 0x3F {
            case 48: return split(payload, from: 2)
            case 49:
                let header = [payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]]
                return join(payload, flags: payload[2], header: header, from: 3)
            default: return finish(payload)
            }
        }
    }

    private mutating func split(_ payload: Bytes, from start: Int) -> Bool {
        var offset = start
        while payload.count - offset >= 2 {
            let size = Int(payload[offset]) << 8 | Int(payload[offset + 1])
            offset += 2
            guard size > 0, size <= payload.count - offset, finish(Bytes(payload[offset..<(offset + size)])) else {
                return false
            }
            offset += size
        }
        return true
    }

    private mutating func join(_ payload: Bytes, flags: UInt8, header: Bytes, from start: Int) -> Bool {
        let (begins, ends) = (flags & 0x80 != 0, flags & 0x40 != 0)
        guard begins == (fragment == nil) else { return false }
        // Taken out first, so that what is there is not copied for each fragment.
        var unit = fragment ?? header
        fragment = nil
        unit += payload[start...]
        guard ends else {
            fragment = unit
            return true
        }
        return finish(unit)
    }

    /// False when there is no room for it, or a fragment before it was not ended.
    private mutating func finish(_ unit: Bytes) -> Bool {
        guard fragment == nil, let kind = kind(unit) else { return false }
        switch (standard, kind) {
        // Parameters; what is no slice and no message for the decoder is left out: delimiters, fillers, layers above.
        case (.h264, 7), (.h264, 8), (.h265, 32), (.h265, 33), (.h265, 34): sets.take(unit)
        case (.h264, 1...6), (.h265, 0...31), (.h265, 39), (.h265, 40): break
        default: return true
        }
        // Layers above the first are for decoders that know them.
        if standard == .h265, unit.count >= 2, unit[0] & 1 != 0 || unit[1] >> 3 != 0 { return true }
        guard units.count < Self.unitsMax else { return false }
        units.append(unit)
        return true
    }

    private func kind(_ unit: Bytes) -> UInt8? {
        guard let first = unit.first, unit.count >= (standard == .h264 ? 1 : 2) else { return nil }
        return standard == .h264 ? first & 0x1F : first >> 1 & 0x3F
    }

    private func isSlice(_ kind: UInt8) -> Bool {
        standard == .h264 ? (1...5).contains(kind) : kind < 32
    }

    private func isKey(_ kind: UInt8) -> Bool {
        standard == .h264 ? kind == 5 : (16...23).contains(kind)
    }

    func frame(_ time: MediaTime) -> EncodedFrame? {
        let headerLength = standard == .h264 ? 1 : 2
        guard fragment == nil, let first = units.first(where: { kind($0).map(isSlice) ?? false }),
            let firstKind = kind(first), first.count > headerLength,
            // first_mb_in_slice 0, or first_slice_segment_in_pic_flag: both are one bit that is set.
            first[headerLength] & 0x80 != 0
        else { return nil }
        let isKeyframe = isKey(firstKind)
        // Without parameters nothing can be decoded, and there is no header to be written.
        if isKeyframe && !sets.isComplete { return nil }
        var bytes: Bytes = []
        bytes.reserveCapacity(count + units.count * 4)
        if isKeyframe {
            let present = Set(units.compactMap(kind))
            for set in sets.all where kind(set).map({ !present.contains($0) }) ?? false { Self.append(set, to: &bytes) }
        }
        for unit in units { Self.append(unit, to: &bytes) }
        return EncodedFrame(bytes: bytes, time: time, isKeyframe: isKeyframe, size: isKeyframe ? sets.size : nil)
    }

    private static func append(_ unit: Bytes, to bytes: inout Bytes) {
        bytes.append(bigEndian: UInt32(truncatingIfNeeded: unit.count))
        bytes += unit
    }
}
