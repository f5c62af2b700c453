// IP addresses and networks as values: for trusted proxies, rate limits and lists of who may connect.

package import Base

/// An IPv4 or IPv6 address. An IPv4 address in IPv6 clothing (`::ffff:192.0.2.1`, as dual-stack sockets show it) is
/// the IPv4 address: one client has one value, whichever socket it came by.
package struct IPAddress: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64
    package let isV6: Bool

    private static let mappedPrefix: UInt64 = 0xFFFF

    package init(v4 bits: UInt32) {
        high = 0
        low = UInt64(bits)
        isV6 = false
    }

    package init(v6 high: UInt64, _ low: UInt64) {
        if high == 0, low >> 32 == Self.mappedPrefix {
            self.init(v4: UInt32(truncatingIfNeeded: low))
        } else {
            self.init(unmapped: high, low)
        }
    }

    /// The address as numbers, for formats and hashes that must not allocate. An IPv4 address is the low 32 bits.
    package var words: (high: UInt64, low: UInt64) { (high, low) }

    /// 4 or 16 bytes in network order.
    package init?(bytes: Bytes) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        let words = bytes.indices.reduce(into: (high: UInt64(0), low: UInt64(0))) { words, index in
            words.high = words.high << 8 | words.low >> 56
            words.low = words.low << 8 | UInt64(bytes[index])
        }
        if bytes.count == 4 {
            self.init(v4: UInt32(truncatingIfNeeded: words.low))
        } else {
            self.init(v6: words.high, words.low)
        }
    }

    /// 4 or 16 bytes in network order.
    package var bytes: Bytes {
        let all = (0..<16).map { index in
            UInt8(truncatingIfNeeded: (index < 8 ? high : low) >> UInt64(56 - index % 8 * 8))
        }
        return isV6 ? all : Bytes(all.suffix(4))
    }

    /// 127.0.0.0/8 and ::1.
    package var isLoopback: Bool { isV6 ? high == 0 && low == 1 : low >> 24 == 127 }

    var bitWidth: Int { isV6 ? 128 : 32 }

    /// The first `count` bits, the others 0.
    func prefix(_ count: Int) -> IPAddress {
        func mask(_ bits: Int) -> UInt64 { bits <= 0 ? 0 : bits >= 64 ? .max : ~(.max >> UInt64(bits)) }
        guard isV6 else { return IPAddress(v4: UInt32(truncatingIfNeeded: low & mask(count) >> 32)) }
        return IPAddress(unmapped: high & mask(count), low & mask(count - 64))
    }

    private init(unmapped high: UInt64, _ low: UInt64) {
        self.high = high
        self.low = low
        isV6 = true
    }
}

// MARK: - Text

extension IPAddress: CustomStringConvertible {
    /// `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`.
    static let longestText = 45

    /// Dotted decimal without leading zeros, or the forms of RFC 4291 §2.2. No brackets, no zone, no port.
    package init?(_ text: String) {
        guard text.utf8.count <= Self.longestText else { return nil }
        let bytes = Bytes(text.utf8)
        if bytes.contains(0x3A) {
            guard let address = Self.parseV6(bytes) else { return nil }
            self = address
        } else {
            guard let bits = Self.parseV4(bytes[...]) else { return nil }
            self.init(v4: bits)
        }
    }

    private static func parseV4(_ text: ArraySlice<UInt8>) -> UInt32? {
        let parts = text.split(separator: 0x2E, omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bits: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy(isDigit), part.count == 1 || part.first != 0x30 else {
                return nil
            }
            let value = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 48) }
            guard value < 256 else { return nil }
            bits = bits << 8 | value
        }
        return bits
    }

    private static func parseV6(_ text: Bytes) -> IPAddress? {
        guard let gap = firstGap(text) else {
            guard let groups = groups(text[...]), groups.count == 8 else { return nil }
            return IPAddress(groups: groups)
        }
        guard let front = groups(text[..<gap]), let back = groups(text[(gap + 2)...]) else { return nil }
        // The gap stands for one group at least.
        guard front.count + back.count < 8, !text[..<gap].contains(0x2E) else { return nil }
        return IPAddress(groups: front + Array(repeating: 0, count: 8 - front.count - back.count) + back)
    }

    private static func firstGap(_ text: Bytes) -> Int? {
        text.indices.dropLast().first { text[$0] == 0x3A && text[$0 + 1] == 0x3A }
    }

    /// Groups between single colons; the last may be an IPv4 address, which makes two groups.
    private static func groups(_ text: ArraySlice<UInt8>) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        let parts = text.split(separator: 0x3A, omittingEmptySubsequences: false)
        guard parts.count <= 8 else { return nil }
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains(0x2E) {
                guard let bits = parseV4(part) else { return nil }
                groups += [UInt16(bits >> 16), UInt16(truncatingIfNeeded: bits)]
            } else {
                guard (1...4).contains(part.count) else { return nil }
                var value: UInt16 = 0
                for byte in part {
                    guard let digit = Hex.value(of: byte) else { return nil }
                    value = value << 4 | UInt16(digit)
                }
                groups.append(value)
            }
        }
        return groups.count <= 8 ? groups : nil
    }

    private init(groups: [UInt16]) {
        let words = groups.map(UInt64.init)
        self.init(
            v6: words.prefix(4).reduce(0) { $0 << 16 | $1 }, words.suffix(4).reduce(0) { $0 << 16 | $1 })
    }

    /// RFC 5952: lower case, no leading zeros, `::` for the longest run of zero groups (the first of equals).
    package var description: String {
        guard isV6 else { return bytes.map { "\($0)" }.joined(separator: ".") }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> UInt64(48 - $0 % 4 * 16)) }
        let run = longestZeroRun(groups)
        func text(_ part: ArraySlice<UInt16>) -> String {
            part.map { String($0, radix: 16) }.joined(separator: ":")
        }
        guard run.count > 1 else { return text(groups[...]) }
        return text(groups[..<run.lowerBound]) + "::" + text(groups[run.upperBound...])
    }

    private func longestZeroRun(_ groups: [UInt16]) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        for index in groups.indices {
            if groups[index] != 0 {
                start = index + 1
            } else if index + 1 - start > longest.count {
                longest = start..<(index + 1)
            }
        }
        return longest
    }
}

// MARK: - Networks

/// All addresses with the same first bits (CIDR).
package struct IPNetwork: Hashable, Sendable, CustomStringConvertible {
    package let address: IPAddress
    package let prefixLength: Int

    /// `nil` for a length that the address does not have. Bits after the prefix are set to 0.
    package init?(_ address: IPAddress, prefixLength: Int) {
        guard (0...address.bitWidth).contains(prefixLength) else { return nil }
        self.address = address.prefix(prefixLength)
        self.prefixLength = prefixLength
    }

    /// `10.0.0.0/8`, `2001:db8::/32`, or a single address. `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
    package init?(_ text: String) {
        let parts = text.utf8.split(separator: 0x2F, maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first) ?? "") else { return nil }
        guard parts.count == 2 else {
            self.init(address, prefixLength: address.bitWidth)
            return
        }
        guard (1...3).contains(parts[1].count), parts[1].allSatisfy(isDigit),
            let length = Int(String(parts[1]) ?? "")
        else { return nil }
        let isMapped = !address.isV6 && first.contains(0x3A)
        self.init(address, prefixLength: isMapped ? length - 96 : length)
    }

    package func contains(_ other: IPAddress) -> Bool {
        other.isV6 == address.isV6 && other.prefix(prefixLength) == address
    }

    package var description: String { "\(address)/\(prefixLength)" }
}
