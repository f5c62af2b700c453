import Base
import Testing

@testable import Wire

@Suite struct StreamFramingTests {
    /// The frames of a stream that comes in chunks.
    private func frames(_ stream: Bytes, chunk size: Int, limit: Int = 1_536) throws(WireError) -> [Bytes] {
        var deframer = StreamDeframer(limit: limit)
        var frames: [Bytes] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            let chunk = stream.span.bytes.extracting(start..<min(stream.count, start + size))
            var offset = 0
            var isDone = false
            while !isDone {
                switch try deframer.next(in: chunk, from: &offset) {
                case .frame(let range): frames.append(copy(chunk.extracting(range)))
                case .assembled: frames.append(copy(deframer.assembled))
                case .needsMore: isDone = true
                }
            }
            #expect(offset == chunk.byteCount && deframer.heldCount <= limit + 2)
        }
        return frames
    }

    private func copy(_ span: RawSpan) -> Bytes {
        var bytes: Bytes = []
        bytes.append(span)
        return bytes
    }

    @Test(arguments: [1, 2, 3, 5, 100, 1_500, 100_000]) func `frames survive any chunks`(size: Int) throws {
        let packets = [1, 2, 100, 1_400, 3, 1_536, 20].map { Bytes(repeating: UInt8($0 & 0xFF), count: $0) }
        var stream: Bytes = []
        for packet in packets {
            stream.append(framed: packet.span.bytes)
            stream += [0, 0]
        }
        #expect(try frames(stream, chunk: size) == packets)
    }

    @Test(arguments: [1, 2, 64]) func `a frame beyond the bound ends the stream`(size: Int) {
        #expect(throws: WireError.self) { try frames([0, 1, 7, 0xFF, 0xFF, 1, 2], chunk: size) }
        #expect(throws: WireError.self) { try frames([0, 5, 1, 2, 3, 4, 5], chunk: size, limit: 4) }
    }

    @Test func `a chunk of empty frames is nothing`() throws {
        #expect(try frames(Bytes(repeating: 0, count: 65_536), chunk: 65_536).isEmpty)
        #expect(try frames(Bytes(repeating: 0, count: 1_001), chunk: 1).isEmpty)
    }
}
