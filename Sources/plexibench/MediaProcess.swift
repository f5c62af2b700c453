// A program under test in a process of its own, on a core of its own, and what the kernel says of it.

import Base
import Glibc

struct MediaProcess {
    let id: pid_t
    /// Our end of its descriptor 0.
    let channel: LineChannel

    /// Starts this same program with other arguments. `core` pins it; `nil` when it cannot be started.
    init?(_ arguments: [String], core: Int?) {
        var path = [CChar](repeating: 0, count: 4_096)
        let length = readlink("/proc/self/exe", &path, path.count - 1)
        guard length > 0 else { return nil }
        let program = String(decoding: path[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.init(program: [program] + arguments, core: core)
    }

    init?(program: [String], core: Int?) {
        var pair: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0 else { return nil }
        _ = fcntl(pair[0], F_SETFD, FD_CLOEXEC)
        let words = (core.map { ["taskset", "-c", "\($0)"] } ?? []) + program
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, pair[1], 0)
        posix_spawn_file_actions_addclose(&actions, pair[1])
        var list = words.map { strdup($0) } + [nil]
        var child: pid_t = 0
        let code = posix_spawnp(&child, words[0], &actions, nil, &list, environ)
        for word in list { free(word) }
        posix_spawn_file_actions_destroy(&actions)
        close(pair[1])
        guard code == 0 else { return nil }
        id = child
        channel = LineChannel(pair[0])
    }

    /// It ends when its descriptor 0 does, or is told to; waited for, so that it is gone. One that takes more than 5 s
    /// is ended.
    func end() {
        close(channel.descriptor)
        kill(id, SIGTERM)
        var status: Int32 = 0
        for _ in 0..<500 {
            if waitpid(id, &status, WNOHANG) != 0 { return }
            usleep(10_000)
        }
        kill(id, SIGKILL)
        waitpid(id, &status, 0)
    }

    /// All its threads together, user and system.
    var processorNanoseconds: UInt64 { Self.processorNanoseconds(id) }

    static func processorNanoseconds(_ id: pid_t) -> UInt64 {
        guard let folder = opendir("/proc/\(id)/task") else { return 0 }
        defer { closedir(folder) }
        var sum: UInt64 = 0
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let thread = Int(name), let file = fopen("/proc/\(id)/task/\(thread)/schedstat", "r") else {
                continue
            }
            var buffer = Bytes(repeating: 0, count: 128)
            let count = fread(&buffer, 1, buffer.count, file)
            fclose(file)
            let text = String(decoding: buffer[..<count], as: UTF8.self)
            sum += text.split(separator: " ").first.flatMap { UInt64($0) } ?? 0
        }
        return sum
    }

    var residentBytes: Int { WebSocketServerProcess(id: Int(id)).residentBytes ?? 0 }
}
