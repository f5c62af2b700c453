import Base
import Testing

@testable import Wire

@Suite struct ChannelDataTests {
    private static let rows: [JSONValue] = {
        let bytes = VectorFolder("stun").bytes(of: "channeldata.json")
        return (try? JSONValue(parsing: bytes, limits: JSONLimits(depth: 16, values: 10_000)))?.arrayValue ?? []
    }()

    @Test func `ChannelData of browsers and pion is read and written`() throws {
        try #require(Self.rows.count == 10)
        for row in Self.rows {
            let bytes = Hex.decode(row["hex"]?.stringValue ?? "") ?? []
            let parsed = try ChannelData(parsing: bytes.span.bytes)
            #expect("0x" + String(parsed.channel.rawValue, radix: 16) == row["channel"]?.stringValue)
            #expect(Bytes(bytes[parsed.data]) == Hex.decode(row["data"]?.stringValue ?? ""))
            #expect(bytes.count - parsed.data.upperBound == row["padding"]?.integerValue.map { Int($0) })
            var copy = bytes
            var span = copy.mutableSpan
            var raw = span.mutableBytes
            parsed.writeHeader(into: &raw)
            #expect(copy == bytes)
        }
    }

    @Test func `other numbers and short messages are refused`() {
        for first: UInt16 in [0, 0x3FFF, 0x5000, 0xFFFF] { #expect(ChannelNumber(rawValue: first) == nil) }
        for bytes in [[], [0x40], [0x40, 0, 0], [0x40, 0, 0, 1], [0x4F, 0xFF, 0xFF, 0xFF, 1], [0x50, 0, 0, 0]]
            as [Bytes]
        {
            #expect(throws: WireError.self) { try ChannelData(parsing: bytes.span.bytes) }
        }
    }

    // MARK: Streams

    private func messages(_ stream: Bytes, chunk size: Int, limit: Int = 4_096) throws(WireError) -> [Bytes] {
        var deframer = TURNDeframer(limit: limit)
        var messages: [Bytes] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            let chunk = stream.span.bytes.extracting(start..<min(stream.count, start + size))
            var offset = 0
            chunk: while true {
                switch try deframer.next(in: chunk, from: &offset) {
                case .message(let range): messages.append(copy(chunk.extracting(range)))
                case .assembled: messages.append(copy(deframer.assembled))
                case .needsMore: break chunk
                }
            }
            #expect(offset == chunk.byteCount && deframer.heldCount <= limit)
        }
        return messages
    }

    private func copy(_ span: RawSpan) -> Bytes {
        var bytes: Bytes = []
        bytes.append(span)
        return bytes
    }

    @Test(arguments: [1, 2, 3, 5, 7, 64, 1_500, 100_000])
    func `messages survive any chunks`(size: Int) throws {
        var writer = STUNWriter()
        writer.begin(.request, .allocate, STUNTransactionID(1, 2))
        writer.add(.requestedTransport, UInt32(17) << 24)
        var expected: [Bytes] = []
        var stream: Bytes = []
        for length in [0, 1, 2, 3, 4, 500, 3_000, 1] {
            let data = Bytes(repeating: UInt8(truncatingIfNeeded: length), count: length)
            expected += [writer.bytes, [0x4A, 0xBC, UInt8(length >> 8), UInt8(length & 0xFF)] + data]
            stream += expected[expected.count - 2] + expected[expected.count - 1]
            stream += Bytes(repeating: 0xEE, count: -length & 3)
        }
        #expect(try messages(stream, chunk: size) == expected)
    }

    /// What Chromium and Firefox sent to coturn over TCP.
    @Test(arguments: [1, 11, 1_460]) func `the streams of browsers are cut as they were written`(size: Int) throws {
        let bytes = VectorFolder("stun").bytes(of: "turn-sessions.json")
        let rows = try JSONValue(parsing: bytes, limits: JSONLimits(depth: 16, values: 100_000)).arrayValue ?? []
        var streams = 0
        for row in rows {
            guard let stream = Hex.decode(row["client_tcp_bytes_first_2500"]?.stringValue ?? ""), !stream.isEmpty else {
                continue
            }
            streams += 1
            let sent = (row["messages"]?.arrayValue ?? []).filter { $0["direction"]?.stringValue == "client->server" }
                .map { Hex.decode($0["hex"]?.stringValue ?? "") ?? [] }
            let cut = try messages(stream, chunk: size)
            #expect(cut.count >= 5)
            for (ours, theirs) in zip(cut, sent) { #expect(theirs.starts(with: ours)) }
        }
        #expect(streams == 2)
    }

    @Test func `numbers of RFC 5766 begin a message where they are asked for`() throws {
        let bytes: Bytes = [0x7F, 0xFE, 0, 1, 9, 0, 0, 0]
        var offset = 0
        var deframer = TURNDeframer(takesOldChannels: true)
        #expect(try deframer.next(in: bytes.span.bytes, from: &offset) == .message(0..<5))
        #expect(offset == 8)
    }

    @Test func `a stream of something else ends`() {
        for bytes in [
            Bytes("GET / HTTP/1.1\r\n\r\n".utf8), [0x16, 3, 1, 2], [0x50, 0, 0, 0], [0, 1, 0, 3], [0xFF, 1, 1, 1],
        ] {
            #expect(throws: WireError.self) { try messages(bytes, chunk: 1) }
            #expect(throws: WireError.self) { try messages(bytes, chunk: 100) }
        }
        #expect(throws: WireError.self) { try messages([0x40, 0, 0x10, 0], chunk: 4, limit: 4_096) }
        #expect(throws: WireError.self) { try messages([0, 1, 0x0F, 0xF0], chunk: 1, limit: 4_096) }
    }
}
