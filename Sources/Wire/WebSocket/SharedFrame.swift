// One message for many sockets: framed once, its bytes shared by all of them.

package import Base
import Synchronization

/// A server's message as it goes on the wire. Sockets of any thread may hold it; a compressed form is made when the
/// first socket that negotiated compression asks for it, and works for all of them because no socket of ours keeps a
/// compression context from one message to the next.
package final class SharedFrame: Sendable {
    private enum Compressed {
        case notTried
        /// `nil`: it would not be shorter.
        case tried(Bytes?)
    }

    /// The whole frame, uncompressed.
    package let plain: Bytes
    private let opcode: WebSocketOpcode
    private let payloadCount: Int
    private let compressed = Mutex(Compressed.notTried)

    /// A text message.
    package convenience init(text: String) { self.init(.text, Bytes(text.utf8)) }

    /// A text message of bytes that are known to be UTF-8, such as a `JSONWriter`'s.
    package convenience init(textBytes bytes: Bytes) { self.init(.text, bytes) }

    package convenience init(binary: Bytes) { self.init(.binary, binary) }

    private init(_ opcode: WebSocketOpcode, _ payload: Bytes) {
        self.opcode = opcode
        payloadCount = payload.count
        plain = WebSocketFrame.encode(opcode, payload)
    }

    /// The frame for a socket that negotiated permessage-deflate. `deflate` gives the payload of RFC 7692 §7.2.1, or
    /// `nil` when that is not worth it; it is called at most once for all sockets.
    package func compressed(by deflate: (Bytes) -> Bytes?) -> Bytes {
        compressed.withLock { state in
            if case .tried(let frame) = state { return frame ?? plain }
            let payload = deflate(Bytes(plain.suffix(payloadCount)))
            let frame = payload.map { WebSocketFrame.encode(opcode, $0, isCompressed: true) }
            state = .tried(frame)
            return frame ?? plain
        }
    }
}
