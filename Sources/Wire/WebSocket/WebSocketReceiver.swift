// The receiving half of a WebSocket as a machine: bytes in, messages and control frames out (RFC 6455 §5, §7, §8.1).
//
// It takes whatever the transport read, keeps what is incomplete, and holds no memory between messages. It never
// answers: pongs and the closing handshake are the driver's.

package import Base

package enum WebSocketRole: Sendable {
    case server
    case client
}

package enum WebSocketEvent: Sendable, Equatable {
    case text(String)
    case binary(Bytes)
    /// A message that is still compressed (RFC 7692). When it is text, what it expands to must be checked for UTF-8.
    case compressed(Bytes, isText: Bool)
    case ping(Bytes)
    case pong(Bytes)
    /// The last event. `.absent` when the frame carried no code.
    case close(WebSocketCloseCode, reason: String)
}

/// What the peer did wrong. Small, so that a flood of bad frames costs no memory.
package enum WebSocketFault: Error, Equatable, Sendable, CaseIterable {
    case unmaskedFrame
    case maskedFrame
    case reservedBits
    case reservedOpcode
    case fragmentedControl
    case longControl
    case wastefulLength
    case impossibleLength
    case nothingToContinue
    case unfinishedMessage
    case shortClose
    case badCloseCode
    case notUTF8
    case messageTooLong
    case badCompression

    package var closeCode: WebSocketCloseCode {
        switch self {
        case .notUTF8, .badCompression: .invalidPayload
        case .messageTooLong: .messageTooBig
        default: .protocolError
        }
    }

    /// For the reason of the close frame.
    package var reason: StaticString {
        switch self {
        case .unmaskedFrame: "a client must mask its frames"
        case .maskedFrame: "a server must not mask its frames"
        case .reservedBits: "a reserved bit is set"
        case .reservedOpcode: "the opcode is reserved"
        case .fragmentedControl: "a control frame must not be fragmented"
        case .longControl: "a control frame carries more than 125 bytes"
        case .wastefulLength: "the length is not in its shortest form"
        case .impossibleLength: "the top bit of the length is set"
        case .nothingToContinue: "there is no message to continue"
        case .unfinishedMessage: "a message begins within another"
        case .shortClose: "a close frame carries one byte"
        case .badCloseCode: "the close code is not allowed"
        case .notUTF8: "text is not valid UTF-8"
        case .messageTooLong: "the message is too long"
        case .badCompression: "the message does not decompress"
        }
    }
}

package struct WebSocketReceiver: Sendable {
    private let isServer: Bool
    private let allowsCompression: Bool
    private let messageLimit: Int

    /// The header while it comes in; `payloadLeft` is -1 then.
    private var header = InlineArray<14, UInt8>(repeating: 0)
    private var headerCount = 0

    private var opcode = WebSocketOpcode.continuation
    private var isFinal = false
    private var payloadLeft = -1
    private var key: UInt32 = 0
    private var control = Bytes()

    /// The message in hand; `.continuation` between messages.
    private var messageKind = WebSocketOpcode.continuation
    private var isCompressed = false
    private var message = Bytes()
    /// Text in several pieces is checked piece by piece, so that bad text fails at the first bad byte. Text that came
    /// in one piece is checked once, when it becomes a string.
    private var validator = UTF8Validator()
    private var isOnePiece = false

    private var isFinished = false

    /// `messageLimit` bounds a message as it is on the wire, compressed or not; the driver bounds what it expands to.
    package init(_ role: WebSocketRole, messageLimit: Int, allowsCompression: Bool) {
        isServer = role == .server
        self.messageLimit = messageLimit
        self.allowsCompression = allowsCompression
    }

    /// Reads on from `offset` and moves it. `nil` when the input is used up. After a close frame or a fault the rest
    /// is dropped (§1.4, §7.1.7).
    package mutating func next(_ input: Span<UInt8>, _ offset: inout Int) throws(WebSocketFault) -> WebSocketEvent? {
        do throws(WebSocketFault) {
            while !isFinished {
                if payloadLeft < 0 {
                    guard readHeader(input, &offset) else { return nil }
                    try beginFrame()
                }
                try readPayload(input, &offset)
                guard payloadLeft == 0 else { return nil }
                payloadLeft = -1
                if let event = try endFrame() { return event }
            }
        } catch {
            finish()
            throw error
        }
        offset = input.count
        return nil
    }

    /// True while a message or frame has begun and not ended: the peer owes us the rest.
    package var isWithinMessage: Bool { headerCount > 0 || payloadLeft >= 0 || messageKind != .continuation }

    private mutating func finish() {
        isFinished = true
        message = Bytes()
        control = Bytes()
    }

    // MARK: Header

    /// False when the input ends first.
    private mutating func readHeader(_ input: Span<UInt8>, _ offset: inout Int) -> Bool {
        while headerCount < 2 || headerCount < headerSize {
            guard offset < input.count else { return false }
            header[headerCount] = input[offset]
            headerCount &+= 1
            offset &+= 1
        }
        return true
    }

    /// Once the first two bytes are here.
    private var headerSize: Int {
        let lengthSize =
            switch header[1] & 0x7F {
            case 126: 2
            case 127: 8
            default: 0
            }
        return 2 &+ lengthSize &+ (header[1] & 0x80 != 0 ? 4 : 0)
    }

    private mutating func beginFrame() throws(WebSocketFault) {
        let size = headerSize
        headerCount = 0
        guard let opcode = WebSocketOpcode(rawValue: header[0] & 0x0F) else { throw .reservedOpcode }
        self.opcode = opcode
        isFinal = header[0] & 0x80 != 0
        try checkReservedBits()
        let isMasked = header[1] & 0x80 != 0
        guard isMasked == isServer else { throw isServer ? .unmaskedFrame : .maskedFrame }
        let length = try length()
        key = isMasked ? readKey(at: size &- 4) : 0
        if opcode.isControl { try beginControl(length) } else { try beginData(length) }
        payloadLeft = length
    }

    private func checkReservedBits() throws(WebSocketFault) {
        let mayBeCompressed = allowsCompression && (opcode == .text || opcode == .binary)
        guard header[0] & (mayBeCompressed ? 0x30 : 0x70) == 0 else { throw .reservedBits }
    }

    private func length() throws(WebSocketFault) -> Int {
        switch header[1] & 0x7F {
        case 126:
            let length = bigEndian(count: 2)
            guard length > 125 else { throw .wastefulLength }
            return Int(length)
        case 127:
            let length = bigEndian(count: 8)
            guard length > 0xFFFF else { throw .wastefulLength }
            guard let length = Int(exactly: length) else { throw .impossibleLength }
            return length
        case let length:
            return Int(length)
        }
    }

    private func bigEndian(count: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 2..<(2 &+ count) { value = value << 8 | UInt64(header[index]) }
        return value
    }

    private func readKey(at start: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in (start..<start &+ 4).reversed() { value = value << 8 | UInt32(header[index]) }
        return value
    }

    private mutating func beginControl(_ length: Int) throws(WebSocketFault) {
        guard isFinal else { throw .fragmentedControl }
        guard length <= WebSocketFrame.controlLimit else { throw .longControl }
    }

    private mutating func beginData(_ length: Int) throws(WebSocketFault) {
        if opcode == .continuation {
            guard messageKind != .continuation else { throw .nothingToContinue }
        } else {
            guard messageKind == .continuation else { throw .unfinishedMessage }
            messageKind = opcode
            isCompressed = header[0] & 0x40 != 0
            validator = UTF8Validator()
        }
        guard length <= messageLimit &- message.count else { throw .messageTooLong }
    }

    // MARK: Payload

    private mutating func readPayload(_ input: Span<UInt8>, _ offset: inout Int) throws(WebSocketFault) {
        let count = min(payloadLeft, input.count &- offset)
        isOnePiece = opcode != .continuation && isFinal && message.isEmpty && count == payloadLeft
        guard count > 0 else { return }
        let piece = input.extracting(offset..<offset &+ count)
        offset &+= count
        payloadLeft &-= count
        if opcode.isControl {
            append(piece, to: &control)
        } else {
            append(piece, to: &message)
            if messageKind == .text, !isCompressed, !isOnePiece { try checkText(count) }
        }
        let shift = UInt32(truncatingIfNeeded: (count & 3) &* 8)
        if shift > 0 { key = key >> shift | key << (32 &- shift) }
    }

    private func append(_ piece: Span<UInt8>, to bytes: inout Bytes) {
        let start = bytes.count
        unsafe piece.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        WebSocketFrame.applyMask(key, to: &bytes, from: start)
    }

    private mutating func checkText(_ count: Int) throws(WebSocketFault) {
        var next = validator  // a span of `message` holds all of `self`
        guard next.accept(message.span.extracting(message.count &- count..<message.count)) else { throw .notUTF8 }
        validator = next
    }

    // MARK: Ends

    private mutating func endFrame() throws(WebSocketFault) -> WebSocketEvent? {
        guard !opcode.isControl else { return try endControl() }
        guard isFinal else { return nil }
        let kind = messageKind
        let payload = message
        messageKind = .continuation
        message = Bytes()
        if isCompressed { return .compressed(payload, isText: kind == .text) }
        guard kind == .text else { return .binary(payload) }
        guard isOnePiece || validator.isComplete, let text = String(validating: payload, as: UTF8.self) else {
            throw .notUTF8
        }
        return .text(text)
    }

    private mutating func endControl() throws(WebSocketFault) -> WebSocketEvent {
        let payload = control
        control = Bytes()
        switch opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        default:
            let event = try close(payload)
            finish()
            return event
        }
    }

    private func close(_ payload: Bytes) throws(WebSocketFault) -> WebSocketEvent {
        guard let high = payload.first else { return .close(.absent, reason: "") }
        guard payload.count > 1 else { throw .shortClose }
        let code = WebSocketCloseCode(UInt16(high) << 8 | UInt16(payload[1]))
        guard code.mayBeSent else { throw .badCloseCode }
        guard let reason = String(validating: payload.dropFirst(2), as: UTF8.self) else { throw .notUTF8 }
        return .close(code, reason: reason)
    }
}
