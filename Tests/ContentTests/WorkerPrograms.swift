// Programs that play a worker in tests: the real one, and shell scripts that behave as no worker should.

import Base
import Glibc

@testable import Content

enum WorkerPrograms {
    /// `plexichat`, beside the tests or where `PLEXI_BINARY` says.
    static let real: String? = {
        if let named = getenv("PLEXI_BINARY") { return String(cString: named) }
        var room = Array(repeating: CChar(0), count: 4_096)
        let count = readlink("/proc/self/exe", &room, room.count - 1)
        guard count > 0 else { return nil }
        let own = String(decoding: room[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let slash = own.lastIndex(of: "/") else { return nil }
        let path = own[..<slash] + "/plexichat"
        return access(String(path), X_OK) == 0 ? String(path) : nil
    }()

    static func options(_ change: (inout ImageWorkers.Options) -> Void = { _ in }) -> ImageWorkers.Options {
        var options = ImageWorkers.Options()
        options.program = real ?? "/nonexistent"
        options.workers = 2
        // Many machines that build are slow, and debug builds are slower.
        options.jobTime = .seconds(30)
        options.startTime = .seconds(30)
        change(&options)
        return options
    }

    /// A shell that runs `script` with the socket as descriptor 3. `$ready` and `$reply` print messages.
    static func shell(_ script: String, _ reply: WorkerReply = WorkerReply(.done)) -> ImageWorkers.Options {
        options {
            $0.program = "/bin/sh"
            let words = "ready='\(octal(WorkerReply(.ready).bytes))'; reply='\(octal(reply.bytes))'; \(script)"
            $0.arguments = ["sh", "-c", words]
            $0.workers = 1
        }
    }

    private static func octal(_ bytes: Bytes) -> String {
        bytes.map { "\\" + String($0 >> 6) + String($0 >> 3 & 7) + String($0 & 7) }.joined()
    }

    /// Waits for a request by reading one byte more than nothing of it.
    static let waits = "printf \"$ready\" >&3; dd bs=40 count=1 <&3 >/dev/null 2>&1; "

    /// The workers that this process has now.
    static var processes: [Int32] {
        guard let folder = opendir("/proc") else { return [] }
        defer { closedir(folder) }
        var found: [Int32] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let process = Int32(name), let file = fopen("/proc/\(name)/stat", "r") else { continue }
            defer { fclose(file) }
            var line = Array(repeating: CChar(0), count: 512)
            guard fgets(&line, 512, file) != nil else { continue }
            let text = line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
            // Behind the name in brackets: state, parent.
            let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
            if fields.count > 2, fields[2] == "\(getpid())", fields[1] != "Z" { found.append(process) }
        }
        return found
    }
}
