// Schedules, shares and root keys: what of named keys needs no database.

import Base
import Crypto
import Glibc
import Testing

@testable import Vault

@Suite struct KeyScheduleTests {
    private static func time(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

    @Test(arguments: [
        ("90d", "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("2w", "2026-01-01T12:30:00Z", "2026-01-15T12:30:00Z"),
        ("6h", "2026-12-31T23:00:00Z", "2027-01-01T05:00:00Z"),
        ("0 3 1 * *", "2026-01-01T03:00:00Z", "2026-02-01T03:00:00Z"),
        ("0 3 1 * *", "2026-01-01T02:59:59Z", "2026-01-01T03:00:00Z"),
        ("30 4 * * 7", "2026-11-21T22:00:00Z", "2026-11-22T04:30:00Z"),
        ("0 0 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("15 */6 * * *", "2026-11-21T18:15:00Z", "2026-11-22T00:15:00Z"),
        ("5 1-3,22 * 1-12/3 *", "2026-01-31T22:05:00Z", "2026-04-01T01:05:00Z"),
        // Where both a day and a weekday are given, either is enough.
        ("0 0 13 * 5", "2026-11-21T00:00:00Z", "2026-11-27T00:00:00Z"),
    ])
    func `the next time`(_ schedule: String, _ after: String, _ next: String) throws {
        #expect(try KeySchedule(parsing: schedule).next(after: Self.time(after)) == Self.time(next))
    }

    @Test(arguments: [
        "", " ", "d", "0d", "30m", "59m", "4000d", "1000000000d", "-1d", "1.5d", "daily", "* * * * *", "0,30 * * * *",
        "60 * * * *", "0 24 * * *", "0 0 0 * *", "0 0 32 * *", "0 0 * 13 *", "0 0 * * 8", "0 0 * *", "0 0 * * * *",
        "0 5-3 * * *", "0 */0 * * *", "0 1//2 * * *", "0 1- * * *", "0 a * * *", "0 ١ * * *", "0 , * * *",
        String(repeating: "0 ", count: 200),
    ])
    func `what is no schedule is refused`(_ text: String) {
        #expect(throws: KeyError.self) { try KeySchedule(parsing: text) }
    }

    @Test func `a day that never comes is refused`() {
        #expect(throws: KeyError.self) { try KeySchedule(parsing: "0 0 30 2 *") }
    }
}

@Suite struct RecoveryShareTests {
    @Test func `the field is one`() {
        for value in UInt8(1)...255 {
            #expect(Shamir.multiplied(value, Shamir.inverse(value)) == 1)
            #expect(Shamir.multiplied(value, 0) == 0 && Shamir.multiplied(value, 1) == value)
        }
        // FIPS 197, 4.2.
        #expect(Shamir.multiplied(0x57, 0x83) == 0xC1 && Shamir.multiplied(0x57, 0x13) == 0xFE)
    }

    @Test(arguments: [(2, 2), (2, 5), (3, 5), (5, 5), (16, 32)])
    func `any so many shares give the secret`(_ needed: Int, _ count: Int) throws {
        let secret = SecureRandom.secret(32)
        var shares = Shamir.split(secret, needed: needed, of: count)
        for _ in 0..<20 {
            shares.shuffle()
            #expect(Shamir.combine(Array(shares.prefix(needed))).exposedBytes == secret.exposedBytes)
            if needed > 2 {
                #expect(Shamir.combine(Array(shares.prefix(needed - 1))).exposedBytes != secret.exposedBytes)
            }
        }
    }

    /// One secret gives 256 equally likely values of a share: what is seen of one tells nothing.
    @Test func `one share of two tells nothing of the secret`() {
        var seen = Set<UInt8>()
        for _ in 0..<4_000 { seen.insert(Shamir.split(Secret([42]), needed: 2, of: 2)[0].y.exposedBytes[0]) }
        #expect(seen.count == 256)
    }

    /// Worked out by hand: 0x0B + 0x04·x over GF(256), at 1 and 2.
    @Test func `known shares give the known secret`() {
        let shares = [Shamir.Share(x: 1, y: Secret([0x0F])), Shamir.Share(x: 2, y: Secret([0x03]))]
        #expect(Shamir.combine(shares).exposedBytes == [0x0B])
    }

    @Test func `a share reads back from its text, in any case, with blanks and dashes`() throws {
        let share = try RecoveryShare.split(SecureRandom.secret(32), needed: 2, of: 3)[1]
        let text = String(decoding: share.text.exposedBytes, as: UTF8.self)
        #expect(text.hasPrefix("PLEXISHARE1") && text == text.uppercased())
        let grouped = text.enumerated().reduce("") { $0 + ($1.offset % 5 == 4 ? "\($1.element)- " : "\($1.element)") }
        for written in [text, text.lowercased(), grouped + "\n"] {
            let read = try RecoveryShare(parsing: Secret(Bytes(written.utf8)))
            #expect(read.number == 2 && read.needed == 2 && read.set == share.set)
            #expect(read.value.exposedBytes == share.value.exposedBytes)
        }
    }

    @Test func `a typing error in a share is found wherever it is`() throws {
        let share = try RecoveryShare.split(SecureRandom.secret(32), needed: 2, of: 3)[0].text.exposedBytes
        for index in share.indices {
            var wrong = share
            wrong[index] = wrong[index] == UInt8(ascii: "Q") ? UInt8(ascii: "P") : UInt8(ascii: "Q")
            #expect(throws: VaultError.self) { try RecoveryShare(parsing: Secret(wrong)) }
        }
    }

    @Test func `shares of two sets, the same one twice and a forged one are told`() throws {
        let secret = SecureRandom.secret(32)
        let one = try RecoveryShare.split(secret, needed: 2, of: 3)
        let two = try RecoveryShare.split(secret, needed: 2, of: 3)
        #expect(throws: VaultError.self) { try RecoveryShare.combine([one[0], two[1]]) }
        #expect(throws: VaultError.self) { try RecoveryShare.combine([one[0], one[0]]) }
        #expect(throws: VaultError.self) { try RecoveryShare.combine([]) }
        var forged = one[2].text.exposedBytes.map { $0 | 0x20 }
        let (_, data) = try #require(forged.withUnsafeBytes { Bech32.decode($0) })
        var bytes = data.exposedBytes
        bytes[bytes.count - 1] ^= 1
        forged = bytes.withUnsafeBytes { Bech32.encode("plexishare", $0) }
        #expect(throws: VaultError.self) {
            try RecoveryShare.combine([one[0], one[1], RecoveryShare(parsing: Secret(forged))])
        }
        #expect(try RecoveryShare.combine(one).exposedBytes == secret.exposedBytes)
    }

    @Test(arguments: [(1, 3), (4, 3), (2, 33), (0, 0)])
    func `numbers that protect nothing or nobody brings together are refused`(_ needed: Int, _ count: Int) {
        #expect(throws: VaultError.self) { try RecoveryShare.split(SecureRandom.secret(32), needed: needed, of: count) }
    }

    @Test func `neither shares nor signers nor rings print what they hold`() throws {
        let seed = SecureRandom.secret(32)
        let share = try RecoveryShare.split(seed, needed: 2, of: 2)[0]
        let key = NamedKey(name: "k", kind: .data, createdAt: .now())
        for material in [try KeyRing.Material(.data, seed), try .init(.ed25519, seed), try .init(.hybrid, seed)] {
            for hidden in [Hex.encode(seed.exposedBytes), "\(seed.exposedBytes)"] {
                var text = ""
                dump(material, to: &text)
                #expect(!"\(material)".contains(hidden) && !text.contains(hidden))
            }
        }
        var text = "\(share) \(key)"
        dump(share, to: &text)
        #expect(!text.contains("\(share.value.exposedBytes)") && text.contains("‹secret›"))
    }
}

@Suite(.serialized) struct PassphraseRootTests {
    @Test func `a passphrase gives the same key with what was kept, another one not`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.write("words", Bytes("correct horse battery staple\n".utf8), mode: 0o600)
        let source = Vault.RootKeySource.passphrase(.file(path))
        let first = try Vault.open(source)
        let kept = try #require(first.record.passphrase)
        #expect(kept.hasPrefix("$argon2id$v=19$m=262144,t=3,p=1$"))
        let again = try Vault.open(source, record: first.record)
        #expect(again.derive("test", count: 32).exposedBytes == first.derive("test", count: 32).exposedBytes)
        let other = try folder.write("other", Bytes("correct horse battery stable\n".utf8), mode: 0o600)
        #expect(throws: VaultError.self) {
            try Vault.open(.passphrase(.file(other)), record: first.record)
        }
    }

    @Test func `weak, empty and open passphrases are refused, and costs that would take all memory`() throws {
        let folder = try TemporaryFolder()
        let short = try folder.write("short", Bytes("hunter2\n".utf8), mode: 0o600)
        let empty = try folder.write("empty", [], mode: 0o600)
        let open = try folder.write("open", Bytes("correct horse battery staple\n".utf8), mode: 0o644)
        for path in [short, empty, open, folder.path + "/none"] {
            #expect(throws: VaultError.self) { try Vault.open(.passphrase(.file(path))) }
        }
        let good = try folder.write("good", Bytes("correct horse battery staple\n".utf8), mode: 0o600)
        let salt = "AAAAAAAAAAAAAAAAAAAAAA"
        for kept in [
            "$argon2id$v=19$m=4194304,t=3,p=1$\(salt)", "$argon2id$v=19$m=1024,t=900,p=1$\(salt)",
            "$argon2id$v=19$m=1024,t=1,p=1$AAAA", "$argon2i$v=19$m=1024,t=1,p=1$\(salt)", "", "$$$$",
        ] {
            let record = RootRecord(check: Bytes(repeating: 1, count: 17), passphrase: kept)
            #expect(throws: VaultError.self) { try Vault.open(.passphrase(.file(good)), record: record) }
        }
        let file = try Vault.open(.file(folder.path + "/root.key"))
        #expect(throws: VaultError.self) { try Vault.open(.passphrase(.file(good)), record: file.record) }
    }
}

@Suite struct RootKeyFileTests {
    /// Each state that a kill may leave behind.
    @Test(arguments: ["prepared", "prepared, old kept", "done"])
    func `a replacement that was broken off goes on when the data has the new key`(_ state: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/root.key"
        let old = try Vault.open(.file(path))
        let key = SecureRandom.secret(32)
        let new = try old.succeeded(by: key, from: .file(path), passphrase: nil)
        try RootKeyFile.prepare(key, for: path)
        if state == "prepared, old kept" { #expect(link(path, path + ".old") == 0) }
        if state == "done" { try RootKeyFile.finishReplacement(of: path, by: new.check) }
        let opened = try Vault.open(.file(path), record: new.record)
        #expect(opened.check == new.check)
        #expect(opened.derive("test", count: 32).exposedBytes == old.derive("test", count: 32).exposedBytes)
        #expect(Set(folder.names) == ["root.key", "root.key.old"])
        #expect(try Vault.open(.file(path + ".old"), record: old.record).check == old.check)
    }

    @Test func `a prepared key that the data never got stays beside the one it has`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/root.key"
        let old = try Vault.open(.file(path))
        try RootKeyFile.prepare(SecureRandom.secret(32), for: path)
        #expect(try Vault.open(.file(path), record: old.record).check == old.check)
        #expect(Set(folder.names) == ["root.key", "root.key.next"])
        // And the next try replaces it.
        try RootKeyFile.prepare(SecureRandom.secret(32), for: path)
        #expect(Set(folder.names) == ["root.key", "root.key.next"])
    }
}
