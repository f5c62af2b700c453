// Messages of others, in `Tests/Vectors/stun`.

import Base
import Glibc
import Wire

enum RelayVectors {
    /// The rows of a file; none when it cannot be read.
    static func rows(_ file: String, from source: String = #filePath) -> [JSONValue] {
        let parts = source.split(separator: "/", omittingEmptySubsequences: false)
        let tests = parts.lastIndex(of: "Tests") ?? 0
        let path = parts[...tests].joined(separator: "/") + "/Vectors/stun/" + file
        return (try? JSONValue(parsing: bytes(path), limits: JSONLimits(depth: 16, values: 200_000)))?.arrayValue ?? []
    }

    static func hex(_ value: JSONValue?) -> Bytes { Hex.decode(value?.stringValue ?? "") ?? [] }

    private static func bytes(_ path: String) -> Bytes {
        guard let file = fopen(path, "rb") else { return [] }
        defer { fclose(file) }
        var bytes: Bytes = []
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }
}
