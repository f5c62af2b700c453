// A server that is started from what a drill has restored: this program as a process of its own, on a port of the loopback
// that the kernel chooses. It gets nothing of this machine's configuration but the root key, and reaches nobody.

import Base
import CShims
import Configuration
import Glibc

/// Of one task; `end` is called once.
struct DrillServer: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Starting takes a second; a passphrase, a large database or a slow machine some more.
    private static let startWithin = Duration.seconds(120)
    /// It has nobody to say goodbye to.
    private static let stopWithin = Duration.seconds(30)
    private static let outputMax = 64 << 10

    /// `http://127.0.0.1:PORT`
    let url: String
    private let process: pid_t
    private let output: Int32
    /// What calls to elsewhere are sent to: a port that is taken and where nobody listens.
    private let deadEnd: Int32

    /// `log`: a file for what it says, which must not be there.
    init(data: String, rootKey: String, keeping variables: Set<String>, log: String) throws(Failure) {
        let (deadEnd, port) = try Self.takePort()
        self.deadEnd = deadEnd
        var ends: [Int32] = [-1, -1]
        guard plexi_pipe(&ends, 0) == 0 else {
            close(deadEnd)
            throw Failure(description: "\(SystemError("make a pipe"))")
        }
        output = ends[0]
        let words = Self.words(data: data, rootKey: rootKey, proxy: "http://127.0.0.1:\(port)")
        do throws(Failure) {
            process = try Self.spawn(words, Self.environment(keeping: variables), ends[1], log)
        } catch {
            for descriptor in [deadEnd, ends[0], ends[1]] { close(descriptor) }
            throw error
        }
        close(ends[1])
        do throws(Failure) { url = try Self.address(output, process) } catch {
            kill(process, SIGKILL)
            waitpid(process, nil, 0)
            close(output)
            close(deadEnd)
            throw error
        }
    }

    private static func words(data: String, rootKey: String, proxy: String) -> [String] {
        let settings = [
            "vault.root_key=\(rootKey)", "store.url=sqlite", "files.store=folder", "outgoing.proxy=\(proxy)",
            "media.enabled=false", "relay.enabled=false", "docs.enabled=false", "web.enabled=false",
            "logging.format=human",
        ]
        return ["plexichat", "serve", "--data", data, "--listen", "127.0.0.1:0"]
            + settings.flatMap { ["--set", $0] }
    }

    /// Bound, and not listened at: connecting is refused, and nobody else can come to have it.
    private static func takePort() throws(Failure) -> (Int32, UInt16) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard descriptor >= 0, isBound else {
            let error = SystemError("take a port of the loopback")
            if descriptor >= 0 { close(descriptor) }
            throw Failure(description: "\(error)")
        }
        return (descriptor, UInt16(bigEndian: address.sin_port))
    }

    // MARK: Process

    /// Of this process's variables those that do not configure a server or speak for a service manager.
    private static func environment(keeping variables: Set<String>) -> [String] {
        var entries: [String] = []
        var next = environ
        while let entry = next.pointee {
            next += 1
            let text = String(cString: entry)
            let name = String(text.prefix { $0 != "=" })
            let isOurs = name.hasPrefix("PLEXICHAT_") || name.hasPrefix("LISTEN_") || name == "NOTIFY_SOCKET"
            if !isOurs || variables.contains(name) { entries.append(text) }
        }
        return entries
    }

    private static func spawn(
        _ words: [String], _ environment: [String], _ output: Int32, _ log: String
    ) throws(Failure) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        let arguments = words.map { strdup($0) }
        let variables = environment.map { strdup($0) }
        defer { for text in arguments + variables { free(text) } }
        var process = pid_t()
        let code = posix_spawn(&process, "/proc/self/exe", &actions, nil, arguments + [nil], variables + [nil])
        guard code == 0 else { throw Failure(description: "\(SystemError("start the server", code: code))") }
        return process
    }

    /// Waits for the line that says where it listens.
    private static func address(_ output: Int32, _ process: pid_t) throws(Failure) -> String {
        let end = Instant.now() + startWithin
        var text = Bytes()
        while text.count < outputMax {
            let left = Int32((end - Instant.now()).inSeconds * 1_000)
            guard left > 0 else { throw Failure(description: "the server is not up after \(startWithin)") }
            var waiting = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, left) > 0 else { continue }
            var bytes = Bytes(repeating: 0, count: 4_096)
            let count = read(output, &bytes, bytes.count)
            if count < 0, errno == EINTR || errno == EAGAIN { continue }
            guard count > 0 else { throw Failure(description: "the server does not start") }
            text += bytes.prefix(count)
            for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
                if let found = line.firstRange(of: "listens on ") { return String(line[found.upperBound...]) }
            }
        }
        throw Failure(description: "the server says much, and not where it listens")
    }

    /// Asks it to stop, and looks that it does so well.
    func end() async throws(Failure) {
        defer {
            close(output)
            close(deadEnd)
        }
        kill(process, SIGTERM)
        let end = Instant.now() + Self.stopWithin
        var status: Int32 = 0
        while waitpid(process, &status, WNOHANG) == 0 {
            guard Instant.now() < end else {
                kill(process, SIGKILL)
                waitpid(process, nil, 0)
                throw Failure(description: "the server did not stop in \(Self.stopWithin)")
            }
            try? await Task.sleep(for: .milliseconds(20))
        }
        guard status == 0 else { throw Failure(description: "the server ended with status \(status)") }
    }
}
