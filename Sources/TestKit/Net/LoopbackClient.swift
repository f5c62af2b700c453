// A blocking client on loopback for tests of servers: it sends exactly the bytes it is given and reads with a time
// limit. Deliberately not a good HTTP client: it shows what is on the wire.

package import Base
package import Crypto
import Glibc

package struct LoopbackError: Error, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

package struct ReceivedAnswer: Sendable {
    package var status = 0
    /// Names in lower case.
    package var headers: [(name: String, value: String)] = []
    /// Without its transfer coding.
    package var body = Bytes()

    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    package var text: String { String(decoding: body, as: UTF8.self) }
}

package final class LoopbackClient {
    private let descriptor: Int32
    private let session: TLSSession?
    private var unread = Bytes()
    /// The server has closed its half.
    package private(set) var hasEnded = false
    /// The end was a reset.
    package private(set) var wasReset = false

    /// `tls` is trusted as configured, for the name `localhost`.
    package init(port: UInt16, tls: TLSContext? = nil, timeout: Duration = .seconds(10)) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SystemError("make a socket") }
        session = try tls.map { try TLSSession(client: $0, host: "localhost") }
        limit(timeout)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw SystemError("connect to port \(port)") }
        if session != nil { try handshake() }
    }

    package init(unixPath: String, timeout: Duration = .seconds(10)) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        session = nil
        limit(timeout)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: unixPath.utf8) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else { throw SystemError("connect to \(unixPath)") }
    }

    deinit { close(descriptor) }

    /// A small receive buffer makes this client a slow reader at once.
    package func shrinkReceiveBuffer() {
        var size: Int32 = 4_096
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    package var tlsVersion: String? { session?.version }

    // MARK: Sending

    package func send(_ text: String) throws { try send(Bytes(text.utf8)) }

    package func send(_ bytes: Bytes) throws {
        guard let session else { return try sendRaw(bytes) }
        var rest = bytes
        while !rest.isEmpty {
            let count = try session.write(rest)
            rest.removeFirst(count)
            try sendRaw(session.takeCiphertext())
        }
    }

    /// No more will be sent; answers can still be read.
    package func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Ends the connection with a reset.
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    private func sendRaw(_ bytes: Bytes) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw SystemError("send") }
            sent += count
        }
    }

    // MARK: Receiving

    /// Whatever comes next; empty at the end.
    package func receive() throws -> Bytes {
        if !unread.isEmpty {
            defer { unread = [] }
            return unread
        }
        guard let session else { return try receiveRaw() }
        var buffer = Bytes(repeating: 0, count: 32 << 10)
        while true {
            switch try buffer.withUnsafeMutableBytes({ try session.read(into: $0) }) {
            case .plaintext(let count): return Bytes(buffer[..<count])
            case .ended: return []
            case .needsMore:
                let bytes = try receiveRaw()
                guard !bytes.isEmpty else { return [] }
                try session.receive(bytes)
            }
        }
    }

    /// Everything up to the server's end of the connection.
    package func receiveAll() throws -> String {
        var all = Bytes()
        while true {
            let bytes = try receive()
            if bytes.isEmpty { return String(decoding: all, as: UTF8.self) }
            all += bytes
        }
    }

    /// True when the server ends the connection without another byte.
    package func isEndedByServer() throws -> Bool { try receive().isEmpty && hasEnded }

    /// One answer. `toHead`: the answer to HEAD has no body, whatever it says.
    package func receiveAnswer(toHead: Bool = false) throws -> ReceivedAnswer {
        var answer = try receiveHead()
        if toHead || answer.status < 200 || answer.status == 204 || answer.status == 304 { return answer }
        if answer.header("transfer-encoding") == "chunked" {
            answer.body = try receiveChunks()
        } else if let length = answer.header("content-length").flatMap({ Int($0) }) {
            answer.body = try receiveExactly(length)
        } else {
            answer.body = Bytes(try receiveAll().utf8)
        }
        return answer
    }

    package func receiveHead() throws -> ReceivedAnswer {
        var answer = ReceivedAnswer()
        let first = try receiveLine().split(separator: " ")
        guard first.count >= 2, first[0] == "HTTP/1.1", let status = Int(first[1]) else {
            throw LoopbackError("no status line: \(first)")
        }
        answer.status = status
        while true {
            let line = try receiveLine()
            if line.isEmpty { return answer }
            guard let colon = line.firstIndex(of: ":") else { throw LoopbackError("no header: \(line)") }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            answer.headers.append((line[..<colon].lowercased(), String(value)))
        }
    }

    package func receiveExactly(_ count: Int) throws -> Bytes {
        var bytes = unread
        unread = []
        while bytes.count < count {
            let piece = try receive()
            guard !piece.isEmpty else { throw LoopbackError("ended after \(bytes.count) of \(count) bytes") }
            bytes += piece
        }
        unread = Bytes(bytes[count...])
        return Bytes(bytes[..<count])
    }

    /// Whether `receive` would have something at once, or the end.
    package func isReadable(within milliseconds: Int32) -> Bool {
        if !unread.isEmpty { return true }
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&wait, 1, milliseconds) > 0
    }

    private func receiveChunks() throws -> Bytes {
        var body = Bytes()
        while true {
            let line = try receiveLine()
            guard let size = Int(line, radix: 16) else { throw LoopbackError("no chunk size: \(line)") }
            body += try receiveExactly(size)
            guard try receiveLine().isEmpty else { throw LoopbackError("no end of a chunk") }
            if size == 0 { return body }
        }
    }

    private func receiveLine() throws -> String {
        var line = Bytes()
        while true {
            let piece = try receive()
            guard !piece.isEmpty else { throw LoopbackError("ended within a line: \(line.count) bytes") }
            line += piece
            guard let end = line.firstIndex(of: 10) else { continue }
            unread = Bytes(line[(end + 1)...])
            guard end > 0, line[end - 1] == 13 else { throw LoopbackError("a line ends without CR") }
            return String(decoding: line[..<(end - 1)], as: UTF8.self)
        }
    }

    private func receiveRaw() throws -> Bytes {
        var buffer = Bytes(repeating: 0, count: 32 << 10)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count > 0 { return Bytes(buffer[..<count]) }
        if count < 0, errno != ECONNRESET { throw SystemError("receive") }
        wasReset = count < 0
        hasEnded = true
        return []
    }

    // MARK: Set-up

    private func limit(_ timeout: Duration) {
        var time = timeval(tv_sec: Int(timeout.components.seconds), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    private func handshake() throws {
        guard let session else { return }
        while session.phase == .handshaking {
            try sendRaw(session.takeCiphertext())
            let bytes = try receiveRaw()
            guard !bytes.isEmpty else { throw LoopbackError("ended within the handshake") }
            try session.receive(bytes)
        }
        try sendRaw(session.takeCiphertext())
    }
}
