import Base
import Crypto
import Glibc
import Testing
import Vault

/// `Tests/Vectors/vault/sealed.txt`: blocks of `key: value` lines, made by another implementation.
private func blocks() throws -> [[String: String]] {
    let folder = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
    let file = try #require(fopen("/\(folder)/Vectors/vault/sealed.txt", "r"))
    defer { fclose(file) }
    var bytes = Bytes(repeating: 0, count: 1 << 20)
    bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
    var blocks: [[String: String]] = [[:]]
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false) {
        guard let colon = line.firstIndex(of: ":") else {
            blocks.append([:])
            continue
        }
        let value = line[line.index(after: colon)...]
        blocks[blocks.count - 1][String(line[..<colon])] = String(value.drop { $0 == " " })
    }
    return blocks.filter { !$0.isEmpty }
}

private func hex(_ text: String?) throws -> Bytes { try #require(text.flatMap { Hex.decode($0) }) }

private func vault(rootKey: Bytes) throws -> Vault {
    let folder = try TemporaryFolder()
    return try Vault.open(.file(try folder.write("root.key", rootKey, mode: 0o600)))
}

private func purpose(_ name: String?) throws -> StaticString {
    switch name {
    case "test.one": "test.one"
    case "test.two": "test.two"
    default: throw CryptoError.badParameters("a purpose that this test does not know")
    }
}

@Suite struct SealedValueTests {
    @Test func `every vector opens, or fails as it should`() throws {
        var count = 0
        for block in try blocks() where block["sealed"] != nil {
            let name = block["name"] ?? ""
            let vault = try vault(rootKey: try hex(block["root"]))
            let (sealed, context) = (try hex(block["sealed"]), try hex(block["context"]))
            let purpose = try purpose(block["purpose"])
            do throws(VaultError) {
                let secret = try vault.open(sealed, purpose: purpose, context: context)
                #expect(block["expect"] == "ok", "\(name)")
                #expect(Hex.encode(secret.exposedBytes) == block["plaintext"], "\(name)")
            } catch {
                #expect(word(for: error) == block["expect"], "\(name)")
            }
            count += 1
        }
        #expect(count >= 22)
    }

    /// As docs/formats/vault.md calls it.
    private func word(for error: VaultError) -> String {
        switch error {
        case .malformed: "malformed"
        case .unknownFormat: "unknownFormat"
        case .unknownGeneration: "unknownGeneration"
        case .authenticationFailed: "authenticationFailed"
        case .rootKey, .wrongRootKey: "not an error of opening a value"
        }
    }

    @Test func `derived keys and the check value are those of the page`() throws {
        let all = try blocks()
        let block = try #require(all.first { $0["check"] != nil })
        let vault = try vault(rootKey: try hex(block["root"]))
        #expect(vault.derive("test.one", count: 32).exposedBytes == (try hex(block["derive 32 test.one"])))
        #expect(vault.derive("test.two", count: 64).exposedBytes == (try hex(block["derive 64 test.two"])))
        #expect(vault.check == (try hex(block["check"])))
    }

    @Test func `what was sealed opens, and never looks the same twice`() throws {
        let vault = try vault(rootKey: SecureRandom.bytes(32))
        let secret = Secret(text: "hunter2")
        let sealed = vault.seal(secret, purpose: "test.one", context: [1, 2])
        #expect(sealed != vault.seal(secret, purpose: "test.one", context: [1, 2]))
        #expect(sealed.count == 33 + 7)
        #expect(try vault.open(sealed, purpose: "test.one", context: [1, 2]).exposedBytes == secret.exposedBytes)
    }
}
