// Reading binary formats: big-endian integers off a span of bytes that somebody else owns.
//
// A format is `init(parsing: inout ByteReader) throws(WireError)`. No read goes past the end and none traps; what was
// read stays read when a later read throws, so a caller that wants to try again keeps a copy of the reader.

/// Why bytes from the wire were refused. Small, and thrown typed: a flood of bad packets costs no allocation.
public enum WireError: Error, Equatable, Sendable {
    /// The bytes end before the format does.
    case truncated
    /// The format does not allow this; the sentence says what.
    case invalid(StaticString)

    /// In words, for who wrote what was refused.
    package var reason: String {
        switch self {
        case .truncated: "it ends too early"
        case .invalid(let reason): "\(reason)"
        }
    }

    public static func == (left: WireError, right: WireError) -> Bool {
        switch (left, right) {
        case (.truncated, .truncated): true
        case (.invalid(let one), .invalid(let other)): "\(one)" == "\(other)"
        default: false
        }
    }
}

public struct ByteReader: ~Escapable {
    @usableFromInline let span: RawSpan
    @usableFromInline var position: Int

    @inlinable @_lifetime(copy span)
    public init(_ span: RawSpan) {
        self.span = span
        position = 0
    }

    /// Bytes read so far.
    @inlinable public var offset: Int { position }
    @inlinable public var remaining: Int { span.byteCount &- position }
    @inlinable public var isAtEnd: Bool { position == span.byteCount }

    @inlinable @_lifetime(self: copy self)
    mutating func take(_ count: Int) throws(WireError) -> Int {
        guard count >= 0, count <= remaining else { throw .truncated }
        defer { position &+= count }
        return position
    }

    @inlinable @_lifetime(self: copy self)
    public mutating func readUInt8() throws(WireError) -> UInt8 {
        let start = try take(1)
        return unsafe span.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt8.self)
    }

    @inlinable @_lifetime(self: copy self)
    public mutating func readUInt16() throws(WireError) -> UInt16 {
        let start = try take(2)
        return UInt16(bigEndian: unsafe span.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt16.self))
    }

    @inlinable @_lifetime(self: copy self)
    public mutating func readUInt24() throws(WireError) -> UInt32 {
        UInt32(try readUInt8()) << 16 | UInt32(try readUInt16())
    }

    @inlinable @_lifetime(self: copy self)
    public mutating func readUInt32() throws(WireError) -> UInt32 {
        let start = try take(4)
        return UInt32(bigEndian: unsafe span.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt32.self))
    }

    @inlinable @_lifetime(self: copy self)
    public mutating func readUInt64() throws(WireError) -> UInt64 {
        let start = try take(8)
        return UInt64(bigEndian: unsafe span.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt64.self))
    }

    /// A view of the next bytes; it lives as long as what the reader reads from.
    @inlinable @_lifetime(copy self)
    public mutating func readSpan(_ count: Int) throws(WireError) -> RawSpan {
        let start = try take(count)
        return span.extracting(start..<(start &+ count))
    }

    @inlinable @_lifetime(self: copy self)
    public mutating func skip(_ count: Int) throws(WireError) { _ = try take(count) }
}

extension RawSpan {
    /// The byte at an offset that the caller has checked against `byteCount`; beyond the end it traps.
    @inlinable public func byte(_ offset: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self) }

    @inlinable public func uint16(_ offset: Int) -> UInt16 {
        UInt16(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inlinable public func uint32(_ offset: Int) -> UInt32 {
        UInt32(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
