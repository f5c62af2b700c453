// A second reader of Ogg Opus, by RFC 3533, 6716 and 7845. The checksum goes bit by bit, durations by a table.

import Base

struct OggFault: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

struct OggReader {
    struct Page {
        var flags: UInt8
        var granule: Int64
        var packets: [Bytes]
    }

    private(set) var pages: [Page] = []
    private(set) var serial: UInt64 = 0
    var packets: [Bytes] { pages.flatMap(\.packets) }
    /// Behind the two of the header.
    var sound: [Bytes] { Array(packets.dropFirst(2)) }
    var preSkip: Int { Int(packets[0][10]) | Int(packets[0][11]) << 8 }
    var channels: Int { Int(packets[0][9]) }

    init(_ bytes: Bytes) throws {
        var offset = 0
        var partial: Bytes = []
        while offset < bytes.count { try read(bytes, &offset, &partial) }
        guard partial.isEmpty else { throw OggFault("the last packet does not end") }
        guard packets.count >= 2, packets[0].starts(with: Bytes("OpusHead".utf8)), packets[0].count == 19,
            packets[1].starts(with: Bytes("OpusTags".utf8)), pages[0].packets.count == 1
        else { throw OggFault("not the header of Opus") }
        try checkFlags()
    }

    private mutating func read(_ bytes: Bytes, _ offset: inout Int, _ partial: inout Bytes) throws {
        func little(_ start: Int, _ count: Int) -> UInt64 {
            (0..<count).reduce(0) { $0 | UInt64(bytes[offset + start + $1]) << UInt64(8 * $1) }
        }
        guard offset + 27 <= bytes.count, bytes[offset..<(offset + 4)].elementsEqual("OggS".utf8),
            bytes[offset + 4] == 0
        else { throw OggFault("no page at \(offset)") }
        let flags = bytes[offset + 5]
        if pages.isEmpty { serial = little(14, 4) }
        guard little(14, 4) == serial else { throw OggFault("two serial numbers") }
        guard little(18, 4) == UInt64(pages.count) else { throw OggFault("page \(pages.count) says \(little(18, 4))") }
        let count = Int(bytes[offset + 26])
        guard offset + 27 + count <= bytes.count else { throw OggFault("a page past the end") }
        let lengths = bytes[(offset + 27)..<(offset + 27 + count)]
        let size = lengths.reduce(0) { $0 + Int($1) }
        let end = offset + 27 + count + size
        guard end <= bytes.count else { throw OggFault("a page past the end") }
        var page = Bytes(bytes[offset..<end])
        for index in 22..<26 { page[index] = 0 }
        guard Self.checksum(page) == little(22, 4) else { throw OggFault("a wrong checksum") }
        guard (flags & 1 != 0) == !partial.isEmpty else { throw OggFault("continued, and not so") }
        var packets: [Bytes] = []
        var position = offset + 27 + count
        for length in lengths {
            partial += bytes[position..<(position + Int(length))]
            position += Int(length)
            if length < 255 {
                packets.append(partial)
                partial = []
            }
        }
        pages.append(Page(flags: flags, granule: Int64(bitPattern: little(6, 8)), packets: packets))
        offset = end
    }

    private func checkFlags() throws {
        for (index, page) in pages.enumerated() {
            guard (page.flags & 2 != 0) == (index == 0) else { throw OggFault("page \(index) begins the stream") }
            guard (page.flags & 4 != 0) == (index == pages.count - 1) else { throw OggFault("page \(index) ends it") }
        }
    }

    /// Every granule position is the samples of the packets until there; the last page may be cut.
    func checkGranules() throws {
        var samples = 0
        for (index, page) in pages.enumerated().dropFirst(2) {
            samples += try page.packets.reduce(0) { $0 + (try Self.samples($1)) }
            let isLast = index == pages.count - 1
            guard page.granule == Int64(samples) || (isLast && page.granule <= Int64(samples)) else {
                throw OggFault("page \(index) says \(page.granule), its packets \(samples)")
            }
        }
    }

    /// RFC 6716 §3.1, table 2.
    static func samples(_ packet: Bytes) throws -> Int {
        guard let head = packet.first else { throw OggFault("an empty packet") }
        let tenths = [
            100, 200, 400, 600, 100, 200, 400, 600, 100, 200, 400, 600, 100, 200, 100, 200, 25, 50, 100, 200, 25, 50,
            100, 200, 25, 50, 100, 200, 25, 50, 100, 200,
        ][Int(head / 8)]
        let frames = head % 4 == 0 ? 1 : head % 4 == 3 ? Int(packet[1] % 64) : 2
        return tenths * frames * 48 / 10
    }

    private static func checksum(_ bytes: Bytes) -> UInt64 {
        var value: UInt64 = 0
        for byte in bytes {
            value ^= UInt64(byte) << 24
            for _ in 0..<8 {
                value = value & 0x8000_0000 != 0 ? (value << 1 ^ 0x1_04C1_1DB7) & 0xFFFF_FFFF : value << 1
            }
        }
        return value
    }
}
