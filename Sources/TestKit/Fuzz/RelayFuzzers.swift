// The fuzzers of the relay: the whole server machine under a script, TURN on a stream, and addresses within addresses.

import Base
import Relay
import Wire

extension Fuzzers {
    package static let relay = [Fuzzer("relay", fuzzRelay), Fuzzer("turn-stream", fuzzTURNStream)]
}

private func fuzzRelay(_ bytes: Bytes) {
    let broken = RelayScript.run(bytes).wrong
    promise(broken == nil, broken ?? "")
}

/// Pieces give the same messages as the whole.
private func fuzzTURNStream(_ bytes: Bytes) {
    let whole = messages(of: bytes, chunk: max(bytes.count, 1))
    for size in [1, 2, 3, 7, 64] {
        promise(messages(of: bytes, chunk: size) == whole, "pieces of \(size) have the same messages")
    }
}

/// `nil` ends the list when the stream is broken.
private func messages(of bytes: Bytes, chunk size: Int) -> [Bytes?] {
    let limit = 300
    var deframer = TURNDeframer(limit: limit)
    var messages: [Bytes?] = []
    for start in stride(from: 0, to: bytes.count, by: size) {
        let chunk = bytes.span.bytes.extracting(start..<min(bytes.count, start + size))
        var offset = 0
        do throws(WireError) {
            chunk: while true {
                switch try deframer.next(in: chunk, from: &offset) {
                case .message(let range): messages.append(copy(chunk.extracting(range)))
                case .assembled: messages.append(copy(deframer.assembled))
                case .needsMore: break chunk
                }
            }
        } catch {
            messages.append(nil)
            return messages
        }
        promise(deframer.heldCount <= limit, "what is held back is bounded")
    }
    return messages
}

private func copy(_ span: RawSpan) -> Bytes {
    var bytes: Bytes = []
    bytes.append(span)
    return bytes
}
