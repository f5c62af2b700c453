import Glibc

/// A file of this package, found from this file's own path; empty when it cannot be read.
func sourceText(_ path: String, from file: String = #filePath) -> String {
    let parts = file.split(separator: "/", omittingEmptySubsequences: false)
    let root = parts[..<(parts.lastIndex(of: "Tests") ?? 0)].joined(separator: "/")
    guard let handle = fopen("\(root)/\(path)", "rb") else { return "" }
    defer { fclose(handle) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while case let count = fread(&chunk, 1, chunk.count, handle), count > 0 { bytes += chunk[..<count] }
    return String(decoding: bytes, as: UTF8.self)
}
