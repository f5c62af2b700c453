import Base
import Glibc
import Wire

@testable import Media

/// The recorded and the crafted packets of `Tests/Vectors/rtp`.
enum RTPVectors {
    static func json(_ name: String) throws -> JSONValue {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        let tests = parts.lastIndex(of: "Tests") ?? 0
        let path = parts[...tests].joined(separator: "/") + "/Vectors/rtp/" + name
        guard let file = fopen(path, "rb") else { return .null }
        defer { fclose(file) }
        var bytes: Bytes = []
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return try JSONValue(parsing: bytes)
    }

    static func packet(_ value: JSONValue) -> Bytes? {
        guard let text = value["hex"]?.stringValue else { return nil }
        return Bytes(hex: text)
    }
}

extension Array where Element == UInt8 {
    init?(hex: String) {
        let digits = hex.utf8.compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == hex.utf8.count, digits.count % 2 == 0 else { return nil }
        self = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
