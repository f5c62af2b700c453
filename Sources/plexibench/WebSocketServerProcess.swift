// The server under test as the kernel sees it: memory and processor time of one process.

import Base
import Glibc

struct WebSocketServerProcess: Sendable {
    private let id: Int

    init(id: Int) { self.id = id }

    /// Given with `--pid`; without it nothing is known of the server.
    static var underTest: WebSocketServerProcess? {
        Arguments.value("pid").flatMap { Int($0) }.map { WebSocketServerProcess(id: $0) }
    }

    /// Resident memory in bytes, from `smaps_rollup`, which counts each page once at the time of reading.
    var residentBytes: Int? {
        guard let text = Self.read("/proc/\(id)/smaps_rollup") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("Rss:") {
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1_024 }
        }
        return nil
    }

    /// In user and in kernel mode, all threads together. The kernel counts in hundredths of a second.
    var processorSeconds: Double? {
        guard let text = Self.read("/proc/\(id)/stat"), let end = text.lastIndex(of: ")") else { return nil }
        // The fields after the name begin with the third; times are the 14th and 15th (proc(5)).
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { return nil }
        return Double(user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var buffer = Bytes(repeating: 0, count: 16 << 10)
        let count = fread(&buffer, 1, buffer.count, file)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }
}
