// Temporal units of AV1 (RTP Payload Format for AV1 §4; AV1 bitstream §5; AV1 in Matroska). OBUs come without their
// sizes, cut over packets; they leave with them, and without those that say nothing in a file.

import Base
import Wire

struct AV1Assembly {
    private enum Kind {
        static let sequenceHeader: UInt8 = 1
        static let temporalDelimiter: UInt8 = 2
        static let frameHeader: UInt8 = 3
        static let frame: UInt8 = 6
        static let tileList: UInt8 = 8
        static let padding: UInt8 = 15
    }

    /// Elements of one packet. Senders put whole small OBUs together, of which a picture has few.
    static let elementsMax = 64

    private var unit: Bytes = []
    /// An OBU whose rest is in the next packet.
    private var pending: Bytes?
    private var sequence: AV1SequenceHeader?
    private var startsWithKey: Bool?

    var count: Int { unit.count + (pending?.count ?? 0) }

    mutating func add(_ payload: Bytes) -> Bool {
        guard let head = payload.first, let elements = Self.elements(payload) else { return false }
        let continues = head & 0x80 != 0
        guard continues == (pending != nil) else { return false }
        let isContinued = head & 0x40 != 0
        for (index, element) in elements.enumerated() {
            var obu = Bytes(payload[element])
            if index == 0, let begun = pending {
                obu = begun + obu
                pending = nil
            }
            if index == elements.count - 1 && isContinued {
                pending = obu
            } else if !append(obu) {
                return false
            }
        }
        return true
    }

    private static func elements(_ payload: Bytes) -> [Range<Int>]? {
        guard (try? AV1Payload(parsing: payload.span.bytes)) != nil else { return nil }
        var elements: [Range<Int>] = []
        let count = Int(payload[0] >> 4 & 3)
        var offset = 1
        while offset < payload.count {
            guard elements.count < elementsMax else { return nil }
            var size = payload.count - offset
            if count == 0 || elements.count < count - 1 {
                guard let (value, next) = leb128(payload[...], offset) else { return nil }
                (size, offset) = (value, next)
            }
            guard size <= payload.count - offset else { return nil }
            elements.append(offset..<(offset + size))
            offset += size
        }
        return elements
    }

    /// Four bytes are 28 bits: more than a frame may have.
    static func leb128(_ bytes: ArraySlice<UInt8>, _ start: Int) -> (Int, next: Int)? {
        var value = 0
        for index in 0..<4 {
            guard start + index < bytes.endIndex else { return nil }
            let byte = bytes[start + index]
            value |= Int(byte & 0x7F) << (7 * index)
            if byte & 0x80 == 0 { return (value, start + index + 1) }
        }
        return nil
    }

    /// False for what is no OBU.
    private mutating func append(_ obu: Bytes) -> Bool {
        // A sender may leave an element empty.
        guard let head = obu.first else { return true }
        guard head & 0x80 == 0 else { return false }
        let hasExtension = head & 0x04 != 0
        var start = hasExtension ? 2 : 1
        guard obu.count >= start else { return false }
        var end = obu.count
        if head & 0x02 != 0 {
            guard let (size, next) = Self.leb128(obu[...], start), size <= obu.count - next else { return false }
            (start, end) = (next, next + size)
        }
        let kind = head >> 3 & 0x0F
        let body = obu[start..<end]
        switch kind {
        case Kind.temporalDelimiter, Kind.tileList, Kind.padding: return true
        case Kind.sequenceHeader:
            guard let header = AV1SequenceHeader(body) else { return false }
            sequence = header
        case Kind.frame, Kind.frameHeader:
            if startsWithKey == nil { startsWithKey = Self.isShownKey(body, sequence) }
        default: break
        }
        unit.append(head | 0x02)
        if hasExtension { unit.append(obu[1]) }
        Self.append(leb128: body.count, to: &unit)
        unit += body
        return true
    }

    private static func isShownKey(_ body: ArraySlice<UInt8>, _ sequence: AV1SequenceHeader?) -> Bool {
        guard let sequence, let first = body.first else { return false }
        if sequence.isReducedStill { return true }
        // show_existing_frame 0, frame_type 0, show_frame 1.
        return first & 0xF0 == 0x10
    }

    static func append(leb128 value: Int, to bytes: inout Bytes) {
        var left = value
        while left > 0x7F {
            bytes.append(UInt8(truncatingIfNeeded: left & 0x7F) | 0x80)
            left >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: left))
    }

    func frame(_ time: MediaTime) -> EncodedFrame? {
        guard pending == nil, !unit.isEmpty, startsWithKey != nil else { return nil }
        let isKeyframe = startsWithKey == true
        return EncodedFrame(bytes: unit, time: time, isKeyframe: isKeyframe, size: isKeyframe ? sequence?.size : nil)
    }
}

/// AV1 §5.5, to the last field that a file's header repeats.
struct AV1SequenceHeader {
    private(set) var profile = 0
    private(set) var level = 0
    private(set) var tier = 0
    private(set) var isReducedStill = false
    private(set) var size = PictureSize(width: 1, height: 1)
    private(set) var isHighBitDepth = false
    private(set) var isTwelveBit = false
    private(set) var isMonochrome = false
    private(set) var subsamplingX = true
    private(set) var subsamplingY = true
    private(set) var samplePosition = 0

    init?(_ body: ArraySlice<UInt8>) {
        var bits = BitCursor(body)
        profile = bits.read(3)
        bits.skip(1)
        isReducedStill = bits.flag()
        if isReducedStill { level = bits.read(5) } else { readOperatingPoints(&bits) }
        let widthBits = bits.read(4) + 1
        let heightBits = bits.read(4) + 1
        size = PictureSize(width: bits.read(widthBits) + 1, height: bits.read(heightBits) + 1)
        readTools(&bits)
        readColour(&bits)
        guard !bits.isExhausted, profile < 3 else { return nil }
    }

    private mutating func readOperatingPoints(_ bits: inout BitCursor) {
        var delayBits = 0
        if bits.flag() {
            bits.skip(64)
            if bits.flag() { _ = bits.variable() }
            if bits.flag() {
                delayBits = bits.read(5) + 1
                bits.skip(32 + 5 + 5)
            }
        }
        let hasDisplayDelay = bits.flag()
        for point in 0...bits.read(5) {
            bits.skip(12)
            let pointLevel = bits.read(5)
            let pointTier = pointLevel > 7 ? bits.read(1) : 0
            // The first is the one with all layers.
            if point == 0 { (level, tier) = (pointLevel, pointTier) }
            if delayBits > 0, bits.flag() { bits.skip(2 * delayBits + 1) }
            if hasDisplayDelay, bits.flag() { bits.skip(4) }
        }
    }

    private func readTools(_ bits: inout BitCursor) {
        if !isReducedStill, bits.flag() { bits.skip(4 + 3) }
        bits.skip(3)
        if !isReducedStill {
            bits.skip(4)
            let hasOrder = bits.flag()
            if hasOrder { bits.skip(2) }
            let forcesScreen = bits.flag() ? 2 : bits.read(1)
            if forcesScreen > 0, !bits.flag() { bits.skip(1) }
            if hasOrder { bits.skip(3) }
        }
        bits.skip(3)
    }

    private mutating func readColour(_ bits: inout BitCursor) {
        isHighBitDepth = bits.flag()
        if profile == 2 && isHighBitDepth { isTwelveBit = bits.flag() }
        isMonochrome = profile == 1 ? false : bits.flag()
        var description = [2, 2, 2]
        if bits.flag() { description = [bits.read(8), bits.read(8), bits.read(8)] }
        if isMonochrome {
            bits.skip(1)
            return
        }
        if description == [1, 13, 0] {
            (subsamplingX, subsamplingY) = (false, false)
            return
        }
        bits.skip(1)
        switch profile {
        case 0: break
        case 1: (subsamplingX, subsamplingY) = (false, false)
        default:
            subsamplingX = isTwelveBit ? bits.flag() : true
            subsamplingY = isTwelveBit && subsamplingX ? bits.flag() : false
        }
        if subsamplingX && subsamplingY { samplePosition = bits.read(2) }
    }

    /// AV1CodecConfigurationRecord, with the sequence header that it was made of.
    static func configuration(_ temporalUnit: Bytes) -> Bytes? {
        var offset = 0
        // Units of ours: every OBU has its size.
        while offset < temporalUnit.count {
            let head = temporalUnit[offset]
            let start = offset + (head & 0x04 != 0 ? 2 : 1)
            guard let (size, next) = AV1Assembly.leb128(temporalUnit[...], start), size <= temporalUnit.count - next
            else { return nil }
            if head >> 3 & 0x0F == 1, let header = AV1SequenceHeader(temporalUnit[next..<(next + size)]) {
                return header.record + temporalUnit[offset..<(next + size)]
            }
            offset = next + size
        }
        return nil
    }

    private var record: Bytes {
        let flags = [tier == 1, isHighBitDepth, isTwelveBit, isMonochrome, subsamplingX, subsamplingY]
        let third = flags.reduce(UInt8(0)) { $0 << 1 | ($1 ? 1 : 0) } << 2 | UInt8(samplePosition)
        return [0x81, UInt8(profile) << 5 | UInt8(level), third, 0]
    }
}
