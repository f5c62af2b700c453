import Base
import Crypto
import Glibc
import Testing

private let program = "/usr/bin/openssl"

/// The session against the `openssl` program over loopback: another process, its own clock, an RSA certificate. Its
/// exporter is asked for our keys, and its hash of the certificate for our fingerprints.
@Suite(.serialized, .enabled("needs the openssl program") { access(program, X_OK) == 0 })
struct DTLSProgramTests {
    private static let profiles = "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM"

    @Test func `openssl s_client has our keys, and hears its echo`() throws {
        let files = try PeerFiles()
        let socket = try Datagrams()
        let peer = try Program(
            [
                program, "s_client", "-dtls1_2", "-connect", "127.0.0.1:\(socket.port)", "-use_srtp", Self.profiles,
                "-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", "60",
            ] + files.arguments)
        peer.say("hello from the client\n")
        let session = try DTLSSession(.server, try DTLSIdentity.make())
        let heard = try socket.converse(session) { _ in session.takeApplicationData() }
        #expect(heard == Bytes("hello from the client\n".utf8) && session.send(Bytes("echo: ".utf8) + heard))
        try check(session, peer, socket, files, expecting: "echo: hello from the client", clientIsPeer: true)
    }

    @Test func `openssl s_server has our keys, and answers us`() throws {
        let files = try PeerFiles()
        let socket = try Datagrams()
        let port = try Datagrams.freePort()
        let peer = try Program(
            [
                program, "s_server", "-dtls1_2", "-accept", "127.0.0.1:\(port)", "-Verify", "1", "-use_srtp",
                Self.profiles, "-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", "60",
            ] + files.arguments)
        try socket.connect(to: port)
        let session = try DTLSSession(.client, try DTLSIdentity.make())
        session.start(now: .now())
        var asked = false
        let heard = try socket.converse(session) { session -> Bytes? in
            if session.phase == .established, !asked {
                asked = session.send(Bytes("hello from us\n".utf8))
                peer.say("hello from the server\n")
            }
            return session.takeApplicationData()
        }
        #expect(heard == Bytes("hello from the server\n".utf8))
        try check(session, peer, socket, files, expecting: "hello from us", clientIsPeer: false)
    }

    private func check(
        _ session: DTLSSession, _ peer: Program, _ socket: Datagrams, _ files: PeerFiles, expecting line: String,
        clientIsPeer: Bool
    ) throws {
        #expect(session.peerFingerprint(matches: [try files.fingerprint()]))
        let keys = try #require(session.exportedKeys())
        // The server decides: ours prefers GCM, the program CM.
        #expect(keys.profile == (clientIsPeer ? .aeadAES128GCM : .aes128CMSHA1_80))
        let sides = [(keys.localKey, keys.localSalt), (keys.remoteKey, keys.remoteSalt)]
        let (client, server) = clientIsPeer ? (sides[1], sides[0]) : (sides[0], sides[1])
        let material = [client.0, server.0, client.1, server.1].flatMap(\.exposedBytes)
        session.close()
        socket.sendAll(of: session)
        let output = peer.finish()
        let expected = Hex.encode(Bytes(material)).uppercased()
        #expect(output.contains("Keying material: \(expected)"), "\(output)")
        #expect(output.contains(line))
    }
}

/// An RSA key and certificate of the peer, made by the program.
private final class PeerFiles {
    private let folder: String

    init() throws {
        var template = Array("/tmp/plexichat-dtls-XXXXXX".utf8CString)
        let made = mkdtemp(&template) != nil
        try #require(made)
        folder = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        _ = try Program([
            program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=peer", "-keyout",
            folder + "/key.pem", "-out", folder + "/certificate.pem",
        ]).finish()
    }

    deinit {
        unlink(folder + "/key.pem")
        unlink(folder + "/certificate.pem")
        rmdir(folder)
    }

    var arguments: [String] { ["-cert", folder + "/certificate.pem", "-key", folder + "/key.pem"] }

    func fingerprint() throws -> DTLSFingerprint {
        let text = try Program([
            program, "x509", "-in", folder + "/certificate.pem", "-noout", "-fingerprint", "-sha256",
        ]).finish()
        let value = text.split(separator: "=").last?.trimmingSuffix { $0 == "\n" } ?? ""
        return try #require(DTLSFingerprint(algorithm: "sha-256", value: String(value)))
    }
}

extension Substring {
    fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
        var rest = self
        while let last = rest.last, predicate(last) { rest = rest.dropLast() }
        return rest
    }
}

/// A UDP socket on loopback that talks to whoever spoke first.
private final class Datagrams {
    private static let patience = Duration.seconds(10)
    private let descriptor: Int32
    let port: UInt16
    private var isConnected = false

    init() throws {
        let descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = descriptor
        var address = Self.loopback(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let named = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        try #require(named)
        var time = timeval(tv_sec: 0, tv_usec: 20_000)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    static func freePort() throws -> UInt16 { try Datagrams().port }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    func connect(to port: UInt16) throws {
        var address = Self.loopback(port)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0)
        isConnected = true
    }

    func sendAll(of session: DTLSSession) {
        // Nobody may be there yet: what is lost is repeated.
        while let datagram = session.takeDatagram() { _ = send(descriptor, datagram, datagram.count, 0) }
    }

    /// Until `done` has an answer.
    func converse(_ session: DTLSSession, until done: (DTLSSession) -> Bytes?) throws -> Bytes {
        let end = Instant.now() + Self.patience
        var buffer = Bytes(repeating: 0, count: 2_048)
        while Instant.now() < end {
            sendAll(of: session)
            if let answer = done(session) { return answer }
            var from = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let count = withUnsafeMutablePointer(to: &from) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    recvfrom(descriptor, &buffer, buffer.count, 0, $0, &size)
                }
            }
            if count > 0 {
                if !isConnected { try connect(to: UInt16(bigEndian: from.sin_port)) }
                session.receive(Bytes(buffer[..<count]), now: .now())
            }
            session.handleTimeout(now: .now())
        }
        Issue.record("nothing was said in time, \(session.phase)")
        return []
    }
}

/// A program with its input and output on pipes.
private final class Program {
    private var process = pid_t()
    private let input: Int32
    private let output: Int32

    init(_ arguments: [String]) throws {
        var toChild: [Int32] = [0, 0]
        var fromChild: [Int32] = [0, 0]
        let piped = pipe(&toChild) == 0 && pipe(&fromChild) == 0
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
        try #require(piped && result == 0)
    }

    func say(_ text: String) {
        let bytes = Bytes(text.utf8)
        #expect(write(input, bytes, bytes.count) == bytes.count)
    }

    /// Ends its input, reads its output to the end, and waits for it.
    func finish() -> String {
        close(input)
        var all = Bytes()
        var chunk = Bytes(repeating: 0, count: 4_096)
        while case let count = read(output, &chunk, chunk.count), count > 0 { all += chunk[..<count] }
        close(output)
        var status: Int32 = 0
        waitpid(process, &status, 0)
        return String(decoding: all, as: UTF8.self)
    }
}
