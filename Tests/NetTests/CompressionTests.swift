import Base
import Testing

@testable import Net

struct CompressionTests {
    private let pool = CompressionPool()
    private let text = Bytes(String(repeating: "all work and no play makes a dull boy; ", count: 500).utf8)

    private func noise(_ count: Int) -> Bytes { (0..<count).map { _ in UInt8.random(in: 0...255) } }

    @Test func `a gzip stream in pieces reads back`() throws {
        let deflater = try #require(Deflater(.gzip))
        var compressed = Bytes()
        for start in stride(from: 0, to: text.count, by: 1_000) {
            deflater.compress(Bytes(text[start..<min(start + 1_000, text.count)]), .none, into: &compressed)
        }
        deflater.compress([], .finish, into: &compressed)
        #expect(compressed.prefix(2) == [0x1F, 0x8B])
        #expect(compressed.count < text.count / 10)
        let inflater = try #require(Inflater(.gzip))
        var output = Bytes()
        var position = Inflater.Position.withinBlock
        for byte in compressed { position = try inflater.decompress([byte], into: &output, limit: .max) }
        #expect(position == .atEnd)
        #expect(output == text)
    }

    @Test func `input larger than a piece comes out whole`() throws {
        let input = noise(100_000)
        let deflater = try #require(Deflater(.gzip))
        var compressed = Bytes()
        deflater.compress(input, .finish, into: &compressed)
        var output = Bytes()
        _ = try Inflater(.gzip)?.decompress(compressed, into: &output, limit: .max)
        #expect(output == input)
    }

    @Test(arguments: [9, 12, 15]) func `messages read back, each on its own`(_ bits: Int) throws {
        for _ in 0..<2 {
            let compressed = try #require(pool.compressMessage(text, windowBits: bits))
            #expect(compressed.count < text.count / 5)
            #expect(try pool.decompressMessage(compressed, limit: text.count) == text)
        }
    }

    @Test func `the example of RFC 7692 reads, with and without a final block`() throws {
        let hello = Bytes("Hello".utf8)
        #expect(try pool.decompressMessage([0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], limit: 5) == hello)
        #expect(try pool.decompressMessage([0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00], limit: 5) == hello)
        #expect(try pool.decompressMessage([0x00, 0x05, 0x00, 0xFA, 0xFF] + hello + [0x00], limit: 5) == hello)
    }

    @Test func `what does not shrink is not compressed`() {
        #expect(pool.compressMessage(noise(1_000)) == nil)
        #expect(pool.compressMessage([]) == nil)
    }

    @Test func `a bomb stops at the limit`() throws {
        let bomb = try #require(pool.compressMessage(Bytes(repeating: 0, count: 50_000_000)))
        #expect(bomb.count < 60_000)
        #expect(throws: DecompressionError.tooLarge(limit: 65_536)) {
            try pool.decompressMessage(bomb, limit: 65_536)
        }
        #expect(throws: DecompressionError.tooLarge(limit: 4)) {
            try pool.decompressMessage([0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], limit: 4)
        }
    }

    @Test func `a cut message is malformed, and the next one is not harmed`() throws {
        let compressed = try #require(pool.compressMessage(text))
        for end in 1..<compressed.count - 1 {
            #expect(throws: DecompressionError.self) {
                try pool.decompressMessage(Bytes(compressed[..<end]), limit: text.count)
            }
        }
        #expect(try pool.decompressMessage(compressed, limit: text.count) == text)
    }

    @Test func `noise never traps`() {
        for _ in 0..<5_000 {
            _ = try? pool.decompressMessage(noise(Int.random(in: 0...64)), limit: 10_000)
        }
    }
}
