// A program of others whose output is read: `pg_dump`. Started directly, without a shell.

import Base
import CShims
import Glibc
import Synchronization

final class ChildProcess: Sendable {
    /// Between two looks at whether the output is still wanted.
    private static let patience: Int32 = 500
    private static let complaintMax = 2_000

    private let name: String
    private let process: pid_t
    private let output: OpenFile
    private let complaints: OpenFile

    /// `arguments` without the program's name; `variables` besides those of this process.
    init(_ program: String, _ arguments: [String], variables: [(name: String, value: Secret)]) throws(BackupError) {
        name = program
        var (out, error): ([Int32], [Int32]) = ([-1, -1], [-1, -1])
        guard plexi_pipe(&out, 1) == 0 else { throw Files.failure("make a pipe") }
        output = OpenFile(owning: out[0])
        let outEnd = OpenFile(owning: out[1])
        guard plexi_pipe(&error, 0) == 0 else { throw Files.failure("make a pipe") }
        complaints = OpenFile(owning: error[0])
        let errorEnd = OpenFile(owning: error[1])
        process = try Self.spawn(program, arguments, variables, outEnd.descriptor, errorEnd.descriptor)
    }

    private static func spawn(
        _ program: String, _ arguments: [String], _ variables: [(name: String, value: Secret)], _ output: Int32,
        _ complaints: Int32
    ) throws(BackupError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, complaints, STDERR_FILENO)
        let words = ([program] + arguments).map { strdup($0) }
        let environment = Self.environment(variables)
        defer {
            for word in words { free(word) }
            // Passwords are among them.
            for entry in environment { if let entry { explicit_bzero(entry, strlen(entry)); free(entry) } }
        }
        var process = pid_t()
        let code = posix_spawnp(&process, program, &actions, nil, words + [nil], environment)
        guard code == 0 else {
            throw .unavailable(
                "\(SystemError("start \(program)", code: code)); is it installed, and in PATH?")
        }
        return process
    }

    private static func environment(
        _ variables: [(name: String, value: Secret)]
    ) -> [UnsafeMutablePointer<CChar>?] {
        let names = Set(variables.map(\.name))
        var entries: [UnsafeMutablePointer<CChar>?] = []
        var next = environ
        while let entry = next.pointee {
            let name = String(cString: entry).prefix { $0 != "=" }
            if !names.contains(String(name)) { entries.append(strdup(entry)) }
            next += 1
        }
        for (name, value) in variables {
            let text = value.withExposedBytes { String(decoding: $0, as: UTF8.self) }
            entries.append(strdup("\(name)=\(text)"))
        }
        return entries + [nil]
    }

    /// Some bytes; `nil` at the end, when the program has said that all went well.
    func read() throws(BackupError) -> Bytes? {
        while true {
            if Task.isCancelled { throw .cancelled }
            var waiting = pollfd(fd: output.descriptor, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, Self.patience)
            if ready == 0 || (ready < 0 && errno == EINTR) { continue }
            var code: Int32 = 0
            let bytes = Bytes(unsafeUninitializedCapacity: BackupLimits.block) { buffer, count in
                let got = Glibc.read(output.descriptor, buffer.baseAddress, buffer.count)
                if got < 0 { code = errno }
                count = max(0, got)
            }
            if code == EINTR { continue }
            if code != 0 { throw Files.failure("read what \(name) says", code: code) }
            if !bytes.isEmpty { return bytes }
            try finish()
            return nil
        }
    }

    private func finish() throws(BackupError) {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        isOver.store(true, ordering: .relaxed)
        guard status != 0 else { return }
        let complaint = Bytes(unsafeUninitializedCapacity: Self.complaintMax) { buffer, count in
            count = max(0, Glibc.read(complaints.descriptor, buffer.baseAddress, buffer.count))
        }
        let words = String(decoding: complaint, as: UTF8.self).split(whereSeparator: \.isNewline).joined(separator: " ")
        throw .unavailable("\(name) failed: \(words)")
    }

    private let isOver = Atomic<Bool>(false)

    /// A program that is not wanted any more does not go on writing into the air.
    func stop() {
        guard !isOver.exchange(true, ordering: .relaxed) else { return }
        kill(process, SIGTERM)
        while waitpid(process, nil, 0) < 0, errno == EINTR {}
    }
}
