// Vectors of ML-KEM, X-Wing, HPKE and what they are made of. Their sources are named beside the files.

import Base
import CZlib
import Crypto
import Glibc
import Testing
import Wire

enum PostQuantumVectors {
    static func bytes(_ name: String) throws -> Bytes {
        let folder = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let path = "/\(folder)/Vectors/crypto/\(name)"
        let file = try #require(fopen(path, "r"), "\(path) is missing")
        defer { fclose(file) }
        var bytes = Bytes()
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    static func json(_ name: String) throws -> JSONValue { try JSONValue(parsing: try bytes(name)) }

    static func list(_ name: String) throws -> [JSONValue] { try #require(try json(name).arrayValue) }

    /// Every test of every group of a Wycheproof or ACVP file, with its group. At least one.
    static func tests(_ name: String) throws -> [(group: JSONValue, test: PostQuantumCase)] {
        let file = try json(name)
        let groups = try #require(file["testGroups"]?.arrayValue)
        let tests = try groups.flatMap { group in
            try #require(group["tests"]?.arrayValue).map { (group, PostQuantumCase($0)) }
        }
        if let count = file["numberOfTests"]?.integerValue { #expect(tests.count == count) }
        #expect(!tests.isEmpty)
        return tests
    }

    /// Lines of a gzip file.
    static func gzipLines(_ name: String) throws -> [Substring] {
        var input = try bytes(name)
        var output = Bytes(repeating: 0, count: 4 << 20)
        var stream = z_stream()
        let format: Int32 = 31
        #expect(plexi_inflate_init(&stream, format) == Z_OK)
        defer { inflateEnd(&stream) }
        let count = input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                return inflate(&stream, Z_FINISH) == Z_STREAM_END ? Int(stream.total_out) : 0
            }
        }
        return String(decoding: output.prefix(count), as: UTF8.self).split(separator: "\n")
    }
}

struct PostQuantumCase {
    let value: JSONValue

    init(_ value: JSONValue) { self.value = value }

    var isValid: Bool { value["result"]?.stringValue == "valid" }
    var label: String { "\(value["tcId"]?.integerValue ?? 0) \(value["comment"]?.stringValue ?? "")" }

    func text(_ key: String) throws -> String { try #require(value[key]?.stringValue, "no \(key)") }
    func bytes(_ key: String) throws -> Bytes {
        try #require(Hex.decode(try text(key)), "\(key) is no hexadecimal")
    }
    func secret(_ key: String) throws -> Secret { Secret(try bytes(key)) }
    func number(_ key: String) throws -> Int { Int(try #require(value[key]?.integerValue, "no \(key)")) }
}
