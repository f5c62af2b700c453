// What the tests of ICE share: vectors, addresses, a server with one session.

import Base
import Crypto
import Glibc
import TestKit
import Wire

@testable import Media

enum CorpusFolder {
    static func vectors(_ name: String, from file: String = #filePath) -> [JSONValue] {
        let parts = file.split(separator: "/", omittingEmptySubsequences: false)
        let tests = parts.lastIndex(of: "Tests") ?? 0
        let text = bytes(parts[...tests].joined(separator: "/") + "/Vectors/stun/" + name)
        return (try? JSONValue(parsing: text, limits: JSONLimits(depth: 16, values: 100_000)))?.arrayValue ?? []
    }

    private static func bytes(_ path: String) -> Bytes {
        guard let file = fopen(path, "rb") else { return [] }
        defer { fclose(file) }
        var bytes: Bytes = []
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }
}

func testCredentials(_ seed: UInt8) -> ICECredentials {
    ICECredentials(randomBytes: Bytes((0..<24).map { $0 &* 37 &+ seed &* 101 }))
}

func testPath(_ number: UInt32, port: UInt16 = 5_000, socket: UInt32 = 0) -> MediaPath {
    MediaPath(remote: TransportAddress(IPAddress(v4: 0x0A00_0000 &+ number), port), socket: socket)
}

func at(_ seconds: Double) -> Instant { Instant(nanoseconds: 1_000_000_000 + UInt64(seconds * 1e9)) }

/// A lite session and what it answered last.
struct LiteServer {
    var session: ICELiteSession
    var response = STUNWriter()

    init(_ credentials: ICECredentials, remoteUfrag: String? = nil) {
        session = ICELiteSession(local: credentials, remoteUfrag: remoteUfrag)
    }

    mutating func take(_ datagram: Bytes, on path: MediaPath, at now: Instant) -> ICEOutcome? {
        guard let message = try? STUNMessage(parsing: datagram.span.bytes) else { return nil }
        return session.handle(message, on: path, now: now, into: &response)
    }
}
