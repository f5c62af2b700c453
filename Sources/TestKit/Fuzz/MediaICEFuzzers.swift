// The fuzzers of STUN, of ICE candidates and of RFC 4571 framing.

import Base
import Crypto
import Media
import Wire

extension Fuzzers {
    package static let ice = [
        Fuzzer("stun", fuzzSTUN), Fuzzer("candidate", fuzzCandidate), Fuzzer("framing", fuzzFraming),
    ]
}

private let fuzzCredentials = ICECredentials(randomBytes: Bytes(0..<24))

/// Offsets lie within the message, a copy by attributes is the same message, and no session changes.
private func fuzzSTUN(_ bytes: Bytes) {
    guard let message = try? STUNMessage(parsing: bytes.span.bytes) else { return }
    var writer = STUNWriter()
    writer.begin(message.kind, message.method, message.transactionID)
    var offset = STUNMessage.headerLength
    while let attribute = message.nextAttribute(from: &offset) {
        promise(attribute.start + attribute.length <= bytes.count, "an attribute lies within its message")
        _ = message.xorAddress(attribute)
        writer.add(attribute.type, message.value(attribute))
    }
    let copy = try? STUNMessage(parsing: writer.bytes.span.bytes)
    promise(copy != nil, "what is written is read back")
    if let copy {
        promise(copy.kind == message.kind && copy.method == message.method, "as the same kind")
        promise(copy.transactionID == message.transactionID, "of the same transaction")
        promise(copy.priority == message.priority && copy.username == message.username, "with the same attributes")
        promise(copy.iceControlled == message.iceControlled, "with the same attributes")
        promise(copy.errorCode == message.errorCode, "with the same error")
        promise(
            copy.xorAddress(.xorMappedAddress) == message.xorAddress(.xorMappedAddress), "with the same addresses")
    }
    if let integrity = message.integrity {
        promise(integrity.code.upperBound <= bytes.count && integrity.coveredEnd >= 20, "a code lies within")
    }
    _ = message.integritySHA256
    var session = ICELiteSession(local: fuzzCredentials, remoteUfrag: nil)
    let path = MediaPath(remote: TransportAddress(IPAddress(v4: 0x7F00_0001), 9), socket: 0)
    var answer = STUNWriter()
    let outcome = session.handle(message, on: path, now: Instant(nanoseconds: 1), into: &answer)
    promise(outcome.action != .respond && session.pathCount == 0, "nobody guesses a password")
    promise(answer.bytes.count <= bytes.count, "an answer to a stranger is no longer than his question")
}

/// What was read is written, and read back as the same.
private func fuzzCandidate(_ bytes: Bytes) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard let candidate = try? ICECandidate(parsing: text) else { return }
    promise(candidate.extensions.count <= ICECandidate.extensionsMax, "extensions are bounded")
    let again = try? ICECandidate(parsing: candidate.line)
    promise(again == candidate, "what is written is read back as the same candidate")
}

/// Pieces give the same frames as the whole.
private func fuzzFraming(_ bytes: Bytes) {
    let whole = frames(of: bytes, chunk: max(bytes.count, 1))
    for size in [1, 2, 3, 7, 64] {
        promise(frames(of: bytes, chunk: size) == whole, "pieces of \(size) have the same frames")
    }
}

/// `nil` ends the list when the stream is broken.
private func frames(of bytes: Bytes, chunk size: Int) -> [Bytes?] {
    var deframer = StreamDeframer(limit: 300)
    var frames: [Bytes?] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
        let chunk = bytes.span.bytes.extracting(start..<min(bytes.count, start + size))
        var offset = 0
        do throws(WireError) {
            chunk: while true {
                switch try deframer.next(in: chunk, from: &offset) {
                case .frame(let range): frames.append(copy(chunk.extracting(range)))
                case .assembled: frames.append(copy(deframer.assembled))
                case .needsMore: break chunk
                }
            }
        } catch {
            frames.append(nil)
            return frames
        }
        promise(deframer.heldCount <= 302, "what is held back is bounded")
    }
    return frames
}

private func copy(_ span: RawSpan) -> Bytes {
    var bytes: Bytes = []
    bytes.append(span)
    return bytes
}
