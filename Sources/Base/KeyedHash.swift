// A hash for tables whose keys strangers choose: under a random key nobody can tell which ones collide.

/// SipHash-1-3 of words: one round a word and three at the end, as in Swift's own hasher, without a `Hasher`.
@frozen
public struct KeyedHash: Sendable {
    @usableFromInline let key: (UInt64, UInt64)

    @inlinable public init(seed: (UInt64, UInt64)) { key = seed }

    @frozen @usableFromInline struct State {
        @usableFromInline var v0: UInt64
        @usableFromInline var v1: UInt64
        @usableFromInline var v2: UInt64
        @usableFromInline var v3: UInt64

        @inlinable @inline(__always) init(_ key: (UInt64, UInt64)) {
            v0 = key.0 ^ 0x736F_6D65_7073_6575
            v1 = key.1 ^ 0x646F_7261_6E64_6F6D
            v2 = key.0 ^ 0x6C79_6765_6E65_7261
            v3 = key.1 ^ 0x7465_6462_7974_6573
        }

        @inlinable @inline(__always) mutating func round() {
            v0 &+= v1
            v1 = v1 << 13 | v1 >> 51
            v1 ^= v0
            v0 = v0 << 32 | v0 >> 32
            v2 &+= v3
            v3 = v3 << 16 | v3 >> 48
            v3 ^= v2
            v0 &+= v3
            v3 = v3 << 21 | v3 >> 43
            v3 ^= v0
            v2 &+= v1
            v1 = v1 << 17 | v1 >> 47
            v1 ^= v2
            v2 = v2 << 32 | v2 >> 32
        }

        @inlinable @inline(__always) mutating func absorb(_ word: UInt64) {
            v3 ^= word
            round()
            v0 ^= word
        }

        @inlinable @inline(__always) mutating func finish() -> UInt64 {
            v2 ^= 0xFF
            round()
            round()
            round()
            return v0 ^ v1 ^ v2 ^ v3
        }
    }

    @inlinable @inline(__always) public func callAsFunction(_ word: UInt64) -> UInt64 {
        var state = State(key)
        state.absorb(word)
        return state.finish()
    }

    @inlinable @inline(__always)
    public func callAsFunction(_ one: UInt64, _ two: UInt64, _ three: UInt64) -> UInt64 {
        var state = State(key)
        state.absorb(one)
        state.absorb(two)
        state.absorb(three)
        return state.finish()
    }

    /// Eight bytes to a word, the most significant first; the rest, and the count behind it.
    @inlinable public func callAsFunction(_ bytes: RawSpan) -> UInt64 {
        var state = State(key)
        var word: UInt64 = 0
        for offset in 0..<bytes.byteCount {
            word = word << 8 | UInt64(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            if offset & 7 == 7 {
                state.absorb(word)
                word = 0
            }
        }
        state.absorb(word)
        state.absorb(UInt64(bytes.byteCount))
        return state.finish()
    }
}
