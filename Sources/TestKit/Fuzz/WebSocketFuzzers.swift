// The fuzzers of WebSocket frames, handshakes and compressed messages.

import Base
import Net
import Wire

extension Fuzzers {
    package static let webSocket = [
        Fuzzer("websocket", fuzzFrames), Fuzzer("websocket-extensions", fuzzExtensions),
        Fuzzer("origin", fuzzOrigin), Fuzzer("inflate", fuzzInflate),
    ]
}

private struct FrameAnswer: Equatable {
    var events: [WebSocketEvent] = []
    var fault: WebSocketFault?
}

/// Small enough for mutations to reach it.
private let fuzzedMessageLimit = 200

/// The first byte chooses the role and whether compression was negotiated; the rest is the stream.
private func fuzzFrames(_ bytes: Bytes) {
    guard let choice = bytes.first else { return }
    let stream = Bytes(bytes.dropFirst())
    let whole = frameAnswer(choice, stream, pieces: max(1, stream.count))
    for size in [1, 2, 7, 64] {
        promise(frameAnswer(choice, stream, pieces: size) == whole, "pieces of \(size) have the same answer")
    }
    for event in whole.events { check(event) }
    if let fault = whole.fault { promise(fault.closeCode.mayBeSent, "a fault has a code that may be sent") }
}

private func frameAnswer(_ choice: UInt8, _ stream: Bytes, pieces size: Int) -> FrameAnswer {
    var receiver = WebSocketReceiver(
        choice & 1 == 0 ? .server : .client, messageLimit: fuzzedMessageLimit, allowsCompression: choice & 2 != 0)
    var answer = FrameAnswer()
    for start in stride(from: 0, to: stream.count, by: size) {
        let piece = Bytes(stream[start..<min(stream.count, start + size)])
        var offset = 0
        do throws(WebSocketFault) {
            while let event = try receiver.next(piece.span, &offset) { answer.events.append(event) }
        } catch {
            answer.fault = error
            return answer
        }
        promise(offset == piece.count, "all bytes are taken")
    }
    return answer
}

private func check(_ event: WebSocketEvent) {
    switch event {
    case .text(let text): promise(text.utf8.count <= fuzzedMessageLimit, "text is within the limit")
    case .binary(let bytes), .compressed(let bytes, _):
        promise(bytes.count <= fuzzedMessageLimit, "a message is within the limit")
    case .ping(let bytes), .pong(let bytes):
        promise(bytes.count <= WebSocketFrame.controlLimit, "a control frame is within its limit")
    case .close(let code, let reason):
        promise(code == .absent || code.mayBeSent, "a close code may be sent")
        promise(reason.utf8.count <= WebSocketFrame.reasonLimit, "a reason is within its limit")
    }
}

/// What we grant is itself an offer that we would grant.
private func fuzzExtensions(_ bytes: Bytes) {
    let header = String(decoding: bytes, as: UTF8.self)
    guard let granted = try? PermessageDeflate(offers: [header]) else { return }
    promise((9...15).contains(granted.serverWindowBits), "the window is one that zlib has")
    let again = try? PermessageDeflate(offers: [granted.response])
    promise(again == granted, "the answer is well-formed and says what was granted")
}

/// An origin is admitted only if, but for case and the scheme's port, it is ours.
private func fuzzOrigin(_ bytes: Bytes) {
    let origin = String(decoding: bytes, as: UTF8.self)
    guard OriginPolicy.only(["https://app.example"]).admits(origin, host: "chat.example:8000", isSecure: true) else {
        return
    }
    let ours = ["https://app.example", "https://app.example:443", "https://chat.example:8000"]
    promise(ours.contains(origin.lowercased()), "only whole origins are admitted: \(origin)")
}

/// The output is within its limit, and a state that saw noise gives the next message whole.
private func fuzzInflate(_ bytes: Bytes) {
    let pool = CompressionPool()
    if let output = try? pool.decompressMessage(bytes, limit: 1_000) {
        promise(output.count <= 1_000, "the output is within its limit")
    }
    let hello = try? pool.decompressMessage([0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00], limit: 5)
    promise(hello == Bytes("Hello".utf8), "the next message is not harmed")
    guard let compressed = pool.compressMessage(bytes) else { return }
    let again = try? pool.decompressMessage(compressed, limit: bytes.count)
    promise(again == bytes, "what was compressed expands to the same")
}
