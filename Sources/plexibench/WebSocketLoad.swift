// A load client for WebSockets: many sockets on one thread, so that one core of client load stands against one core
// of server. It speaks to any server (ours, or nginx with nchan) by URL.

import Base
import Glibc
import Net
import Wire

struct LoadError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// `ws://ADDRESS:PORT/PATH` or `http://…`: a numeric IPv4 address, since a load client has no business with names.
struct LoadTarget: Sendable {
    let address: UInt32
    let port: UInt16
    let path: String

    init(_ url: String) throws(LoadError) {
        guard let scheme = url.range(of: "://") else { throw LoadError("\(url) is no URL") }
        let rest = url[scheme.upperBound...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<slash].split(separator: ":")
        let numbers = authority.first?.split(separator: ".").compactMap { UInt8($0) } ?? []
        guard numbers.count == 4, authority.count == 2, let port = UInt16(authority[1]) else {
            throw LoadError("\(url) must name a numeric IPv4 address and a port")
        }
        address = numbers.reduce(0) { $0 << 8 | UInt32($1) }
        self.port = port
        path = slash == rest.endIndex ? "/" : String(rest[slash...])
    }

    /// A socket that is connected, or connecting if it does not block.
    func connect(blocks: Bool) throws(SystemError) -> Int32 {
        let kind = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | (blocks ? 0 : SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_INET, Int32(kind), 0)
        guard descriptor >= 0 else { throw SystemError("make a socket") }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var raw = sockaddr_in()
        raw.sin_family = sa_family_t(AF_INET)
        raw.sin_port = port.bigEndian
        raw.sin_addr.s_addr = address.bigEndian
        let code = withUnsafePointer(to: &raw) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 || errno == EINPROGRESS else {
            let error = SystemError("connect to port \(port)")
            close(descriptor)
            throw error
        }
        return descriptor
    }
}

extension String {
    /// Foundation's, for the one search that is needed here.
    fileprivate func range(of needle: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(needle) { return start..<index(start, offsetBy: needle.count) }
            start = index(after: start)
        }
        return nil
    }
}

/// Ends with a reset: a closing handshake of TCP would leave the port in TIME_WAIT, and there are only 28,000 of them.
private func resetOnClose(_ descriptor: Int32) {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
}

/// A connection for handshakes only.
final class BlockingSocket {
    /// An answer that takes longer ends the run.
    private static let patience = timeval(tv_sec: 5, tv_usec: 0)

    let descriptor: Int32

    init(_ target: LoadTarget) throws(SystemError) {
        descriptor = try target.connect(blocks: true)
        resetOnClose(descriptor)
        var patience = Self.patience
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func send(_ bytes: Bytes) throws(SystemError) {
        let sent = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent == bytes.count else { throw SystemError("send") }
    }

    func receiveHead() throws(SystemError) -> Bytes {
        var head = Bytes()
        while !LoadHandshake.isWhole(head) {
            let count = withUnsafeTemporaryAllocation(byteCount: 1_024, alignment: 1) { buffer in
                let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
                if count > 0 { head += buffer[..<count] }
                return count
            }
            guard count > 0 else { throw SystemError("receive an answer") }
        }
        return head
    }
}

enum LoadHandshake {
    /// The sample key of RFC 6455 §1.3, whose answer is known.
    private static let key = "dGhlIHNhbXBsZSBub25jZQ=="
    private static let accepted = Bytes("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n".utf8)
    private static let switched = Bytes("HTTP/1.1 101".utf8)
    private static let end = Bytes("\r\n\r\n".utf8)

    /// `headers` are whole lines, for a cookie or a token.
    static func request(_ target: LoadTarget, headers: String) -> Bytes {
        Bytes(
            """
            GET \(target.path) HTTP/1.1\r\nHost: 127.0.0.1:\(target.port)\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Key: \(key)\r\nSec-WebSocket-Version: 13\r\n\(headers)\r\n
            """.utf8)
    }

    /// Bytes, not text: searching a String would take an eighth of the client's time.
    static func isAccepted(_ head: Bytes) -> Bool {
        guard head.starts(with: switched), head.count > switched.count + accepted.count else { return false }
        return (switched.count...(head.count - accepted.count)).contains { start in
            head[start] == accepted[0] && head[start..<(start + accepted.count)].elementsEqual(accepted)
        }
    }

    /// An answer to a handshake has no body, and the client asks for nothing more.
    static func isWhole(_ head: Bytes) -> Bool { head.suffix(end.count).elementsEqual(end) }
}

/// One non-blocking connection of the client. Belongs to its loop's thread.
final class LoadConnection {
    /// All connections read into it, one after the other: there is one load thread.
    nonisolated(unsafe) private static let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 64 << 10)

    private let descriptor: Int32
    private var watch: (any DescriptorWatch)?
    private var isConnected = false
    private let connected: () -> Void
    private let received: (Span<UInt8>) -> Void
    private let ended: () -> Void

    init(
        _ target: LoadTarget, on loop: Shard, connected: @escaping () -> Void,
        received: @escaping (Span<UInt8>) -> Void, ended: @escaping () -> Void
    ) throws(SystemError) {
        descriptor = try target.connect(blocks: false)
        self.connected = connected
        self.received = received
        self.ended = ended
        watch = try loop.watch(descriptor, for: .writable) { [unowned self] readiness in ready(readiness) }
    }

    /// Requests and frames of a load client fit into an empty socket buffer; one that does not is a fault of the run.
    func send(_ bytes: Bytes) {
        let sent = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        if sent != bytes.count { end() }
    }

    func reset() {
        guard watch != nil else { return }
        resetOnClose(descriptor)
        close()
    }

    private func close() {
        watch?.cancel()
        watch = nil
        Glibc.close(descriptor)
    }

    private func end() {
        guard watch != nil else { return }
        close()
        ended()
    }

    private func ready(_ readiness: Readiness) {
        guard isConnected else { return finishConnecting() }
        let count = recv(descriptor, Self.buffer.baseAddress, Self.buffer.count, 0)
        if count > 0 {
            received(UnsafeBufferPointer(rebasing: Self.buffer[..<count]).span)
        } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
            end()
        }
    }

    private func finishConnecting() {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        guard code == 0 else { return end() }
        isConnected = true
        watch?.interest = .readable
        connected()
    }
}

/// One WebSocket of the client: the handshake, then messages.
final class LoadSocket {
    private enum Phase { case handshake, open, ended }

    private static let messageLimit = 16 << 20

    private var connection: LoadConnection?
    private var phase = Phase.handshake
    private var head = Bytes()
    private var receiver = WebSocketReceiver(.client, messageLimit: messageLimit, allowsCompression: false)
    private let opened: (LoadSocket) -> Void
    private let message: (String?) -> Void
    private let ended: (LoadSocket, String) -> Void

    /// `message` is called with each text, and with `nil` for other messages.
    init(
        _ target: LoadTarget, headers: String = "", on loop: Shard, opened: @escaping (LoadSocket) -> Void,
        message: @escaping (String?) -> Void = { _ in }, ended: @escaping (LoadSocket, String) -> Void
    ) throws(SystemError) {
        self.opened = opened
        self.message = message
        self.ended = ended
        let request = LoadHandshake.request(target, headers: headers)
        connection = try LoadConnection(
            target, on: loop,
            connected: { [unowned self] in connection?.send(request) },
            received: { [unowned self] bytes in received(bytes) },
            ended: { [unowned self] in end("the server ended the connection") })
    }

    func send(_ text: String) {
        connection?.send(WebSocketFrame.encode(.text, Bytes(text.utf8), mask: UInt32.random(in: 1...UInt32.max)))
    }

    func reset() {
        phase = .ended
        connection?.reset()
        connection = nil
    }

    private func end(_ reason: String) {
        guard phase != .ended else { return }
        reset()
        ended(self, reason)
    }

    private func received(_ bytes: Span<UInt8>) {
        var offset = 0
        if phase == .handshake { offset = readHead(bytes) }
        guard phase == .open else { return }
        do throws(WebSocketFault) {
            while phase == .open, let event = try receiver.next(bytes, &offset) { handle(event) }
        } catch {
            end("\(error.reason)")
        }
    }

    private func handle(_ event: WebSocketEvent) {
        switch event {
        case .text(let text): message(text)
        case .binary, .compressed: message(nil)
        case .ping(let payload):
            connection?.send(WebSocketFrame.encode(.pong, payload, mask: UInt32.random(in: 1...UInt32.max)))
        case .pong: break
        case .close(let code, let reason): end("closed with \(code.rawValue) \(reason)")
        }
    }

    /// The offset of the first frame.
    private func readHead(_ bytes: Span<UInt8>) -> Int {
        for index in 0..<bytes.count {
            head.append(bytes[index])
            guard head.suffix(4) == [13, 10, 13, 10] else { continue }
            finishHandshake(head)
            head = []
            return index + 1
        }
        if head.count > 16 << 10 { end("the answer has no end") }
        return bytes.count
    }

    private func finishHandshake(_ head: Bytes) {
        guard LoadHandshake.isAccepted(head) else {
            return end("no WebSocket: \(String(decoding: head.prefix { $0 != 13 }, as: UTF8.self))")
        }
        phase = .open
        opened(self)
    }
}
