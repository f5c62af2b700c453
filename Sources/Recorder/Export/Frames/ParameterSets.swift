// Parameter sets of H.264 and H.265: the newest of each number, the size of pictures, and a file's header made of them
// (ISO/IEC 14496-15 §5.3.3 and §8.3.3).

import Base
import Wire

struct ParameterSets {
    /// Of one set; scaling lists for all sizes are below a thousand bytes.
    static let bytesMax = 4_096
    /// Numbers of sets that are kept: 32 of sequences are allowed, encoders of calls use one or two of each.
    static let countMax = 32

    private struct Entry {
        var kind: UInt8
        var number: Int
        var bytes: Bytes
    }

    private let standard: UnitAssembly.Standard
    private var entries: [Entry] = []
    private(set) var size: PictureSize?

    init(_ standard: UnitAssembly.Standard) { self.standard = standard }

    private var sequenceKind: UInt8 { standard == .h264 ? 7 : 33 }
    private var kinds: [UInt8] { standard == .h264 ? [7, 8] : [32, 33, 34] }

    /// In the order in which they must be read.
    var all: [Bytes] { kinds.flatMap(sets) }
    var isComplete: Bool { size != nil && kinds.allSatisfy { kind in entries.contains { $0.kind == kind } } }

    private func sets(_ kind: UInt8) -> [Bytes] { entries.filter { $0.kind == kind }.map(\.bytes) }

    mutating func take(_ unit: Bytes) {
        guard let first = unit.first, unit.count > 2, unit.count <= Self.bytesMax else { return }
        let kind = standard == .h264 ? first & 0x1F : first >> 1 & 0x3F
        guard kinds.contains(kind) else { return }
        let payload = unit[(standard == .h264 ? 1 : 2)...].withoutEmulationPrevention(max: Self.bytesMax)
        var number = 0
        if kind == sequenceKind {
            let read = standard == .h264 ? H264Sequence(payload[...])?.summary : H265Sequence(payload[...])?.summary
            guard let read else { return }
            (number, size) = read
        } else if standard == .h265 && kind == 32 {
            number = Int(payload[0] >> 4)
        } else {
            var bits = BitCursor(payload[...])
            number = bits.exponential()
            if bits.isExhausted { return }
        }
        let entry = Entry(kind: kind, number: number, bytes: unit)
        if let index = entries.firstIndex(where: { $0.kind == kind && $0.number == number }) {
            entries[index] = entry
        } else if entries.count < Self.countMax {
            entries.append(entry)
        }
    }

    /// avcC or hvcC of these sets; `nil` while some are missing.
    static func configuration(_ standard: UnitAssembly.Standard, _ sets: [Bytes]) -> Bytes? {
        var known = ParameterSets(standard)
        for set in sets { known.take(set) }
        guard known.isComplete else { return nil }
        return standard == .h264 ? known.avcC : known.hvcC
    }

    private var avcC: Bytes? {
        let (sequences, pictures) = (sets(7), sets(8))
        guard let first = sequences.first, let sequence = sequenceHeader(first).flatMap({ H264Sequence($0[...]) })
        else { return nil }
        var record: Bytes = [1, first[1], first[2], first[3], 0xFF, 0xE0 | UInt8(min(sequences.count, 31))]
        for set in sequences.prefix(31) { Self.append(set, to: &record) }
        record.append(UInt8(min(pictures.count, 255)))
        for set in pictures.prefix(255) { Self.append(set, to: &record) }
        if sequence.hasChroma {
            record += [
                0xFC | UInt8(sequence.chroma & 3), 0xF8 | UInt8(sequence.lumaDepth & 7),
                0xF8 | UInt8(sequence.chromaDepth & 7), 0,
            ]
        }
        return record
    }

    private var hvcC: Bytes? {
        guard let first = sets(33).first, let payload = sequenceHeader(first),
            let sequence = H265Sequence(payload[...])
        else { return nil }
        // Profile, tier, compatibility, constraints and level lie as they are wanted, from the set's second byte on.
        var record: Bytes = [1] + payload[1..<13] + [0xF0, 0, 0xFC]
        record += [
            0xFC | UInt8(sequence.chroma & 3), 0xF8 | UInt8(sequence.lumaDepth & 7),
            0xF8 | UInt8(sequence.chromaDepth & 7), 0, 0,
            UInt8(sequence.temporalLayers & 7) << 3 | (sequence.isNested ? 4 : 0) | 3, UInt8(kinds.count),
        ]
        for kind in kinds {
            let sets = sets(kind)
            record.append(kind)
            record.append(bigEndian: UInt16(truncatingIfNeeded: sets.count))
            for set in sets { Self.append(set, to: &record) }
        }
        return record
    }

    private func sequenceHeader(_ unit: Bytes) -> Bytes? {
        let payload = unit[(standard == .h264 ? 1 : 2)...].withoutEmulationPrevention(max: Self.bytesMax)
        return payload.count > 12 || standard == .h264 ? payload : nil
    }

    private static func append(_ set: Bytes, to record: inout Bytes) {
        record.append(bigEndian: UInt16(truncatingIfNeeded: set.count))
        record += set
    }
}

/// ITU-T H.264 §7.3.2.1.1, to the size.
struct H264Sequence {
    /// Profiles whose sets say how colour is sampled.
    private static let highProfiles: Set<Int> = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]

    private(set) var number = 0
    private(set) var hasChroma = false
    private(set) var chroma = 1
    private(set) var lumaDepth = 0
    private(set) var chromaDepth = 0
    private(set) var size = PictureSize(width: 0, height: 0)

    var summary: (Int, PictureSize?) { (number, size) }

    init?(_ payload: ArraySlice<UInt8>) {
        var bits = BitCursor(payload)
        let profile = bits.read(8)
        bits.skip(16)
        number = bits.exponential()
        if Self.highProfiles.contains(profile) { readColour(&bits) }
        _ = bits.exponential()
        switch bits.exponential() {
        case 0: _ = bits.exponential()
        case 1:
            bits.skip(1)
            _ = bits.signedExponential()
            _ = bits.signedExponential()
            let count = bits.exponential()
            guard count < 256 else { return nil }
            for _ in 0..<count { _ = bits.signedExponential() }
        default: break
        }
        _ = bits.exponential()
        bits.skip(1)
        let columns = bits.exponential() + 1
        let units = bits.exponential() + 1
        let isProgressive = bits.flag()
        if !isProgressive { bits.skip(1) }
        bits.skip(1)
        var crop = (left: 0, right: 0, top: 0, bottom: 0)
        if bits.flag() {
            crop = (bits.exponential(), bits.exponential(), bits.exponential(), bits.exponential())
        }
        let rows = isProgressive ? 1 : 2
        let width = columns * 16 - (crop.left + crop.right) * (chroma == 1 || chroma == 2 ? 2 : 1)
        let height = units * 16 * rows - (crop.top + crop.bottom) * (chroma == 1 ? 2 : 1) * rows
        size = PictureSize(width: width, height: height)
        guard !bits.isExhausted, number < 32, width > 0, height > 0, width <= 65_535, height <= 65_535 else {
            return nil
        }
    }

    private mutating func readColour(_ bits: inout BitCursor) {
        hasChroma = true
        chroma = bits.exponential()
        if chroma == 3 { bits.skip(1) }
        lumaDepth = bits.exponential()
        chromaDepth = bits.exponential()
        bits.skip(1)
        guard bits.flag() else { return }
        for list in 0..<(chroma == 3 ? 12 : 8) where bits.flag() {
            var (last, next) = (8, 8)
            for _ in 0..<(list < 6 ? 16 : 64) {
                if next != 0 { next = (last &+ bits.signedExponential()) & 255 }
                if next != 0 { last = next }
            }
        }
    }
}

/// ITU-T H.265 §7.3.2.2.1, to the depth of samples.
struct H265Sequence {
    private(set) var number = 0
    private(set) var temporalLayers = 1
    private(set) var isNested = false
    private(set) var chroma = 1
    private(set) var lumaDepth = 0
    private(set) var chromaDepth = 0
    private(set) var size = PictureSize(width: 0, height: 0)

    var summary: (Int, PictureSize?) { (number, size) }

    init?(_ payload: ArraySlice<UInt8>) {
        var bits = BitCursor(payload)
        bits.skip(4)
        let above = bits.read(3)
        temporalLayers = above + 1
        isNested = bits.flag()
        bits.skip(96)
        skipLayers(above, &bits)
        number = bits.exponential()
        chroma = bits.exponential()
        if chroma == 3 { bits.skip(1) }
        var width = bits.exponential()
        var height = bits.exponential()
        if bits.flag() {
            width -= (bits.exponential() + bits.exponential()) * (chroma == 1 || chroma == 2 ? 2 : 1)
            height -= (bits.exponential() + bits.exponential()) * (chroma == 1 ? 2 : 1)
        }
        size = PictureSize(width: width, height: height)
        lumaDepth = bits.exponential()
        chromaDepth = bits.exponential()
        guard !bits.isExhausted, number < 16, width > 0, height > 0, width <= 65_535, height <= 65_535 else {
            return nil
        }
    }

    private func skipLayers(_ above: Int, _ bits: inout BitCursor) {
        guard above > 0 else { return }
        let present = (0..<above).map { _ in (bits.flag(), bits.flag()) }
        bits.skip(2 * (8 - above))
        for (hasProfile, hasLevel) in present {
            if hasProfile { bits.skip(88) }
            if hasLevel { bits.skip(8) }
        }
    }
}
