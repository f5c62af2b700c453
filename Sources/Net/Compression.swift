// zlib: gzip for HTTP bodies, raw deflate for WebSocket messages (RFC 1951, 1952, 7692 §7.2).
//
// A stream's state is large (about 268 KB to compress, 48 KB to decompress), so nobody keeps one while nothing
// happens: WebSockets borrow one from `CompressionPool` for one message and hand it back.

package import Base
import CZlib

package enum CompressionFormat: Sendable, Hashable {
    /// Without header and checksum. `windowBits` from 9 to 15: how far back, as a power of two, matches may reach.
    case raw(windowBits: Int)
    case gzip

    package static let raw = CompressionFormat.raw(windowBits: 15)

    /// zlib's encoding of the same: negative for raw, 16 more for gzip.
    fileprivate var windowBits: Int32 {
        switch self {
        case .raw(let bits): -Int32(min(max(bits, 9), 15))
        case .gzip: 15 + 16
        }
    }
}

package enum DecompressionError: Error, Equatable {
    /// More output than the caller allows: a decompression bomb, or just too much.
    case tooLarge(limit: Int)
    case malformed
    case noMemory
}

/// Output is produced in pieces of this size: a larger one saves calls, a smaller one saves memory.
private let pieceSize = 16 << 10

/// Compresses one stream, or one after another. For one owner at a time.
package final class Deflater {
    package enum Flush: Sendable {
        /// Output when zlib finds it worth while.
        case none
        /// Everything so far comes out, on a byte boundary: four bytes `00 00 FF FF` end it.
        case sync
        /// The end of the stream.
        case finish

        fileprivate var code: Int32 {
            switch self {
            case .none: Z_NO_FLUSH
            case .sync: Z_SYNC_FLUSH
            case .finish: Z_FINISH
            }
        }
    }

    private let stream: UnsafeMutablePointer<z_stream>
    private let piece: UnsafeMutablePointer<UInt8>

    /// `level` from 1 (fast) to 9 (small). `nil` when there is no memory for the state.
    package init?(_ format: CompressionFormat, level: Int = 5) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        piece = .allocate(capacity: pieceSize)
        guard plexi_deflate_init(stream, Int32(min(max(level, 1), 9)), format.windowBits, 8) == Z_OK else {
            return nil  // `deinit` runs: deflateEnd on a state that is not there only says so
        }
    }

    deinit {
        deflateEnd(stream)
        stream.deallocate()
        piece.deallocate()
    }

    package func compress(_ input: Bytes, _ flush: Flush, into output: inout Bytes) {
        input.withUnsafeBufferPointer { input in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.pointee.avail_in = UInt32(input.count)
            repeat {
                stream.pointee.next_out = piece
                stream.pointee.avail_out = UInt32(pieceSize)
                let code = deflate(stream, flush.code)
                precondition(code != Z_STREAM_ERROR, "a finished stream is written to before it was reset")
                output.append(contentsOf: UnsafeBufferPointer(start: piece, count: produced))
            } while stream.pointee.avail_out == 0
        }
    }

    /// Forgets everything: the next input starts a new stream.
    package func reset() { deflateReset(stream) }

    private var produced: Int { pieceSize - Int(stream.pointee.avail_out) }
}

/// Decompresses one stream, or one after another. For one owner at a time.
package final class Inflater {
    package enum Position: Sendable {
        /// Between two blocks of the stream.
        case betweenBlocks
        case withinBlock
        case atEnd
    }

    private let stream: UnsafeMutablePointer<z_stream>
    private let piece: UnsafeMutablePointer<UInt8>

    package init?(_ format: CompressionFormat) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        piece = .allocate(capacity: pieceSize)
        guard plexi_inflate_init(stream, format.windowBits) == Z_OK else { return nil }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        piece.deallocate()
    }

    /// Appends what `input` expands to, and tells where the stream then stands. `output` is never longer than `limit`.
    /// Input after the end of a stream begins a new one, as RFC 7692 §7.2.3.4 and RFC 1952 §2.2 allow.
    package func decompress(
        _ input: Bytes, into output: inout Bytes, limit: Int
    ) throws(DecompressionError) -> Position {
        var failure: DecompressionError?
        var position = Position.withinBlock
        input.withUnsafeBufferPointer { input in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.pointee.avail_in = UInt32(input.count)
            do throws(DecompressionError) {
                position = try run(into: &output, limit: limit)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return position
    }

    package func reset() { inflateReset(stream) }

    private func run(into output: inout Bytes, limit: Int) throws(DecompressionError) -> Position {
        while true {
            stream.pointee.next_out = piece
            stream.pointee.avail_out = UInt32(pieceSize)
            let code = inflate(stream, Z_SYNC_FLUSH)
            let count = pieceSize - Int(stream.pointee.avail_out)
            guard count <= limit - output.count else { throw .tooLarge(limit: limit) }
            output.append(contentsOf: UnsafeBufferPointer(start: piece, count: count))
            switch code {
            case Z_STREAM_END:
                if stream.pointee.avail_in == 0 { return .atEnd }
                inflateReset(stream)
            case Z_OK where stream.pointee.avail_out == 0:
                continue
            case Z_OK, Z_BUF_ERROR:
                return stream.pointee.data_type & 128 != 0 ? .betweenBlocks : .withinBlock
            default:
                throw .malformed
            }
        }
    }
}

/// The compression states that one thread lends out, message by message.
package final class CompressionPool {
    private var deflaters: [Int: Deflater] = [:]
    private var inflater: Inflater?

    package init() {}

    /// The payload of a compressed WebSocket message (RFC 7692 §7.2.1): a sync flush without its last four bytes.
    /// `nil` when it would not be shorter than the message, which is then better sent as it is.
    package func compressMessage(_ payload: Bytes, windowBits: Int = 15) -> Bytes? {
        guard let deflater = deflaters[windowBits] ?? Deflater(.raw(windowBits: windowBits), level: 5) else {
            return nil
        }
        deflaters[windowBits] = deflater
        var output = Bytes()
        output.reserveCapacity(payload.count / 2 + 16)
        deflater.compress(payload, .sync, into: &output)
        deflater.reset()
        output.removeLast(4)
        return output.count < payload.count ? output : nil
    }

    /// What a compressed message says (RFC 7692 §7.2.2).
    package func decompressMessage(_ payload: Bytes, limit: Int) throws(DecompressionError) -> Bytes {
        guard let inflater = inflater ?? Inflater(.raw) else { throw .noMemory }
        self.inflater = inflater
        defer { inflater.reset() }
        var output = Bytes()
        output.reserveCapacity(min(payload.count * 2, limit))
        _ = try inflater.decompress(payload, into: &output, limit: limit)
        let position = try inflater.decompress([0, 0, 0xFF, 0xFF], into: &output, limit: limit)
        guard position != .withinBlock else { throw .malformed }
        return output
    }

    /// Gives the memory back; the next message pays for new states.
    package func removeAll() {
        deflaters.removeAll()
        inflater = nil
    }
}
