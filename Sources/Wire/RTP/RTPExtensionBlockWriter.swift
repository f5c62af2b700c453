// Writing an RTP header extension (RFC 8285 §4) into a packet that is being made. Public and inlinable: it runs once
// per packet and subscriber, in another target.

/// What the first 16 bits of a header extension say.
public enum RTPExtensionProfile {
    public static let oneByte: UInt16 = 0xBEDE
    /// The lower four bits are the application's; we write zeros and read any.
    public static let twoByte: UInt16 = 0x1000
}

/// Writes one block: make it, `append` the elements, `finish`. It holds positions only and is handed the span each time,
/// so it can lie beside the packet.
///
/// The form is given up front, for it cannot change later: two bytes when a number is above 14 or an element may be
/// empty or longer than 16 bytes, and only with a peer that has agreed to `extmap-allow-mixed` or to such numbers.
public struct RTPExtensionBlockWriter {
    /// Bytes that announce the block.
    public static let prefixLength = 4
    /// The longest element of the one-byte form.
    public static let oneByteFormLimit = 16

    @usableFromInline let start: Int
    @usableFromInline let usesTwoBytes: Bool
    /// Where the next element goes.
    public var end: Int { @inlinable get { position } }
    @usableFromInline var position: Int

    /// At an offset, which is the packet's length without extension. No byte is written before the first element.
    @inlinable public init(at offset: Int, twoByteForm: Bool) {
        start = offset
        usesTwoBytes = twoByteForm
        position = offset &+ Self.prefixLength
    }

    /// Whether no element has been written.
    @inlinable public var isEmpty: Bool { position == start &+ Self.prefixLength }

    /// Writes the head of an element and gives the place of its data; nil when the number or the length has no place in
    /// this form, or the span has no room for it and the padding after it.
    @inlinable @_lifetime(span: copy span)
    mutating func begin(_ id: UInt8, _ length: Int, _ span: inout MutableRawSpan) -> Int? {
        guard length >= 0, id != 0 else { return nil }
        if usesTwoBytes {
            guard length <= 255, position &+ 2 &+ length &+ 3 <= span.byteCount else { return nil }
            span.store(id, at: position)
            span.store(UInt8(truncatingIfNeeded: length), at: position &+ 1)
            position &+= 2 &+ length
        } else {
            guard id < 15, length >= 1, length <= Self.oneByteFormLimit, position &+ 1 &+ length &+ 3 <= span.byteCount
            else { return nil }
            span.store(id << 4 | UInt8(truncatingIfNeeded: length &- 1), at: position)
            position &+= 1 &+ length
        }
        return position &- length
    }

    /// False, and the element is left out, when it does not fit; so for all of these.
    @inlinable @discardableResult @_lifetime(span: copy span)
    public mutating func append(id: UInt8, uint8 value: UInt8, into span: inout MutableRawSpan) -> Bool {
        guard let place = begin(id, 1, &span) else { return false }
        span.store(value, at: place)
        return true
    }

    @inlinable @discardableResult @_lifetime(span: copy span)
    public mutating func append(id: UInt8, uint16 value: UInt16, into span: inout MutableRawSpan) -> Bool {
        guard let place = begin(id, 2, &span) else { return false }
        span.store(bigEndian: value, at: place)
        return true
    }

    @inlinable @discardableResult @_lifetime(span: copy span)
    public mutating func append(id: UInt8, uint24 value: UInt32, into span: inout MutableRawSpan) -> Bool {
        guard let place = begin(id, 3, &span) else { return false }
        span.store(UInt8(truncatingIfNeeded: value >> 16), at: place)
        span.store(bigEndian: UInt16(truncatingIfNeeded: value), at: place &+ 1)
        return true
    }

    @inlinable @discardableResult @_lifetime(span: copy span)
    public mutating func append(id: UInt8, bytes: RawSpan, into span: inout MutableRawSpan) -> Bool {
        guard let place = begin(id, bytes.byteCount, &span) else { return false }
        for offset in 0..<bytes.byteCount {
            let byte = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
            span.store(byte, at: place &+ offset)
        }
        return true
    }

    /// Pads to four bytes, writes what announces the block, and gives the offset after it, where the payload begins.
    /// Without elements there is no block: the answer is where it would have begun, and the packet's X bit is to be
    /// clear.
    @inlinable @_lifetime(span: copy span)
    public mutating func finish(into span: inout MutableRawSpan) -> Int {
        guard !isEmpty else { return start }
        while (position &- start) & 3 != 0 {
            span.store(0 as UInt8, at: position)
            position &+= 1
        }
        span.store(bigEndian: usesTwoBytes ? RTPExtensionProfile.twoByte : RTPExtensionProfile.oneByte, at: start)
        let words = (position &- start &- Self.prefixLength) >> 2
        span.store(bigEndian: UInt16(truncatingIfNeeded: words), at: start &+ 2)
        return position
    }
}
