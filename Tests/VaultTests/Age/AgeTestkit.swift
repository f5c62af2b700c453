// Files in the form of the C2SP testkit: ours, made by another implementation, and where PLEXI_AGE_TESTKIT says, theirs.

import Base
import CZlib
import Crypto
import Glibc
import Testing
import Vault

struct AgeCase: Sendable, CustomTestStringConvertible {
    let name: String
    var expect = ""
    /// SHA-256 of what may be given out.
    var payload: Bytes?
    var identities: [AgeIdentity] = []
    var isArmored = false
    var comment = ""
    var file = Bytes()

    var testDescription: String { name }

    static let own = load(ownFolder)
    static let theirs = getenv("PLEXI_AGE_TESTKIT").map { load(String(cString: $0)) } ?? []
    static let all = own + theirs

    static func named(_ name: String) throws -> AgeCase { try #require(own.first { $0.name == name }) }

    private static var ownFolder: String {
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/Vectors/age"
    }

    /// A folder that cannot be read gives none, which a test looks for.
    private static func load(_ folder: String) -> [AgeCase] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if !name.hasPrefix("."), name != "SOURCE.txt" { names.append(name) }
        }
        return names.sorted().map { AgeCase(name: $0, content(of: "\(folder)/\($0)")) }
    }

    private static func content(of path: String) -> Bytes {
        guard let file = fopen(path, "r") else { return [] }
        defer { fclose(file) }
        var bytes = Bytes()
        var chunk = Bytes(repeating: 0, count: 65_536)
        while case let count = fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    private init(name: String, _ content: Bytes) {
        self.name = name
        var rest = content[...]
        var isCompressed = false
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = String(decoding: rest[..<end], as: UTF8.self)
            rest = rest[(end + 1)...]
            if line.isEmpty { break }
            let parts = line.split(separator: ": ", maxSplits: 1).map(String.init)
            let value = parts.count > 1 ? parts[1] : ""
            switch parts[0] {
            case "expect": expect = value
            case "payload": payload = Hex.decode(value)
            case "identity": identities += (try? AgeIdentity(parsing: Secret(text: value))).map { [$0] } ?? []
            case "passphrase": identities.append(.passphrase(Secret(text: value)))
            case "armored": isArmored = true
            case "compressed": isCompressed = true
            case "comment": comment = value
            default: break
            }
        }
        // Some vectors fail before anybody is asked, and name nobody.
        if identities.isEmpty { identities = [.x25519(X25519PrivateKey())] }
        file = isCompressed ? Self.inflated(Bytes(rest)) : Bytes(rest)
    }

    private static func inflated(_ input: Bytes) -> Bytes {
        // The longest of the testkit has 258 chunks.
        var output = Bytes(repeating: 0, count: 18 << 20)
        var count = UInt(output.count)
        return uncompress(&output, &count, input, UInt(input.count)) == Z_OK ? Bytes(output.prefix(Int(count))) : []
    }
}

extension AgeError {
    /// In the testkit's words.
    var testkitName: String {
        switch self {
        case .malformedHeader, .unsupportedVersion, .workFactor, .truncated(.header): "header failure"
        case .noIdentityMatches: "no match"
        case .headerNotAuthentic: "HMAC failure"
        case .malformedArmor, .truncated(.armor): "armor failure"
        case .truncated(.payload), .tampered, .damagedEnd, .trailingData: "payload failure"
        case .badKey: "a key that cannot be used"
        }
    }
}

/// What a decryption gave before it ended, and how it ended.
struct AgeOutcome {
    var plaintext = Bytes()
    var error: AgeError?

    init(plaintext: Bytes = [], error: AgeError? = nil) {
        self.plaintext = plaintext
        self.error = error
    }

    /// Armour and decryption as machines, fed in pieces of `size` bytes.
    init(decrypting test: AgeCase, pieces size: Int, expecting: Bool = false) {
        do throws(AgeError) {
            var binary = test.file
            if test.isArmored {
                var decoder = AgeArmorDecoder()
                binary = []
                try Self.each(test.file, size) { piece throws(AgeError) in try decoder.update(piece, into: &binary) }
                try decoder.finish(into: &binary)
            }
            var decryptor = try AgeDecryptor(
                with: test.identities, expecting: expecting ? UInt64(binary.count) : nil)
            try Self.each(binary, size) { piece throws(AgeError) in
                try decryptor.update(piece, into: &plaintext)
            }
            try decryptor.finish(into: &plaintext)
        } catch { self.error = error }
    }

    static func each(
        _ bytes: Bytes, _ size: Int, _ body: (UnsafeRawBufferPointer) throws(AgeError) -> Void
    ) throws(AgeError) {
        let whole = bytes.span.bytes
        try whole.withUnsafeBytes { whole throws(AgeError) in
            for start in stride(from: 0, to: whole.count, by: size) {
                try body(UnsafeRawBufferPointer(rebasing: whole[start..<min(start + size, whole.count)]))
            }
        }
    }
}

/// A file for one X25519 recipient, and its identity.
func sampleFile(_ plaintext: Bytes) throws -> (file: Bytes, identity: AgeIdentity) {
    let identity = AgeIdentity.x25519(X25519PrivateKey())
    return (try Age.encrypt(plaintext, to: [identity.recipient]), identity)
}
