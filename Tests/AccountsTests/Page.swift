import Base
import Glibc

/// A file of the project, as text.
enum Page {
    static func text(_ path: String) throws -> String {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        guard let file = fopen("/\(root)/\(path)", "rb") else { throw SystemError("open \(path)") }
        defer { fclose(file) }
        var bytes = Bytes()
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }
}
