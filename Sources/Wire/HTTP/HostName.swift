// The authority that Host and absolute-form targets hold: `uri-host [ ":" port ]` (RFC 9110 §7.2).

enum HostName {
    /// RFC 1035 §2.3.4.
    private static let nameBytes = 255

    /// Registered names may hold letters, digits and `-._~` only: RFC 3986 would allow percent-encoding and
    /// `!$&'()*+,;=` as well, but no name has them, and a comma would be two hosts for the next reader. Empty names
    /// and user names (`user@`) are refused.
    static func isValid(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard let first = range.first else { return false }
        var end = range.lowerBound
        if bytes[first] == 0x5B {
            while end < range.upperBound, bytes[end] != 0x5D { end &+= 1 }
            guard end < range.upperBound, isIPv6(bytes, (first &+ 1)..<end) else { return false }
            end &+= 1
        } else {
            while end < range.upperBound, ByteSet.unreserved.contains(bytes[end]) { end &+= 1 }
            guard (1...nameBytes).contains(end &- first) else { return false }
        }
        return end == range.upperBound || bytes[end] == 0x3A && isPort(bytes, (end &+ 1)..<range.upperBound)
    }

    /// An empty port means the default one (RFC 3986 §3.2.3).
    private static func isPort(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.count <= 5 else { return false }
        var port = 0
        for index in range {
            guard isDigit(bytes[index]) else { return false }
            port = port &* 10 &+ Int(bytes[index] &- 48)
        }
        return port <= 65_535
    }

    private static func isIPv6(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard range.count <= IPAddress.longestText else { return false }
        return IPAddress(bytes.text(range))?.isV6 ?? false
    }
}
