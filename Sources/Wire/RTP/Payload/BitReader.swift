// Bit by bit, most significant first: for the dependency descriptor, the one format here that keeps no byte borders.

struct BitReader: ~Escapable {
    private let span: RawSpan
    /// Bits read so far.
    private(set) var position: Int

    @_lifetime(copy span)
    init(_ span: RawSpan) {
        self.span = span
        position = 0
    }

    var remaining: Int { span.byteCount &* 8 &- position }

    /// `f(n)`: an unsigned number of up to 32 bits.
    @_lifetime(self: copy self)
    mutating func read(_ count: Int) throws(WireError) -> UInt32 {
        guard count <= remaining else { throw .truncated }
        var value: UInt32 = 0
        var left = count
        while left > 0 {
            let used = position & 7
            let taken = min(8 &- used, left)
            let byte = UInt32(span.byte(position >> 3))
            value = value << UInt32(taken) | (byte >> UInt32(8 &- used &- taken)) & ((1 << UInt32(taken)) &- 1)
            position &+= taken
            left &-= taken
        }
        return value
    }

    @_lifetime(self: copy self)
    mutating func readFlag() throws(WireError) -> Bool { try read(1) == 1 }

    /// `ns(n)`: a number below `bound`, in as few bits as tell the `bound` values apart.
    @_lifetime(self: copy self)
    mutating func readBelow(_ bound: Int) throws(WireError) -> Int {
        guard bound > 1 else { return 0 }
        let width = Int.bitWidth &- bound.leadingZeroBitCount
        let shorter = (1 << width) &- bound
        let value = Int(try read(width &- 1))
        if value < shorter { return value }
        return value << 1 &- shorter &+ Int(try read(1))
    }
}

/// Writes over bytes that are there. What does not fit is refused, and nothing past the end is touched.
struct BitWriter {
    /// Bits written so far.
    private(set) var position = 0

    mutating func write(_ value: UInt32, _ count: Int, to output: inout MutableRawSpan) throws(WireError) {
        guard count <= output.byteCount &* 8 &- position else { throw .truncated }
        var left = count
        while left > 0 {
            left &-= 1
            let bit = UInt8(truncatingIfNeeded: value >> UInt32(left)) & 1
            let mask = UInt8(0x80) >> UInt8(position & 7)
            let before = position & 7 == 0 ? 0 : output.bytes.byte(position >> 3)
            output.store(bit == 1 ? before | mask : before, at: position >> 3)
            position &+= 1
        }
    }

    /// Copies `range`, counted in bits, of `source`; the caller has read that far.
    mutating func copy(_ range: Range<Int>, of source: RawSpan, to output: inout MutableRawSpan) throws(WireError) {
        var start = range.lowerBound
        while start < range.upperBound {
            let bit = source.byte(start >> 3) >> UInt8(7 &- start & 7) & 1
            try write(UInt32(bit), 1, to: &output)
            start &+= 1
        }
    }
}
