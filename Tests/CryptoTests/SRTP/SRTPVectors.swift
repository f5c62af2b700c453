import Base
import Crypto
import Glibc
import Testing
import Wire

/// A file of `Tests/Vectors`, found from this file's own path.
enum MediaVectors {
    static func load(_ name: String, from file: String = #filePath) throws -> JSONValue {
        let parts = file.split(separator: "/", omittingEmptySubsequences: false)
        let tests = parts.lastIndex(of: "Tests") ?? 0
        let path = parts[...tests].joined(separator: "/") + "/Vectors/" + name
        let handle = try #require(fopen(path, "rb"), "\(path) is missing")
        defer { fclose(handle) }
        var bytes = Bytes()
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, handle), count > 0 { bytes += chunk[..<count] }
        return try JSONValue(parsing: bytes)
    }

    static func list(_ name: String) throws -> [JSONValue] {
        let value = try load(name)
        return try #require(value.arrayValue)
    }

    static func hex(_ value: JSONValue, _ key: String) throws -> Bytes {
        try #require(value[key]?.stringValue.flatMap { Hex.decode($0) }, "no \(key), or no hexadecimal")
    }
}

extension SRTPProfile {
    /// By the names of the vectors; `nil` for profiles that we do not speak.
    init?(named name: String?) {
        switch name {
        case "AES128_CM_HMAC_SHA1_80": self = .aes128CMSHA1_80
        case "AEAD_AES_128_GCM": self = .aeadAES128GCM
        case "AEAD_AES_256_GCM": self = .aeadAES256GCM
        default: return nil
        }
    }
}

/// A packet in a slot of its own, as the engine has them.
struct Slot {
    var bytes: Bytes
    var count: Int

    init(_ packet: Bytes, room: Int = 1_536) {
        bytes = packet + Bytes(repeating: 0xEE, count: max(0, room - packet.count))
        count = packet.count
    }

    var packet: Bytes { Bytes(bytes.prefix(count)) }
    var ssrc: UInt32 { bytes[8..<12].reduce(0) { $0 << 8 | UInt32($1) } }
    var sequenceNumber: UInt16 { UInt16(bytes[2]) << 8 | UInt16(bytes[3]) }

    /// Fixed part, CSRCs and extension; zero when the packet ends before they do.
    var headerLength: Int {
        guard count >= 12 else { return 0 }
        var length = 12 + 4 * Int(bytes[0] & 0x0F)
        if bytes[0] & 0x10 != 0, length + 4 <= count {
            length += 4 + 4 * (Int(bytes[length + 2]) << 8 | Int(bytes[length + 3]))
        }
        return length
    }

    mutating func protectRTP(_ sender: inout SRTPSender, rollover: UInt32) -> Bool {
        let (header, ssrc, index) = (headerLength, ssrc, UInt64(rollover) << 16 | UInt64(sequenceNumber))
        let (plain, room) = (count, bytes.count)
        let made = bytes.withUnsafeMutableBytes {
            sender.protectRTP(
                .init(rebasing: $0[..<room]), count: plain, headerLength: header, ssrc: ssrc, index: index)
        }
        count = made ?? plain
        return made != nil
    }

    mutating func protectRTCP(_ sender: inout SRTPSender) -> Bool {
        let plain = count
        let made = bytes.withUnsafeMutableBytes { sender.protectRTCP($0, count: plain) }
        count = made ?? plain
        return made != nil
    }

    mutating func unprotectRTP(_ receiver: inout SRTPReceiver, _ window: inout SRTPReplayWindow) -> SRTPVerdict {
        guard count >= 12 else { return .tooShort }
        let (header, ssrc, number, protected) = (headerLength, ssrc, sequenceNumber, count)
        let verdict = bytes.withUnsafeMutableBytes {
            receiver.unprotectRTP(
                $0, count: protected, headerLength: header, ssrc: ssrc, sequenceNumber: number, window: &window)
        }
        if case .plain(let plain) = verdict { count = plain }
        return verdict
    }

    mutating func unprotectRTCP(_ receiver: inout SRTPReceiver, _ window: inout SRTPReplayWindow) -> SRTPVerdict {
        let protected = count
        let verdict = bytes.withUnsafeMutableBytes { receiver.unprotectRTCP($0, count: protected, window: &window) }
        if case .plain(let plain) = verdict { count = plain }
        return verdict
    }
}
