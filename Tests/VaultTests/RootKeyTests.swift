import Base
import Crypto
import Glibc
import Testing
import Vault

private func refusal(_ source: Vault.RootKeySource, storedCheck: Bytes? = nil) -> String? {
    do throws(VaultError) {
        _ = try Vault.open(source, storedCheck: storedCheck)
        return nil
    } catch { return error.description }
}

@Suite(.serialized) struct RootKeyTests {
    let folder = Result { try TemporaryFolder() }

    @Test func `an absent key file is made, readable by nobody else, and used again`() throws {
        let folder = try folder.get()
        let path = "\(folder.path)/root.key"
        let first = try Vault.open(.file(path))
        var status = stat()
        #expect(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(status.st_size == 32)
        #expect(folder.names == ["root.key"])
        let second = try Vault.open(.file(path), storedCheck: first.check)
        #expect(second.check == first.check)
        let sealed = first.seal(Secret(text: "x"), purpose: "test", context: [])
        #expect(try second.open(sealed, purpose: "test", context: []).exposedBytes == Bytes("x".utf8))
    }

    @Test func `many that start at once end with one key`() async throws {
        let path = "\(try folder.get().path)/root.key"
        let checks = try await withThrowingTaskGroup(of: Bytes.self) { group in
            for _ in 0..<8 { group.addTask { try Vault.open(.file(path)).check } }
            return try await group.reduce(into: Set<Bytes>()) { $0.insert($1) }
        }
        #expect(checks.count == 1)
        #expect(try folder.get().names == ["root.key"])
    }

    @Test func `a missing key is not made anew when there is data`() throws {
        let path = "\(try folder.get().path)/root.key"
        let text = try #require(refusal(.file(path), storedCheck: [1] + Bytes(repeating: 5, count: 16)))
        #expect(text.contains("is missing") && text.contains(path))
        #expect(try folder.get().names.isEmpty)
    }

    @Test func `another root key is refused at the door`() throws {
        let path = try folder.get().write("root.key", SecureRandom.bytes(32), mode: 0o600)
        var check = try Vault.open(.file(path)).check
        check[3] ^= 1
        #expect(try #require(refusal(.file(path), storedCheck: check)).contains("not the one"))
        #expect(try #require(refusal(.file(path), storedCheck: [1])).contains("not the one"))
        #expect(try #require(refusal(.file(path), storedCheck: [])).contains("not the one"))
        check[0] = 2
        #expect(try #require(refusal(.file(path), storedCheck: check)).contains("newer version"))
    }

    @Test(arguments: [mode_t(0o640), 0o604, 0o660, 0o666, 0o620])
    func `a key file that others can reach is refused, with the remedy`(_ mode: mode_t) throws {
        let path = try folder.get().write("root.key", SecureRandom.bytes(32), mode: mode)
        #expect(try #require(refusal(.file(path))).contains("chmod 600 \(path)"))
    }

    @Test(arguments: [0, 1, 31, 33, 63, 66, 1_000])
    func `a key of another length is refused`(_ count: Int) throws {
        let path = try folder.get().write("root.key", SecureRandom.bytes(count), mode: 0o600)
        #expect(try #require(refusal(.file(path))).contains("does not hold a root key"))
    }

    @Test func `a placeholder is refused, a folder and a missing folder too`() throws {
        let folder = try folder.get()
        let zeros = try folder.write("zeros", Bytes(repeating: 0, count: 32), mode: 0o600)
        #expect(try #require(refusal(.file(zeros))).contains("no key"))
        #expect(try #require(refusal(.file(folder.path))).contains("not a regular file"))
        #expect(try #require(refusal(.file("\(folder.path)/none/root.key"))).contains("No such file"))
    }

    @Test func `raw and hexadecimal are the same key, from wherever it comes`() throws {
        let folder = try folder.get()
        let key = SecureRandom.bytes(32)
        let raw = try Vault.open(.file(try folder.write("raw", key, mode: 0o600)))
        let digits = try folder.write("hex", Bytes((Hex.encode(key) + "\n").utf8), mode: 0o600)
        #expect(try Vault.open(.file(digits)).check == raw.check)

        setenv("PLEXICHAT_TEST_ROOT_KEY", Hex.encode(key), 1)
        defer { unsetenv("PLEXICHAT_TEST_ROOT_KEY") }
        #expect(try Vault.open(.environment("PLEXICHAT_TEST_ROOT_KEY")).check == raw.check)

        setenv("CREDENTIALS_DIRECTORY", folder.path, 1)
        defer { unsetenv("CREDENTIALS_DIRECTORY") }
        #expect(try Vault.open(.systemdCredential("raw")).check == raw.check)
        #expect(try #require(refusal(.systemdCredential("absent"))).contains("not handed over"))
        #expect(try #require(refusal(.systemdCredential("../raw"))).contains("no credential's name"))
    }

    @Test func `an unset or raw environment variable is refused in words`() {
        #expect(refusal(.environment("PLEXICHAT_TEST_NOT_SET"))?.contains("is not set") == true)
        setenv("PLEXICHAT_TEST_RAW", String(repeating: "a", count: 32), 1)
        defer { unsetenv("PLEXICHAT_TEST_RAW") }
        #expect(refusal(.environment("PLEXICHAT_TEST_RAW"))?.contains("64 hexadecimal digits") == true)
        #expect(refusal(.systemdCredential("x"))?.contains("CREDENTIALS_DIRECTORY") == true)
    }
}
