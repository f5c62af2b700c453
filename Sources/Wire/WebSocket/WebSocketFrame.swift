// Frames of a WebSocket (RFC 6455 §5): their header, their masking, and how one is written.
//
//      0                   1                   2                   3
//      0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//     +-+-+-+-+-------+-+-------------+-------------------------------+
//     |F|R|R|R| opcode|M| length      | 16 bits of length if it is 126,|
//     |I|S|S|S|       |A|             | 64 if it is 127               |
//     |N|V|V|V|       |S|             |                               |
//     | |1|2|3|       |K|             | then 4 bytes of key if MASK   |
//     +-+-+-+-+-------+-+-------------+-------------------------------+
//     | payload …                                                     |
//     +---------------------------------------------------------------+

package import Base

package enum WebSocketOpcode: UInt8, Sendable {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    var isControl: Bool { rawValue >= 8 }
}

/// Why a socket ends (RFC 6455 §7.4 and IANA's registry).
package struct WebSocketCloseCode: RawRepresentable, Hashable, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }
    package init(_ value: UInt16) { rawValue = value }

    package static let normal = WebSocketCloseCode(1000)
    package static let goingAway = WebSocketCloseCode(1001)
    package static let protocolError = WebSocketCloseCode(1002)
    package static let unsupportedData = WebSocketCloseCode(1003)
    /// The frame carried no code. Never sent.
    package static let absent = WebSocketCloseCode(1005)
    /// The connection broke off. Never sent.
    package static let abnormal = WebSocketCloseCode(1006)
    package static let invalidPayload = WebSocketCloseCode(1007)
    package static let policyViolation = WebSocketCloseCode(1008)
    package static let messageTooBig = WebSocketCloseCode(1009)
    package static let internalError = WebSocketCloseCode(1011)
    package static let tryAgainLater = WebSocketCloseCode(1013)

    /// Whether a frame may carry it: those that IANA has registered for the wire, libraries' and applications' own.
    package var mayBeSent: Bool {
        switch rawValue {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}

package enum WebSocketFrame {
    /// What a control frame may carry (§5.5).
    package static let controlLimit = 125
    /// What is left of that beside the code of a close frame.
    package static let reasonLimit = controlLimit - 2
    /// Two bytes, eight of length, four of key.
    static let longestHeader = 14

    /// Appends one whole frame. `mask` is a client's key; a server sends none.
    package static func append(
        _ opcode: WebSocketOpcode, _ payload: Span<UInt8>, isFinal: Bool = true, isCompressed: Bool = false,
        mask: UInt32? = nil, to bytes: inout Bytes
    ) {
        bytes.reserveCapacity(bytes.count + payload.count + longestHeader)
        bytes.append((isFinal ? 0x80 : 0) | (isCompressed ? 0x40 : 0) | opcode.rawValue)
        appendLength(payload.count, isMasked: mask != nil, to: &bytes)
        if let mask { appendBigEndian(UInt64(mask.byteSwapped), count: 4, to: &bytes) }
        let start = bytes.count
        unsafe payload.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        if let mask { applyMask(mask, to: &bytes, from: start) }
    }

    package static func encode(
        _ opcode: WebSocketOpcode, _ payload: Bytes, isFinal: Bool = true, isCompressed: Bool = false,
        mask: UInt32? = nil
    ) -> Bytes {
        var bytes = Bytes()
        append(opcode, payload.span, isFinal: isFinal, isCompressed: isCompressed, mask: mask, to: &bytes)
        return bytes
    }

    /// What a close frame carries. A code that must not be sent becomes an empty payload; a reason that is too long is
    /// cut between two characters.
    package static func closePayload(_ code: WebSocketCloseCode, _ reason: String) -> Bytes {
        guard code.mayBeSent else { return [] }
        var payload = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)]
        for scalar in reason.unicodeScalars {
            guard let encoded = UTF8.encode(scalar), payload.count + encoded.count <= controlLimit else { break }
            payload.append(contentsOf: encoded)
        }
        return payload
    }

    /// The shortest of the three forms (§5.2).
    private static func appendLength(_ count: Int, isMasked: Bool, to bytes: inout Bytes) {
        let mask: UInt8 = isMasked ? 0x80 : 0
        switch count {
        case ..<126:
            bytes.append(mask | UInt8(truncatingIfNeeded: count))
        case ..<65_536:
            bytes.append(mask | 126)
            appendBigEndian(UInt64(count), count: 2, to: &bytes)
        default:
            bytes.append(mask | 127)
            appendBigEndian(UInt64(count), count: 8, to: &bytes)
        }
    }

    private static func appendBigEndian(_ value: UInt64, count: Int, to bytes: inout Bytes) {
        for index in (0..<count).reversed() { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }

    /// Masks or unmasks `bytes[start...]` (§5.3), eight bytes at a time. The lowest byte of `key` is for the first.
    static func applyMask(_ key: UInt32, to bytes: inout Bytes, from start: Int) {
        guard key != 0, start < bytes.count else { return }
        let wide = UInt64(key) << 32 | UInt64(key)
        unsafe bytes.withUnsafeMutableBytes { buffer in
            var position = start
            while buffer.count &- position >= 8 {
                let word = unsafe buffer.loadUnaligned(fromByteOffset: position, as: UInt64.self)
                unsafe buffer.storeBytes(of: word ^ wide.littleEndian, toByteOffset: position, as: UInt64.self)
                position &+= 8
            }
            var rest = wide
            while position < buffer.count {
                unsafe buffer[position] ^= UInt8(truncatingIfNeeded: rest)
                rest >>= 8
                position &+= 1
            }
        }
    }
}
