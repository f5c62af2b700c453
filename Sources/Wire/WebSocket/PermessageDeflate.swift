// Negotiation of permessage-deflate (RFC 7692 §7.1): from the client's offers to the parameters that we grant.
//
// We never keep a compression context between messages, in neither direction: an idle socket then costs no zlib state
// (268 KB and 48 KB), and one compressed frame can go to every socket. A server may impose this on both sides whether
// or not the client asked (§7.1.1).

import Base

/// The header is not a list of extensions (RFC 6455 §9.1).
package struct ExtensionListError: Error, Equatable {}

/// What was granted to a client.
package struct PermessageDeflate: Sendable, Equatable {
    /// How far back our matches may reach, as a power of two: 15 unless the client wants less.
    package let serverWindowBits: Int
    /// The client asked for it by name, so that the answer must repeat it.
    private let wasWindowAsked: Bool

    /// zlib's raw deflate has no window of 2^8, so an offer that insists on one is declined.
    private static let windowBits = 9...15

    /// The first offer that we can grant; `nil` when there is none. `values` are the header's, in order.
    package init?(offers values: [String]) throws(ExtensionListError) {
        var granted: PermessageDeflate?
        for value in values {
            var scanner = ExtensionScanner(value)
            for offer in try scanner.list() where granted == nil && offer.name == "permessage-deflate" {
                granted = PermessageDeflate(offer.parameters)
            }
        }
        guard let granted else { return nil }
        self = granted
    }

    /// `nil` declines the offer: a parameter is unknown, repeated or out of range (§7.1).
    private init?(_ parameters: [ExtensionOffer.Parameter]) {
        var serverBits: Int?
        var seen: Set<String> = []
        for parameter in parameters {
            guard seen.insert(parameter.name).inserted else { return nil }
            switch (parameter.name, parameter.value) {
            case ("server_no_context_takeover", nil), ("client_no_context_takeover", nil),
                ("client_max_window_bits", nil):
                break
            case ("client_max_window_bits", let value?):
                // Whatever the client's window is, ours of 2^15 can read it.
                guard Self.bits(value) != nil else { return nil }
            case ("server_max_window_bits", let value?):
                guard let bits = Self.bits(value), Self.windowBits.contains(bits) else { return nil }
                serverBits = bits
            default:
                return nil
            }
        }
        serverWindowBits = serverBits ?? 15
        wasWindowAsked = serverBits != nil
    }

    /// 8 to 15, without leading zeros (§7.1.2).
    private static func bits(_ text: String) -> Int? {
        guard let bits = Int(text), (8...15).contains(bits), text == "\(bits)" else { return nil }
        return bits
    }

    /// The value of `Sec-WebSocket-Extensions` in the answer.
    package var response: String {
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
            + (wasWindowAsked ? "; server_max_window_bits=\(serverWindowBits)" : "")
    }
}

struct ExtensionOffer: Equatable {
    struct Parameter: Equatable {
        let name: String
        let value: String?
    }

    let name: String
    let parameters: [Parameter]
}

/// Reads `token *( ";" token [ "=" ( token / quoted token ) ] )`, separated by commas (RFC 6455 §9.1).
struct ExtensionScanner {
    private let text: Bytes
    private var position = 0

    init(_ value: String) { text = Bytes(value.utf8) }

    mutating func list() throws(ExtensionListError) -> [ExtensionOffer] {
        var offers: [ExtensionOffer] = []
        repeat { offers.append(try offer()) } while skip(UInt8(ascii: ","))
        guard position == text.count else { throw ExtensionListError() }
        return offers
    }

    private mutating func offer() throws(ExtensionListError) -> ExtensionOffer {
        let name = try spacedToken()
        var parameters: [ExtensionOffer.Parameter] = []
        while skip(UInt8(ascii: ";")) {
            let name = try spacedToken()
            parameters.append(.init(name: name, value: skip(UInt8(ascii: "=")) ? try value() : nil))
        }
        return ExtensionOffer(name: name, parameters: parameters)
    }

    private mutating func value() throws(ExtensionListError) -> String {
        skipSpace()
        guard skip(UInt8(ascii: "\"")) else { return try spacedToken() }
        let value = try token()
        guard skip(UInt8(ascii: "\"")) else { throw ExtensionListError() }
        skipSpace()
        return value
    }

    private mutating func spacedToken() throws(ExtensionListError) -> String {
        skipSpace()
        let token = try token()
        skipSpace()
        return token
    }

    private mutating func token() throws(ExtensionListError) -> String {
        let start = position
        while position < text.count, ByteSet.token.contains(text[position]) { position += 1 }
        guard position > start else { throw ExtensionListError() }
        return String(decoding: text[start..<position], as: UTF8.self)
    }

    private mutating func skip(_ byte: UInt8) -> Bool {
        guard position < text.count, text[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while position < text.count, isBlank(text[position]) { position += 1 }
    }
}
