import Base
import Crypto
import Glibc
import Testing

private let program = "/usr/bin/openssl"

/// The session against an implementation that is not ours, over a real socket.
@Suite(.enabled("needs the openssl program") { access(program, X_OK) == 0 }) struct OpenSSLClientTests {
    @Test(arguments: [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
    func `openssl s_client verifies us, agrees on the protocol, and hears its echo`(
        _ option: String, _ version: String
    ) throws {
        let identity = try SelfSignedCertificate.make(names: ["localhost"], validFor: .days(1))
        let trusted = try temporaryFile(identity.certificateChain)
        defer { unlink(trusted) }
        let listener = try Listener()
        let client = try Child([
            program, "s_client", "-connect", "127.0.0.1:\(listener.port)", option, "-CAfile", trusted,
            "-verify_return_error", "-verify_hostname", "localhost", "-servername", "localhost", "-alpn", "h2,http/1.1",
            "-quiet",
        ])
        client.say(Bytes("hello over \(version)\n".utf8))
        let session = try TLSSession(server: .server(identity, applicationProtocols: ["http/1.1"]))
        let echoed = try listener.echoOneLine(session)
        #expect(echoed == Bytes("hello over \(version)\n".utf8))
        #expect(session.version == version)
        #expect(session.applicationProtocol == "http/1.1")
        let (output, status) = client.finish()
        #expect(output == echoed)
        #expect(status == 0)
    }

    @Test func `a version before 1.2 is refused`() throws {
        let identity = try SelfSignedCertificate.make(names: ["localhost"], validFor: .days(1))
        let listener = try Listener()
        let client = try Child([
            program, "s_client", "-connect", "127.0.0.1:\(listener.port)", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0",
            "-quiet",
        ])
        let session = try TLSSession(server: .server(identity))
        #expect(throws: TLSError.handshakeFailed("unsupported protocol")) { try listener.echoOneLine(session) }
        #expect(client.finish().status != 0)
    }
}

private func temporaryFile(_ bytes: Bytes) throws -> String {
    var template = Array("/tmp/plexichat-crypto-XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    #expect(write(descriptor, bytes, bytes.count) == bytes.count)
    return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
}

/// A blocking loopback listener for one connection; no call waits longer than ten seconds.
private final class Listener {
    private let descriptor: Int32
    let port: UInt16

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let named = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 1) == 0
                    && getsockname(descriptor, $0, &size) == 0
            }
        }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
        try #require(named)
        setTimeout(descriptor)
    }

    deinit { close(descriptor) }

    func echoOneLine(_ session: TLSSession) throws -> Bytes {
        let connection = accept(descriptor, nil, nil)
        try #require(connection >= 0, "nobody connected")
        setTimeout(connection)
        defer { close(connection) }
        // Whatever happens, the peer gets what the session has to say: the alert, too.
        defer { send(session.takeCiphertext(), connection) }
        var line = Bytes()
        while line.last != UInt8(ascii: "\n") {
            var chunk = Bytes(repeating: 0, count: 4_096)
            let count = recv(connection, &chunk, chunk.count, 0)
            guard count > 0 else { break }
            try session.receive(Bytes(chunk[..<count]))
            while case .plaintext(let count) = try chunk.withUnsafeMutableBytes({ try session.read(into: $0) }) {
                line += chunk[..<count]
            }
            send(session.takeCiphertext(), connection)
        }
        _ = try session.write(line)
        session.close()
        return line
    }

    private func send(_ bytes: Bytes, _ connection: Int32) {
        if !bytes.isEmpty {
            #expect(Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
        }
    }

    private func setTimeout(_ descriptor: Int32) {
        var time = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }
}

/// A program with its input and output on pipes.
private final class Child {
    private var process = pid_t()
    private let input: Int32
    private let output: Int32

    init(_ arguments: [String]) throws {
        var toChild: [Int32] = [0, 0]
        var fromChild: [Int32] = [0, 0]
        try #require(pipe(&toChild) == 0 && pipe(&fromChild) == 0)
        for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        input = toChild[1]
        output = fromChild[0]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        let result = posix_spawn(&process, arguments[0], &actions, nil, &words, environ)
        posix_spawn_file_actions_destroy(&actions)
        words.forEach { free($0) }
        close(toChild[0])
        close(fromChild[1])
        try #require(result == 0)
    }

    func say(_ bytes: Bytes) { #expect(write(input, bytes, bytes.count) == bytes.count) }

    /// Reads to the end and waits.
    func finish() -> (output: Bytes, status: Int32) {
        var all = Bytes()
        var chunk = Bytes(repeating: 0, count: 4_096)
        while case let count = read(output, &chunk, chunk.count), count > 0 { all += chunk[..<count] }
        close(input)
        close(output)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        return (all, status >> 8 & 0xFF)
    }
}
