// A secret in a file of its own: the first line.

import Base
import Glibc

enum SecretFile {
    /// Fewer bytes can be guessed from one password that was seen.
    static let bytesMin = 16
    private static let bytesMax = 4_096

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    static func read(_ path: String) throws(Failure) -> Secret {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw Failure(description: SystemError("read \(path)").description) }
        defer { close(descriptor) }
        var bytes = Bytes(repeating: 0, count: bytesMax + 1)
        let count = Glibc.read(descriptor, &bytes, bytes.count)
        guard count >= 0 else { throw Failure(description: SystemError("read \(path)").description) }
        var line = bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        guard line.count <= bytesMax else { throw Failure(description: "the first line of \(path) is too long") }
        guard line.count >= bytesMin else {
            throw Failure(description: "the first line of \(path) has fewer than \(bytesMin) bytes")
        }
        return Secret(line)
    }
}
