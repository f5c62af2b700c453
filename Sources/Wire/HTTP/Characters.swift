// The character classes of HTTP (RFC 9110 §5.6) and of URLs (RFC 3986), as sets of ASCII bytes in two registers:
// a test is a shift and a mask, with no table in memory.

/// A set of ASCII bytes. Bytes from 0x80 on are in no set.
struct ByteSet: Sendable {
    private let low: UInt64
    private let high: UInt64

    init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let word = byte & 0x40 == 0 ? low : high
        return byte < 0x80 && (word &>> UInt64(byte & 0x3F)) & 1 == 1
    }
}

/// The masks are written out so that they are constants in the code; `CharacterTests` compares each with the set of
/// the RFC, spelled in characters.
extension ByteSet {
    /// RFC 9110 §5.6.2: `tchar`, of which field names, methods and most words are made.
    static let token = ByteSet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)

    /// What we take in the path of a request target: visible ASCII without `"` `#` `<` `>` `?` `\`. RFC 3986 leaves
    /// out ``^ ` { | }`` too, but browsers send some of them as they are.
    static let path = ByteSet(low: 0x2FFF_FFF2_0000_0000, high: 0x7FFF_FFFF_EFFF_FFFF)

    /// What we take after the `?`: visible ASCII without `"` `#` `<` `>`.
    static let query = ByteSet(low: 0xAFFF_FFF2_0000_0000, high: 0x7FFF_FFFF_FFFF_FFFF)

    /// RFC 3986 §2.3: what needs no percent-encoding anywhere.
    static let unreserved = ByteSet(low: 0x03FF_6000_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
}

@inline(__always)
func lowercased(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 0x20 : byte }

@inline(__always)
func isDigit(_ byte: UInt8) -> Bool { byte &- 48 < 10 }

/// SP or HTAB: the only white space there is in HTTP.
@inline(__always)
func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

extension Span where Element == UInt8 {
    /// The index of the first control character (below 0x20, or 0x7F) in `range`, or the end of it. Eight bytes at a
    /// time: of the lanes that the subtraction marks, the lowest is always right, and only it is used.
    func firstControl(in range: Range<Int>) -> Int {
        var index = range.lowerBound
        let ones: UInt64 = 0x0101_0101_0101_0101
        while index &+ 8 <= range.upperBound {
            let word = UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self))
            let deletes = word ^ (ones &* 0x7F)
            let marks = ((word &- ones &* 0x20) & ~word | (deletes &- ones) & ~deletes) & (ones &* 0x80)
            if marks != 0 { return index &+ marks.trailingZeroBitCount / 8 }
            index &+= 8
        }
        while index < range.upperBound, self[index] >= 0x20, self[index] != 0x7F { index &+= 1 }
        return index
    }

    /// The text of `range`; bytes that are not UTF-8 become U+FFFD.
    func text(_ range: Range<Int>) -> String {
        unsafe extracting(range).withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// `range` without the white space at both ends.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, isBlank(self[start]) { start &+= 1 }
        while end > start, isBlank(self[end &- 1]) { end &-= 1 }
        return start..<end
    }

    /// Whether `range` holds these bytes; letters in any case. `word` in lower case.
    func matches(_ range: Range<Int>, _ word: StaticString) -> Bool {
        guard range.count == word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { wanted in
            for offset in 0..<wanted.count
            where unsafe lowercased(self[range.lowerBound &+ offset]) != wanted[offset] { return false }
            return true
        }
    }
}
