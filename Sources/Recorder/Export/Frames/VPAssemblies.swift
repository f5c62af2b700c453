// Pictures of VP8 (RFC 7741, header: RFC 6386 §9.1) and VP9 (RFC 9628, header: VP9 bitstream §6.2, Annex B).

import Base
import Wire

struct VP8Assembly {
    private(set) var bytes: Bytes = []

    static func isStart(_ payload: Bytes) -> Bool {
        guard let descriptor = try? VP8Descriptor(parsing: payload.span.bytes) else { return false }
        return descriptor.startsPartition && descriptor.partition == 0
    }

    mutating func add(_ payload: Bytes) -> Bool {
        guard let descriptor = try? VP8Descriptor(parsing: payload.span.bytes) else { return false }
        let starts = descriptor.startsPartition && descriptor.partition == 0
        // The first packet of a picture and no other begins its first partition.
        guard starts == bytes.isEmpty else { return false }
        bytes += payload[descriptor.length...]
        return true
    }

    func frame(_ time: MediaTime) -> EncodedFrame? {
        guard let first = bytes.first, bytes.count >= 3 else { return nil }
        guard first & 1 == 0 else { return EncodedFrame(bytes: bytes, time: time, isKeyframe: false) }
        guard bytes.count >= 10, bytes[3] == 0x9D, bytes[4] == 0x01, bytes[5] == 0x2A else { return nil }
        let width = Int(bytes[7] & 0x3F) << 8 | Int(bytes[6])
        let height = Int(bytes[9] & 0x3F) << 8 | Int(bytes[8])
        guard width > 0, height > 0 else { return nil }
        return EncodedFrame(
            bytes: bytes, time: time, isKeyframe: true, size: PictureSize(width: width, height: height))
    }
}

/// All spatial layers of a picture, which make a superframe: players show the highest.
struct VP9Assembly {
    /// Of a superframe, which counts its frames with three bits.
    static let layersMax = 8

    private(set) var bytes: Bytes = []
    /// Of the layers that are whole.
    private var sizes: [Int] = []
    private var start = 0
    private var isInLayer = false
    private var isIntra = false
    private var structureSize: PictureSize?

    static func isStart(_ payload: Bytes) -> Bool {
        guard let descriptor = try? VP9Descriptor(parsing: payload.span.bytes) else { return false }
        return descriptor.startsFrame && descriptor.spatial == 0
    }

    mutating func add(_ payload: Bytes) -> Bool {
        guard let descriptor = try? VP9Descriptor(parsing: payload.span.bytes), descriptor.length < payload.count,
            descriptor.startsFrame != isInLayer, sizes.count < Self.layersMax
        else { return false }
        if bytes.isEmpty { isIntra = descriptor.isKeyframe }
        if descriptor.hasSizes, let top = descriptor.size(ofLayer: Int(descriptor.structureLayers) - 1) {
            structureSize = PictureSize(width: Int(top.width), height: Int(top.height))
        }
        isInLayer = true
        bytes += payload[descriptor.length...]
        if descriptor.endsFrame {
            sizes.append(bytes.count - start)
            start = bytes.count
            isInLayer = false
        }
        return true
    }

    func frame(_ time: MediaTime) -> EncodedFrame? {
        guard !isInLayer, !sizes.isEmpty else { return nil }
        let header = VP9KeyframeHeader(bytes[...])
        let isKeyframe = isIntra && header != nil
        var size = isKeyframe ? header?.size : nil
        // Of several layers the first has the keyframe's header, the last the size that is shown.
        if isKeyframe, sizes.count > 1, let shown = structureSize, shown.width > 0, shown.height > 0 { size = shown }
        return EncodedFrame(bytes: superframe, time: time, isKeyframe: isKeyframe, size: size)
    }

    /// With an index at its end (Annex B) when there is more than one layer.
    private var superframe: Bytes {
        guard sizes.count > 1, let longest = sizes.max() else { return bytes }
        let width = max(1, (Int.bitWidth - longest.leadingZeroBitCount + 7) / 8)
        let marker = 0xC0 | UInt8(width - 1) << 3 | UInt8(sizes.count - 1)
        var result = bytes
        result.append(marker)
        for size in sizes {
            for byte in 0..<width { result.append(UInt8(truncatingIfNeeded: size >> (8 * byte))) }
        }
        result.append(marker)
        return result
    }
}

/// The uncompressed header of a keyframe, as far as its size.
struct VP9KeyframeHeader {
    let size: PictureSize

    /// `nil` for any other frame.
    init?(_ bytes: ArraySlice<UInt8>) {
        var bits = BitCursor(bytes)
        guard bits.read(2) == 2 else { return nil }
        let profile = bits.read(1) | bits.read(1) << 1
        if profile == 3, bits.flag() { return nil }
        // Neither an older frame shown again, nor one that refers to others.
        guard !bits.flag(), !bits.flag() else { return nil }
        bits.skip(2)
        guard bits.read(24) == 0x49_8342 else { return nil }
        if profile >= 2 { bits.skip(1) }
        let isRGB = bits.read(3) == 7
        if isRGB {
            guard profile & 1 == 1 else { return nil }
            bits.skip(1)
        } else {
            bits.skip(profile & 1 == 1 ? 4 : 1)
        }
        size = PictureSize(width: bits.read(16) + 1, height: bits.read(16) + 1)
        guard !bits.isExhausted else { return nil }
    }
}
