import Base
import Crypto
import Glibc
import Testing

/// A server of `Tests/Peers`, in Python. Ends when its input is closed, so at the latest with the tests.
final class PeerProcess: @unchecked Sendable {
    private var process = pid_t()
    private let input: Int32
    private let output: UnsafeMutablePointer<FILE>
    let port: UInt16

    static var canRun: Bool { access("/usr/bin/env", X_OK) == 0 && system("python3 -c '' 2>/dev/null") == 0 }

    init(_ name: String, _ arguments: String...) throws {
        let tests = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        var toPeer: [Int32] = [0, 0]
        var fromPeer: [Int32] = [0, 0]
        guard pipe(&toPeer) == 0, pipe(&fromPeer) == 0, let file = fdopen(fromPeer[0], "r") else {
            throw SystemError("pipe")
        }
        for descriptor in toPeer + fromPeer { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        input = toPeer[1]
        output = file
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, toPeer[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromPeer[1], 1)
        let words = ["env", "python3", "\(tests)/Peers/\(name).py"] + arguments
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        let code = posix_spawn(&process, "/usr/bin/env", &actions, nil, &pointers, environ)
        posix_spawn_file_actions_destroy(&actions)
        pointers.forEach { free($0) }
        close(toPeer[0])
        close(fromPeer[1])
        guard code == 0 else { throw SystemError("posix_spawn", code: code) }
        guard let line = Self.line(of: output), let port = UInt16(line) else {
            throw SystemError("starting \(name).py")
        }
        self.port = port
    }

    deinit {
        close(input)
        fclose(output)
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }

    /// The next line that the peer prints. Waits for it: only ask for what must come.
    func nextLine() -> String? { Self.line(of: output) }

    private static func line(of file: UnsafeMutablePointer<FILE>) -> String? {
        var buffer = [CChar](repeating: 0, count: 65_536)
        guard fgets(&buffer, Int32(buffer.count), file) != nil else { return nil }
        return String(decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// A certificate for `localhost`, as files.
final class CertificateFiles: Sendable {
    let certificate: String
    let key: String

    init() throws {
        let identity = try SelfSignedCertificate.make(names: ["localhost"], validFor: .days(1))
        certificate = try Self.write(identity.certificateChain)
        key = try Self.write(identity.privateKey.exposedBytes)
    }

    deinit {
        unlink(certificate)
        unlink(key)
    }

    static func write(_ bytes: Bytes) throws -> String {
        var template = Array("/tmp/plexichat-net-XXXXXX".utf8CString)
        let descriptor = mkstemp(&template)
        defer { close(descriptor) }
        guard descriptor >= 0, Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            throw SystemError("a temporary file")
        }
        return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
