// TLS under a transport: the session, and the ciphertext that the socket has not taken yet.

import Base
import Crypto
import Glibc

final class TransportSecurity {
    let session: TLSSession
    private var unsent = Bytes()
    private var sent = 0
    private var hasClosed = false

    init(_ session: TLSSession) { self.session = session }

    /// Also after the peer's close_notify: it may still read.
    var takesPlaintext: Bool { session.phase == .established || session.phase == .ended }
    var isHandshaking: Bool { session.phase == .handshaking }
    var unsentCount: Int { unsent.count - sent + session.ciphertextCount }
    var hasUnsent: Bool { sent < unsent.count || session.hasCiphertext }

    /// Seals as much of the queue as the session takes; the queue itself is bounded by its owner.
    func encrypt(_ queue: inout OutputQueue, scratch: UnsafeMutableBufferPointer<UInt8>) throws {
        while !queue.isEmpty {
            let count = try queue.take(scratch) { try session.write($0) }
            guard count > 0 else { return }
        }
    }

    /// Seals as much of the message as the session takes now. Why it takes nothing is told by the next `encrypt` of the
    /// queue.
    func encrypt(_ message: UnsafeRawBufferPointer) -> Int {
        takesPlaintext ? (try? session.write(message)) ?? 0 : 0
    }

    /// `nil` when the socket takes nothing now.
    func send(to descriptor: Int32) throws(SystemError) -> Int? {
        if sent == unsent.count {
            unsent = session.takeCiphertext()
            sent = 0
        }
        guard !unsent.isEmpty else { return 0 }
        let result = try Syscall.transfer("send") {
            unsent.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
        }
        guard let count = result else { return nil }
        sent += count
        if sent == unsent.count {
            unsent = []
            sent = 0
        }
        return count
    }

    /// Says close_notify, once. True when there is something to send because of it.
    func close() -> Bool {
        guard !hasClosed else { return false }
        hasClosed = true
        session.close()
        return session.hasCiphertext
    }
}
