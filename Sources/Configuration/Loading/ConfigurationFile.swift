// Reading a small file whole.

package import Base
import Glibc

package enum ConfigurationFile {
    /// One more than `YAMLLimits.bytes`, so that a file that is too large is seen to be.
    private static let bytesMax = (1 << 20) + 1

    @Sendable package static func read(_ path: String) throws(SystemError) -> Bytes {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw SystemError("open \(path)") }
        defer { close(descriptor) }
        var contents = Bytes()
        var chunk = Bytes(repeating: 0, count: 16 << 10)
        while contents.count < bytesMax {
            let count = Glibc.read(descriptor, &chunk, min(chunk.count, bytesMax - contents.count))
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw SystemError("read \(path)")
            }
            contents += chunk.prefix(count)
        }
        return contents
    }
}
