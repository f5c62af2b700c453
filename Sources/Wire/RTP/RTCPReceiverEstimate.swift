// The receiver's estimate of the bit rate, REMB (draft-alvestrand-rmcat-remb-03 §2.2).
//
//     |                  SSRC of packet sender                        |
//     |                            zero                               |
//     |               'R' 'E' 'M' 'B'                                 |
//     | number of SSRC|  exponent |  mantissa, 18 bits                |
//     |                  SSRC, as often as said                       |

package struct RTCPReceiverEstimate: ~Escapable {
    /// "REMB".
    static let mark: UInt32 = 0x5245_4D42
    /// The number of sources has one byte.
    package static let sourceLimit = 255

    private static let mantissaBits = 18

    package let senderSSRC: SSRC
    /// What does not fit is the largest number.
    package let bitsPerSecond: UInt64
    package let count: Int
    private let body: RawSpan

    @_lifetime(copy packet)
    package init(parsing block: RTCPBlock, in packet: RawSpan) throws(WireError) {
        body = block.body(in: packet)
        guard body.byteCount >= 16 else { throw .truncated }
        guard body.uint32(8) == Self.mark else { throw .invalid("mark of a REMB") }
        count = Int(body.byte(12))
        guard body.byteCount == 16 &+ count &* 4 else { throw .invalid("length of a REMB") }
        senderSSRC = body.uint32(0)
        let value = body.uint32(12) & 0xFF_FFFF
        let mantissa = UInt64(value & 0x3_FFFF)
        let exponent = Int(value >> UInt32(Self.mantissaBits))
        bitsPerSecond = exponent <= mantissa.leadingZeroBitCount || mantissa == 0 ? mantissa << exponent : .max
    }

    package func ssrc(_ index: Int) -> SSRC? {
        index >= 0 && index < count ? body.uint32(16 &+ index &* 4) : nil
    }

    /// The rate is rounded down to 18 significant bits; sources beyond 255 are left out.
    package static func write(
        from sender: SSRC, bitsPerSecond: UInt64, sources: Span<SSRC>, into bytes: inout [UInt8]
    ) {
        let exponent = max(0, UInt64.bitWidth &- bitsPerSecond.leadingZeroBitCount &- mantissaBits)
        let mantissa = UInt32(truncatingIfNeeded: bitsPerSecond >> exponent)
        let count = min(sourceLimit, sources.count)
        let start = RTCPWriting.begin(
            RTCPNumber.payloadSpecificFeedback, RTCPNumber.applicationLayerFeedback, &bytes)
        bytes.append(bigEndian: sender)
        bytes.append(bigEndian: 0 as UInt32)
        bytes.append(bigEndian: mark)
        bytes.append(
            bigEndian: UInt32(truncatingIfNeeded: count) << 24
                | UInt32(truncatingIfNeeded: exponent) << UInt32(mantissaBits) | mantissa)
        for index in 0..<count { bytes.append(bigEndian: sources[index]) }
        RTCPWriting.end(start, &bytes)
    }
}
