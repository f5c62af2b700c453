import Base
import Testing

@testable import Wire

struct WebSocketReceiverTests {
    private let key: UInt32 = 0xA1B2_C3D4

    private func frame(
        _ opcode: WebSocketOpcode, _ payload: Bytes, final isFinal: Bool = true, compressed: Bool = false
    ) -> Bytes {
        WebSocketFrame.encode(opcode, payload, isFinal: isFinal, isCompressed: compressed, mask: key)
    }

    /// Events until the input or the patience ends.
    private func run(
        _ input: [Bytes], role: WebSocketRole = .server, limit: Int = 1_000, compression: Bool = false
    ) -> (events: [WebSocketEvent], fault: WebSocketFault?) {
        var receiver = WebSocketReceiver(role, messageLimit: limit, allowsCompression: compression)
        var events: [WebSocketEvent] = []
        for bytes in input {
            var offset = 0
            do throws(WebSocketFault) {
                while let event = try receiver.next(bytes.span, &offset) { events.append(event) }
                guard offset == bytes.count else { return (events, nil) }
            } catch { return (events, error) }
        }
        return (events, nil)
    }

    private func fault(_ input: Bytes..., limit: Int = 1_000, compression: Bool = false) -> WebSocketFault? {
        run(input, limit: limit, compression: compression).fault
    }

    @Test(arguments: [0, 1, 7, 8, 9, 125, 126, 127, 1_000, 65_535, 65_536, 70_000])
    func `a message of any length reads back, cut anywhere`(_ count: Int) {
        let payload = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let bytes = frame(.binary, payload)
        #expect(run([bytes], limit: count).events == [.binary(payload)])
        for cut in stride(from: 0, through: bytes.count, by: max(1, bytes.count / 40)) {
            let pieces = [Bytes(bytes[..<cut]), Bytes(bytes[cut...])]
            #expect(run(pieces, limit: count).events == [.binary(payload)])
        }
    }

    @Test func `a server's frames are read by the client's role`() {
        let bytes = WebSocketFrame.encode(.text, Bytes("hi".utf8))
        #expect(bytes == [0x81, 2, 0x68, 0x69])
        #expect(run([bytes], role: .client).events == [.text("hi")])
        #expect(run([frame(.text, [])], role: .client).fault == .maskedFrame)
        #expect(fault(bytes) == .unmaskedFrame)
    }

    @Test func `fragments are joined, with control frames in between`() {
        let (events, fault) = run([
            frame(.text, Bytes("a".utf8) + [0xE2], final: false) + frame(.ping, [1]),
            frame(.continuation, [0x82], final: false), frame(.pong, []) + frame(.continuation, [0xAC]),
        ])
        #expect(fault == nil)
        #expect(events == [.ping([1]), .pong([]), .text("a€")])
    }

    @Test func `framing faults are told apart`() {
        #expect(fault([0xC1, 0x80, 0, 0, 0, 0]) == .reservedBits)
        #expect(fault([0xA1, 0x80, 0, 0, 0, 0], compression: true) == .reservedBits)
        #expect(fault([0xC9, 0x80, 0, 0, 0, 0], compression: true) == .reservedBits)
        #expect(fault([0x83, 0x80, 0, 0, 0, 0]) == .reservedOpcode)
        #expect(fault([0x8F, 0x80, 0, 0, 0, 0]) == .reservedOpcode)
        #expect(fault([0x09, 0x80, 0, 0, 0, 0]) == .fragmentedControl)
        #expect(fault([0x89, 0xFE, 0, 126, 0, 0, 0, 0]) == .longControl)
        #expect(fault([0x82, 0xFE, 0, 125, 0, 0, 0, 0]) == .wastefulLength)
        #expect(fault([0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0]) == .wastefulLength)
        #expect(fault([0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) == .impossibleLength)
        #expect(fault([0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]) == .messageTooLong)
        #expect(fault(frame(.continuation, [])) == .nothingToContinue)
        #expect(fault(frame(.text, [], final: false), frame(.binary, [])) == .unfinishedMessage)
        #expect(
            fault(frame(.text, [], final: false), frame(.continuation, []), frame(.continuation, []))
                == .nothingToContinue)
    }

    @Test func `a message is bounded as a whole, before its bytes come`() {
        #expect(fault(frame(.binary, Bytes(repeating: 0, count: 10)), limit: 10) == nil)
        #expect(fault([0x82, 0x80 | 11, 0, 0, 0, 0], limit: 10) == .messageTooLong)
        let part = frame(.binary, Bytes(repeating: 0, count: 6), final: false)
        #expect(fault(part, [0x80, 0x80 | 5, 0, 0, 0, 0], limit: 10) == .messageTooLong)
        #expect(fault(part, frame(.continuation, [1, 2, 3, 4]), limit: 10) == nil)
        #expect(WebSocketFault.messageTooLong.closeCode == .messageTooBig)
    }

    @Test func `text must be UTF-8`() {
        #expect(fault(frame(.text, [0xFF])) == .notUTF8)
        #expect(fault(frame(.text, [0xE2, 0x82])) == .notUTF8)
        #expect(fault(frame(.text, [0xE2], final: false), frame(.continuation, [])) == .notUTF8)
        #expect(run([Bytes(frame(.text, [0x61, 0xFF, 0x61]).prefix(8))]).fault == .notUTF8)
        #expect(fault(frame(.binary, [0xFF])) == nil)
    }

    @Test func `compressed messages are handed on as they are`() {
        let (events, _) = run(
            [
                frame(.text, [1, 0xFF], final: false, compressed: true), frame(.continuation, [3]),
                frame(.binary, [4], compressed: true), frame(.text, Bytes("x".utf8)),
            ], compression: true)
        #expect(
            events == [.compressed([1, 0xFF, 3], isText: true), .compressed([4], isText: false), .text("x")])
    }

    @Test(
        arguments: [
            (0, false), (999, false), (1000, true), (1003, true), (1004, false), (1005, false), (1006, false),
            (1007, true), (1014, true), (1015, false), (1016, false), (2999, false), (3000, true), (4999, true),
            (5000, false), (65535, false),
        ] as [(UInt16, Bool)]) func `close codes are checked`(_ code: UInt16, _ valid: Bool)
    {
        let (events, fault) = run([frame(.close, [UInt8(code >> 8), UInt8(code & 255)] + Bytes("bye".utf8))])
        #expect(events == (valid ? [.close(WebSocketCloseCode(code), reason: "bye")] : []))
        #expect(fault == (valid ? nil : .badCloseCode))
    }

    @Test func `a close frame is the last thing read`() {
        let (events, fault) = run([frame(.close, []) + frame(.text, Bytes("x".utf8)), [0xFF, 0xFF]])
        #expect(events == [.close(.absent, reason: "")])
        #expect(fault == nil)
        #expect(self.fault(frame(.close, [3])) == .shortClose)
        #expect(self.fault(frame(.close, [3, 0xE8, 0xFF])) == .notUTF8)
    }

    @Test func `after a fault nothing is read`() throws {
        var receiver = WebSocketReceiver(.server, messageLimit: 10, allowsCompression: false)
        var offset = 0
        let bad: Bytes = [0x83, 0x80, 0, 0, 0, 0]
        #expect(throws: WebSocketFault.reservedOpcode) { try receiver.next(bad.span, &offset) }
        let good = frame(.text, [])
        offset = 0
        let event = try receiver.next(good.span, &offset)
        #expect(event == nil)
        #expect(offset == good.count)
    }

    @Test func `every fault has a reason that fits and a code that may be sent`() {
        for fault in WebSocketFault.allCases {
            #expect(fault.reason.utf8CodeUnitCount <= WebSocketFrame.reasonLimit)
            #expect(fault.closeCode.mayBeSent)
        }
    }

    @Test func `noise never traps, and cuts do not change the outcome`() {
        for _ in 0..<5_000 {
            var bytes = Bytes()
            for _ in 0..<Int.random(in: 1...4) {
                let opcode = [WebSocketOpcode.continuation, .text, .binary, .ping, .close].randomElement() ?? .text
                let payload = (0..<Int.random(in: 0...20)).map { _ in UInt8.random(in: 0x60...0x7F) }
                bytes += frame(opcode, payload, final: Bool.random(), compressed: Int.random(in: 0..<9) == 0)
            }
            if Bool.random() { bytes[Int.random(in: 0..<bytes.count)] = UInt8.random(in: 0...255) }
            let whole = run([bytes], limit: 64, compression: true)
            let chopped = run(bytes.map { [$0] }, limit: 64, compression: true)
            #expect(whole.events == chopped.events)
            #expect(whole.fault == chopped.fault)
        }
    }
}

struct WebSocketFrameTests {
    @Test func `the examples of RFC 6455 5 7`() {
        #expect(WebSocketFrame.encode(.text, Bytes("Hello".utf8)) == [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F])
        #expect(
            WebSocketFrame.encode(.text, Bytes("Hello".utf8), mask: 0x3D21_FA37)
                == [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
        #expect(WebSocketFrame.encode(.text, Bytes("Hel".utf8), isFinal: false) == [0x01, 0x03, 0x48, 0x65, 0x6C])
        #expect(WebSocketFrame.encode(.binary, Bytes(repeating: 0, count: 256)).prefix(4) == [0x82, 0x7E, 0x01, 0x00])
        #expect(
            WebSocketFrame.encode(.binary, Bytes(repeating: 0, count: 65_536)).prefix(10)
                == [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0])
    }

    @Test func `a reason is cut between characters`() {
        let payload = WebSocketFrame.closePayload(.normal, String(repeating: "€", count: 50))
        #expect(payload.count == 2 + 41 * 3)
        #expect(UTF8Validator.isValid(Bytes(payload.dropFirst(2))))
        #expect(WebSocketFrame.closePayload(.absent, "x") == [])
        #expect(WebSocketFrame.closePayload(.abnormal, "x") == [])
        #expect(WebSocketFrame.closePayload(.goingAway, "") == [0x03, 0xE9])
    }

    @Test func `a shared frame is compressed once, when it pays`() {
        let frame = SharedFrame(text: "hello")
        #expect(frame.plain == [0x81, 5] + Bytes("hello".utf8))
        var calls = 0
        for _ in 0..<2 {
            let compressed = frame.compressed { payload in
                calls += 1
                return Bytes(payload.prefix(2))
            }
            #expect(compressed == [0xC1, 2] + Bytes("he".utf8))
        }
        #expect(calls == 1)
        let stubborn = SharedFrame(binary: [1, 2])
        #expect(stubborn.compressed { _ in nil } == stubborn.plain)
    }
}
