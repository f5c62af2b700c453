import Base
import Glibc
import Wire

/// The files of `Tests/Vectors`, found from this file's own path.
enum Vectors {
    static func array(_ path: String) throws -> [JSONValue] { try JSONValue(parsing: bytes(path)).arrayValue ?? [] }

    static func bytes(_ path: String) throws -> Bytes {
        var bytes = Bytes()
        let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        guard let file = fopen("/\(folder)/Vectors/\(path)", "rb") else { throw SystemError("open \(path)") }
        defer { fclose(file) }
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }
}

extension JSONValue {
    func text(_ key: String) -> String { self[key]?.stringValue ?? "" }
    func number(_ key: String) -> Int64 { self[key]?.integerValue ?? -1 }
    func bytes(_ key: String) -> Bytes { Hex.decode(text(key)) ?? [] }
}
