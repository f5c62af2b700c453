// What the forms have in common: texts with a length, times, and errors that say which form is wrong.

import Base
import Wire

extension ByteReader {
    @_lifetime(self: copy self)
    mutating func readBytes(_ count: Int) throws(WireError) -> Bytes {
        let span = try readSpan(count)
        return span.withUnsafeBytes { Bytes($0) }
    }

    /// UTF-8, and only that: what is compared by bytes must come back as it was.
    @_lifetime(self: copy self)
    mutating func readText(_ count: Int) throws(WireError) -> String {
        let bytes = try readBytes(count)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalid("a text is not UTF-8") }
        return text
    }

    @_lifetime(self: copy self)
    mutating func readTime() throws(WireError) -> Timestamp {
        let time = Int64(bitPattern: try readUInt64())
        guard FormTime.range.contains(time) else { throw .invalid("a time is before 1970 or after 2200") }
        return Timestamp(microsecondsSinceEpoch: time)
    }

    @_lifetime(self: copy self)
    mutating func readID() throws(WireError) -> UUID {
        UUID(high: try readUInt64(), low: try readUInt64())
    }

    @_lifetime(self: copy self)
    mutating func readProtection() throws(WireError) -> Protection {
        let (data, parity) = (Int(try readUInt8()), Int(try readUInt8()))
        guard let protection = Protection(data: data, parity: parity) else { throw .invalid("k and m are not such") }
        return protection
    }

    func requireEnd() throws(WireError) {
        guard isAtEnd else { throw .invalid("bytes follow its end") }
    }
}

enum FormTime {
    /// 1970 to 2200: arithmetic with what lies between does not overflow.
    static let range: ClosedRange<Int64> = 0...7_258_118_400_000_000
    static func clamped(_ time: Timestamp) -> Timestamp {
        Timestamp(
            microsecondsSinceEpoch: min(max(time.microsecondsSinceEpoch, range.lowerBound), range.upperBound))
    }
}

extension Bytes {
    mutating func append(time: Timestamp) {
        append(bigEndian: UInt64(bitPattern: FormTime.clamped(time).microsecondsSinceEpoch))
    }

    mutating func append(id: UUID) {
        append(bigEndian: id.high)
        append(bigEndian: id.low)
    }

    mutating func append(_ protection: Protection) {
        append(UInt8(protection.data))
        append(UInt8(protection.parity))
    }
}

extension WireError {
    /// The same, as an error of the repository.
    func inForm(_ form: String) -> BackupError { .malformed("\(form): \(reason)") }
}

/// Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", 2019).
enum Padding {
    static func length(of count: Int) -> Int {
        guard count > 1 else { return count }
        let exponent = Int.bitWidth - 1 - count.leadingZeroBitCount
        let bits = Int.bitWidth - exponent.leadingZeroBitCount
        let mask = 1 << max(0, exponent - bits) - 1
        return (count + mask) & ~mask
    }
}
