// Identifiers: 128-bit UUIDs, typed by what they name.

import Glibc

/// A UUID (RFC 9562).
package struct UUID: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let high: UInt64
    package let low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Version 7: 48 bits of milliseconds, then random. Rows that are made together lie together in an index.
    package static func timeOrdered(at now: Timestamp) -> UUID {
        // Both words in one call of the kernel: each message is given one of these, and a call is a microsecond.
        var random: (UInt64, UInt64) = (0, 0)
        let code = withUnsafeMutableBytes(of: &random) { bytes in
            bytes.baseAddress.map { getentropy($0, bytes.count) } ?? -1
        }
        if code == 0 { return timeOrdered(at: now, random.0, random.1) }
        var generator = SystemRandomNumberGenerator()
        return timeOrdered(at: now, using: &generator)
    }

    package static func timeOrdered(at now: Timestamp, using generator: inout some RandomNumberGenerator) -> UUID {
        timeOrdered(at: now, generator.next(), generator.next())
    }

    private static func timeOrdered(at now: Timestamp, _ first: UInt64, _ second: UInt64) -> UUID {
        let milliseconds = UInt64(truncatingIfNeeded: now.millisecondsSinceEpoch)
        let high = milliseconds << 16 | 0x7000 | first & 0x0FFF
        let low = second & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return UUID(high: high, low: low)
    }

    /// Version 4: 122 random bits, for what must not tell when it was made.
    package static func random() -> UUID {
        var generator = SystemRandomNumberGenerator()
        let high = generator.next() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000
        let low = generator.next() & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
        return UUID(high: high, low: low)
    }

    /// Sixteen bytes in network order; `nil` for any other count.
    package init?(_ bytes: Bytes) {
        guard bytes.count == 16 else { return nil }
        var (high, low): (UInt64, UInt64) = (0, 0)
        for index in 0..<8 {
            high = high << 8 | UInt64(bytes[index])
            low = low << 8 | UInt64(bytes[index + 8])
        }
        self.init(high: high, low: low)
    }

    /// Every row that is written has some: one allocation, and no arrays between.
    package var bytes: Bytes {
        Bytes(unsafeUninitializedCapacity: 16) { bytes, count in
            for index in 0..<8 {
                let shift = UInt64(56 - 8 * index)
                bytes[index] = UInt8(truncatingIfNeeded: high >> shift)
                bytes[index + 8] = UInt8(truncatingIfNeeded: low >> shift)
            }
            count = 16
        }
    }

    /// The 32 digits alone, in lower case.
    package var digits: String {
        String(unsafeUninitializedCapacity: 32) { text in
            for index in 0..<32 {
                let word = index < 16 ? high : low
                let value = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * (index & 15))) & 15
                text[index] = value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
            }
            return 32
        }
    }

    /// The 36-character form, in either case; nothing else.
    package init?(_ text: some StringProtocol) {
        var high: UInt64 = 0
        var low: UInt64 = 0
        var position = 0
        for character in text.utf8 {
            switch position {
            case 8, 13, 18, 23:
                guard character == UInt8(ascii: "-") else { return nil }
            case 0..<36:
                guard let digit = Hex.value(of: character) else { return nil }
                if position < 18 { high = high << 4 | UInt64(digit) } else { low = low << 4 | UInt64(digit) }
            default:
                return nil
            }
            position += 1
        }
        guard position == 36 else { return nil }
        self.init(high: high, low: low)
    }

    package var description: String {
        String(unsafeUninitializedCapacity: 36) { text in
            var position = 0
            for word in [high, low] {
                for nibble in 0..<16 {
                    if position == 8 || position == 13 || position == 18 || position == 23 {
                        text[position] = UInt8(ascii: "-")
                        position += 1
                    }
                    let value = UInt8(truncatingIfNeeded: word >> UInt64(60 - 4 * nibble)) & 15
                    text[position] = value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
                    position += 1
                }
            }
            return 36
        }
    }

    package static func < (left: UUID, right: UUID) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// What kind of thing an `Identifier` names. `prefix` is what the documents write before the UUID (`user_…`).
package protocol IdentifierKind: Sendable {
    static var prefix: String { get }
}

/// A UUID that can only be mixed up with others of its own kind.
package struct Identifier<Kind: IdentifierKind>: Hashable, Sendable, Comparable, CustomStringConvertible {
    package let uuid: UUID

    package init(_ uuid: UUID) { self.uuid = uuid }

    /// Accepts the bare UUID and the one with the documents' prefix; writes the bare one.
    package init?(_ text: some StringProtocol) {
        let prefix = Kind.prefix + "_"
        let bare = text.hasPrefix(prefix) ? text.dropFirst(prefix.count) : text[...]
        guard let uuid = UUID(bare) else { return nil }
        self.uuid = uuid
    }

    package static func timeOrdered(at now: Timestamp) -> Self { Self(.timeOrdered(at: now)) }

    package var bytes: Bytes { uuid.bytes }
    package var description: String { uuid.description }

    package static func < (left: Self, right: Self) -> Bool { left.uuid < right.uuid }
}

package enum UserKind: IdentifierKind { package static let prefix = "user" }
package typealias UserID = Identifier<UserKind>

package enum SessionKind: IdentifierKind { package static let prefix = "session" }
package typealias SessionID = Identifier<SessionKind>

package enum APIKeyKind: IdentifierKind { package static let prefix = "key" }
package typealias APIKeyID = Identifier<APIKeyKind>
