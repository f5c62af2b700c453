// One block, as small as Zstandard makes it, or as it is.

import Base
import CZstd

/// A compressor with its working memory. Keeping it saves an allocation of a megabyte per block.
///
/// `@unchecked`: whoever took it from the pool is alone with it until it is given back.
final class BlockCompressor: @unchecked Sendable {
    /// Level 1: 3 saves about a twentieth more of text and pages for nearly twice the time.
    static let level: Int32 = 1

    private let context: OpaquePointer
    private let room: UnsafeMutableRawBufferPointer

    init() {
        guard let context = ZSTD_createCCtx() else { fatalError("ZSTD_createCCtx: out of memory") }
        self.context = context
        room = .allocate(byteCount: ZSTD_compressBound(BackupLimits.block), alignment: 64)
    }

    deinit {
        ZSTD_freeCCtx(context)
        room.deallocate()
    }

    /// `nil` when nothing is saved.
    func compress(_ block: Bytes) -> Bytes? {
        let count = ZSTD_compressCCtx(
            context, room.baseAddress, room.count, block, block.count, Self.level)
        guard ZSTD_isError(count) == 0, count < block.count else { return nil }
        return Bytes(room[..<count])
    }
}

enum BlockDecoder {
    /// Exactly `count` bytes, or `nil`: a frame that has more, fewer, or is none.
    static func decompress(_ stored: UnsafeRawBufferPointer, count: Int) -> Bytes? {
        var isWhole = false
        let block = Bytes(unsafeUninitializedCapacity: count) { buffer, initialized in
            let got = ZSTD_decompress(buffer.baseAddress, count, stored.baseAddress, stored.count)
            isWhole = ZSTD_isError(got) == 0 && got == count
            initialized = isWhole ? count : 0
        }
        return isWhole ? block : nil
    }
}
