// CRC-32 as Ethernet and zip have it, for STUN's FINGERPRINT (RFC 8489 §14.7). Eight bytes a step: byte by byte it
// would cost as much as the HMAC of the same message.

enum CRC32 {
    private static let polynomial: UInt32 = 0xEDB8_8320

    /// Eight tables of 256 words; table `n` is the effect of a byte that `n` more bytes follow.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : value >> 1 ^ polynomial }
            tables[byte] = value
        }
        for index in 256..<tables.count {
            let before = tables[index - 256]
            tables[index] = before >> 8 ^ tables[Int(before & 0xFF)]
        }
        return tables
    }()

    static func checksum(_ span: RawSpan) -> UInt32 {
        let tables = tables
        var sum = UInt32.max
        var offset = 0
        while span.byteCount &- offset >= 8 {
            // The helpers read big-endian; the sum goes by the least significant byte first.
            let first = span.uint32(offset).byteSwapped ^ sum
            let second = span.uint32(offset &+ 4).byteSwapped
            sum = tables[1_792 &+ Int(first & 0xFF)] ^ tables[1_536 &+ Int(first >> 8 & 0xFF)]
            sum ^= tables[1_280 &+ Int(first >> 16 & 0xFF)] ^ tables[1_024 &+ Int(first >> 24)]
            sum ^= tables[768 &+ Int(second & 0xFF)] ^ tables[512 &+ Int(second >> 8 & 0xFF)]
            sum ^= tables[256 &+ Int(second >> 16 & 0xFF)] ^ tables[Int(second >> 24)]
            offset &+= 8
        }
        while offset < span.byteCount {
            sum = sum >> 8 ^ tables[Int(UInt8(truncatingIfNeeded: sum) ^ span.byte(offset))]
            offset &+= 1
        }
        return ~sum
    }
}
