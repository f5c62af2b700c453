// Writing binary formats: big-endian integers onto an array that is kept and emptied between messages, so that a
// writer at work allocates nothing; and into bytes that are already there.

extension Array where Element == UInt8 {
    @inlinable public mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    @inlinable public mutating func append(bigEndian24 value: UInt32) {
        append(UInt8(truncatingIfNeeded: value >> 16))
        append(bigEndian: UInt16(truncatingIfNeeded: value))
    }

    @inlinable public mutating func append(bigEndian value: UInt32) {
        append(bigEndian: UInt16(truncatingIfNeeded: value >> 16))
        append(bigEndian: UInt16(truncatingIfNeeded: value))
    }

    @inlinable public mutating func append(bigEndian value: UInt64) {
        append(bigEndian: UInt32(truncatingIfNeeded: value >> 32))
        append(bigEndian: UInt32(truncatingIfNeeded: value))
    }

    @inlinable public mutating func append(_ span: RawSpan) {
        for offset in 0..<span.byteCount { append(span.byte(offset)) }
    }

    /// Overwrites two bytes that are there: for lengths that are known only at the end.
    @inlinable public mutating func overwrite(bigEndian value: UInt16, at offset: Int) {
        self[offset] = UInt8(truncatingIfNeeded: value >> 8)
        self[offset &+ 1] = UInt8(truncatingIfNeeded: value)
    }
}

extension MutableRawSpan {
    /// The caller has checked the offset; beyond the end these trap.
    @inlinable @_lifetime(self: copy self)
    public mutating func store(_ value: UInt8, at offset: Int) {
        storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
    }

    @inlinable @_lifetime(self: copy self)
    public mutating func store(bigEndian value: UInt16, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt16.self)
    }

    @inlinable @_lifetime(self: copy self)
    public mutating func store(bigEndian value: UInt32, at offset: Int) {
        storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }
}
