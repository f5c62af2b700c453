// Tokens that the server can check without remembering them: nonces (RFC 8489 §9.2) and mobility tickets (RFC 8016).
//
// A nonce names its time and is bound to the client's address, so it also shows that the client receives what we send
// there; before it came back, nothing is kept of a client. It begins with the nonce cookie, whose bits say what the
// server can do: a man in the middle who took PASSWORD-ALGORITHMS out of a challenge would have to change them, and the
// code with them (bid-down protection).
//
//     nonce   "obMatJos2" | Base64(security features, 24 bits) | Base64(seconds (32 bits) | code (64 bits))
//     ticket  shard (8) | place (24) | generation (32) | number of the ticket (32) | code (96)

import Base
import Crypto
import Wire

struct RelayTokens: Sendable {
    static let cookie = Bytes("obMatJos2".utf8)
    /// Bits of the security features, the first being the highest of 24 (RFC 8489 §18.1).
    private static let passwordAlgorithms: UInt8 = 0x80
    private static let usernameAnonymity: UInt8 = 0x40
    static let nonceLength = 29
    private static let nonceCodeLength = 8
    static let ticketLength = 24
    private static let ticketCodeLength = 12

    /// What a code is over begins with one of these, so that no token passes for another kind.
    private enum Purpose: UInt32 {
        case nonce = 1
        case ticket = 2
    }

    private let key: MessageIntegrityKey
    private let features: Bytes
    private let nonceLifetime: UInt32

    init(key: Secret, understandsUserhash: Bool, nonceLifetime: Duration) {
        self.key = MessageIntegrityKey(key)
        let bits = Self.passwordAlgorithms | (understandsUserhash ? Self.usernameAnonymity : 0)
        features = Bytes(Base64.encode([bits, 0, 0]).utf8)
        self.nonceLifetime = UInt32(clamping: nonceLifetime.components.seconds)
    }

    // MARK: Nonces

    func nonce(for client: ClientPath, now: Instant) -> Bytes {
        let seconds = UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000_000)
        var body: Bytes = []
        body.append(bigEndian: seconds)
        body += nonceCode(seconds, client)
        return Self.cookie + features + Bytes(Base64.encode(body).utf8)
    }

    func isCurrent(_ nonce: RawSpan, of client: ClientPath, now: Instant) -> Bool {
        guard nonce.byteCount == Self.nonceLength else { return false }
        let bytes = Bytes(copying: nonce)
        let prefix = Self.cookie + features
        guard bytes.starts(with: prefix),
            let body = Base64.decode(String(decoding: bytes[prefix.count...], as: UTF8.self)),
            body.count == 4 + Self.nonceCodeLength
        else { return false }
        let seconds = body.span.bytes.uint32(0)
        guard constantTimeEquals(Bytes(body[4...]), nonceCode(seconds, client)) else { return false }
        return UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000_000) &- seconds <= nonceLifetime
    }

    private func nonceCode(_ seconds: UInt32, _ client: ClientPath) -> Bytes {
        let (high, low) = client.remote.ip.words
        var message: Bytes = []
        message.append(bigEndian: seconds)
        message.append(bigEndian: high)
        message.append(bigEndian: low)
        // A client that has shaken hands is there: one nonce serves all its connections, and ConnectionBind (RFC 6062),
        // which comes on another one, costs no round more.
        message.append(bigEndian: client.transport.isSpoofable ? client.remote.port : 0)
        message.append(client.transport.isSpoofable ? 1 : 0)
        return code(.nonce, message, Self.nonceCodeLength)
    }

    private func code(_ purpose: Purpose, _ message: Bytes, _ count: Int) -> Bytes {
        let code = key.code(over: purpose.rawValue, message.span.bytes)
        return Bytes(copying: code.span.extracting(0..<count))
    }

    // MARK: Tickets

    struct Ticket: Equatable {
        var shard: UInt8
        var place: UInt32
        var generation: UInt32
        var number: UInt32
    }

    func seal(_ ticket: Ticket) -> Bytes {
        var bytes: Bytes = []
        bytes.append(bigEndian: UInt32(ticket.shard) << 24 | ticket.place & 0xFF_FFFF)
        bytes.append(bigEndian: ticket.generation)
        bytes.append(bigEndian: ticket.number)
        return bytes + code(.ticket, bytes, Self.ticketCodeLength)
    }

    /// `nil` for what we did not seal.
    func open(_ span: RawSpan) -> Ticket? {
        guard let ticket = Self.look(at: span) else { return nil }
        return constantTimeEquals(seal(ticket), Bytes(copying: span)) ? ticket : nil
    }

    /// Without a check of the code.
    static func look(at span: RawSpan) -> Ticket? {
        guard span.byteCount == ticketLength else { return nil }
        let first = span.uint32(0)
        return Ticket(
            shard: UInt8(first >> 24), place: first & 0xFF_FFFF, generation: span.uint32(4), number: span.uint32(8))
    }
}

extension Bytes {
    init(copying span: RawSpan) {
        self = []
        reserveCapacity(span.byteCount)
        append(span)
    }
}
