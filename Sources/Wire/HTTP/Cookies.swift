// Cookies (RFC 6265): what a browser sends back, and what it is asked to keep.

import Base

/// The cookies of a request. Pairs that break the grammar are left out, since any site of the same domain may have set
/// them; of two with one name the first counts, which has the longer path.
package struct Cookies: Sendable {
    /// Browsers keep 50 per domain at least; what comes after is not looked at.
    private static let maximumCount = 64

    private let pairs: [(name: String, value: String)]

    package init(_ headers: RequestHeaders) {
        self.init(headers.values(of: "cookie"))
    }

    package init(_ values: [String]) {
        var pairs: [(name: String, value: String)] = []
        for value in values {
            for piece in value.utf8.split(separator: 0x3B, maxSplits: Self.maximumCount) {
                guard pairs.count < Self.maximumCount, let pair = Self.pair(piece) else { continue }
                pairs.append(pair)
            }
        }
        self.pairs = pairs
    }

    package subscript(_ name: String) -> String? { pairs.first { $0.name == name }?.value }

    package var count: Int { pairs.count }

    private static func pair(_ piece: Substring.UTF8View) -> (name: String, value: String)? {
        let piece = Bytes(piece)
        guard let equals = piece.firstIndex(of: 0x3D) else { return nil }
        let name = piece[piece.span.trimmed(0..<equals)]
        var value = piece[piece.span.trimmed((equals + 1)..<piece.count)]
        if value.count >= 2, value.first == 0x22, value.last == 0x22 { value = value.dropFirst().dropLast() }
        guard !name.isEmpty, name.allSatisfy(ByteSet.token.contains), value.allSatisfy(isCookieOctet) else {
            return nil
        }
        return (String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
    }

    /// RFC 6265 §4.1.1: visible ASCII without `"`, comma, semicolon and backslash.
    fileprivate static func isCookieOctet(_ byte: UInt8) -> Bool {
        (0x21...0x7E).contains(byte) && byte != 0x22 && byte != 0x2C && byte != 0x3B && byte != 0x5C
    }
}

/// One Set-Cookie field.
package struct SetCookie: Sendable {
    package enum SameSite: String, Sendable {
        case strict = "Strict"
        case lax = "Lax"
        /// Only with `isSecure`.
        case none = "None"
    }

    package var name: String
    package var value: String
    package var path: String?
    package var domain: String?
    /// Zero or less removes the cookie; `nil` keeps it until the browser is closed.
    package var maximumAge: Duration?
    package var isSecure = true
    package var isHTTPOnly = true
    package var sameSite = SameSite.lax

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    /// `nil` for what a browser would refuse or misread: characters outside the grammar, and attributes that the
    /// prefixes `__Host-` and `__Secure-` or `SameSite=None` do not allow.
    package var headerValue: String? {
        guard !name.isEmpty, name.utf8.allSatisfy(ByteSet.token.contains),
            value.utf8.allSatisfy(Cookies.isCookieOctet), keepsPromises
        else { return nil }
        var text = "\(name)=\(value)"
        for (attribute, attributeValue) in [("Path", path), ("Domain", domain)] {
            guard let attributeValue else { continue }
            guard attributeValue.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != 0x3B }) else { return nil }
            text += "; \(attribute)=\(attributeValue)"
        }
        if let maximumAge { text += "; Max-Age=\(max(0, maximumAge.components.seconds))" }
        if isSecure { text += "; Secure" }
        if isHTTPOnly { text += "; HttpOnly" }
        return text + "; SameSite=\(sameSite.rawValue)"
    }

    private var keepsPromises: Bool {
        if name.hasPrefix("__Host-") { return isSecure && path == "/" && domain == nil }
        if name.hasPrefix("__Secure-") || sameSite == .none { return isSecure }
        return true
    }
}
