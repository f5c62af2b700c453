// Files of the repository, for tests that hold pages and vectors against the code.

import Base
import Glibc
import Testing

enum RepositoryFile {
    /// By its path from the repository's root.
    static func bytes(_ path: String, from file: String = #filePath) throws -> Bytes {
        let file = try #require(fopen(absolute(path, from: file), "rb"), "\(path) is not there")
        defer { fclose(file) }
        var bytes = Bytes()
        var chunk = Bytes(repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    static func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }

    /// Names in a folder, in order.
    static func names(in path: String, from file: String = #filePath) throws -> [String] {
        let folder = try #require(opendir(absolute(path, from: file)), "\(path) is not there")
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    private static func absolute(_ path: String, from file: String) -> String {
        var folder = file
        for _ in 0..<4 { folder = String(folder[..<(folder.lastIndex(of: "/") ?? folder.startIndex)]) }
        return "\(folder)/\(path)"
    }
}
