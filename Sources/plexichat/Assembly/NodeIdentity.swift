// The name of this server among those that share its database: in the data folder, or as configured. A restart finds its
// own calls by it, and leaves alone those of others.

import Base
import Configuration
import Glibc

enum NodeIdentity {
    private static let fileName = "node.id"
    /// More than any name that the configuration allows.
    private static let nameBytesMax = 256

    static func load(_ configuration: Configuration) throws(StartFailure) -> String {
        if let name = configuration.server.nodeID { return name }
        let path = configuration.data.folder + "/" + fileName
        do throws(SystemError) {
            if let name = try read(path) { return name }
            try create(path, "\(UUID.random())")
            // Another process may have been first: what is in the file counts.
            if let name = try read(path) { return name }
        } catch {
            throw StartFailure(
                "node id", error, remedy: "Check that the data folder is writable, or set `server.node_id`.")
        }
        throw StartFailure(
            "node id", "\(path) is empty or too long",
            remedy: "Delete it: the next start makes another one.")
    }

    /// `nil` where there is no such file, or nothing that is a name in it.
    private static func read(_ path: String) throws(SystemError) -> String? {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        if file < 0, errno == ENOENT { return nil }
        guard file >= 0 else { throw SystemError("open \(path)") }
        defer { Glibc.close(file) }
        var bytes = Bytes(repeating: 0, count: nameBytesMax + 1)
        let count = bytes.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw SystemError("read \(path)") }
        let name = String(decoding: bytes.prefix(count).prefix { $0 != 0x0A }, as: UTF8.self)
        return (1...nameBytesMax).contains(name.utf8.count) ? name : nil
    }

    /// Whole or not at all: a name of half its letters would be another one.
    private static func create(_ path: String, _ name: String) throws(SystemError) {
        let temporary = "\(path).\(getpid())"
        let file = Glibc.open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SystemError("make \(temporary)") }
        let line = Bytes("\(name)\n".utf8)
        let written = line.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        let isSafe = written == line.count && fsync(file) == 0
        let failure = SystemError("write \(temporary)")
        Glibc.close(file)
        defer { unlink(temporary) }
        guard isSafe else { throw failure }
        // Unlike rename, link never replaces a name that another process has just made.
        guard link(temporary, path) == 0 || errno == EEXIST else { throw SystemError("make \(path)") }
    }
}
