// age files of our own: what goes in comes out, and nothing else does.

import Base
import Crypto
import Testing
import Vault

@Suite struct AgeTests {
    private static let counts = [0, 1, 15, 65_535, 65_536, 65_537, 131_072, 131_073, 200_000]

    private func plaintext(_ count: Int) -> Bytes { Bytes((0..<count).map { UInt8(truncatingIfNeeded: $0 * 31 >> 3) }) }

    @Test(arguments: counts) func `every kind of recipient opens what was encrypted for it`(_ count: Int) throws {
        let plaintext = plaintext(count)
        let identities: [AgeIdentity] = [
            .x25519(X25519PrivateKey()), .hybrid(XWingPrivateKey()),
            .passphrase(Secret(text: "correct horse")),
        ]
        for identity in identities {
            var recipient = identity.recipient
            if case .passphrase(let passphrase, _) = recipient { recipient = .passphrase(passphrase, workFactor: 2) }
            for armored in [false, true] {
                let file = try Age.encrypt(plaintext, to: [recipient], armored: armored)
                #expect(try Age.decrypt(file, with: [identity]) == plaintext)
                #expect(AgeArmor.begins(file) == armored)
            }
        }
    }

    @Test(arguments: counts) func `pieces make the same file as the whole`(_ count: Int) throws {
        let plaintext = plaintext(count)
        let identity = AgeIdentity.hybrid(XWingPrivateKey())
        for size in [1, 1_000, 65_536, 65_537, 1 << 20] where size > 1 || count < 1_000 {
            var encryptor = try AgeEncryptor(to: [identity.recipient])
            var file = Bytes()
            try AgeOutcome.each(plaintext, size) { encryptor.update($0, into: &file) }
            encryptor.finish(into: &file)
            let header = try header(of: file)
            let expected = UInt64(header.bytes.count + 16) + AgeChunk.sealedCount(ofPlaintext: UInt64(count))
            #expect(UInt64(file.count) == expected)
            #expect(
                AgeChunk.plaintextCount(ofSealed: AgeChunk.sealedCount(ofPlaintext: UInt64(count))) == UInt64(count))
            #expect(try Age.decrypt(file, with: [identity]) == plaintext)
        }
    }

    @Test func `lengths that no payload has are known`() {
        for count: UInt64 in [0, 1, 15, 65_552 + 1, 65_552 + 16, 2 * 65_552 + 5] {
            #expect(AgeChunk.plaintextCount(ofSealed: count) == nil, "\(count)")
        }
        #expect(AgeChunk.plaintextCount(ofSealed: 16) == 0)
        #expect(AgeChunk.plaintextCount(ofSealed: 65_552) == 65_536)
        #expect(AgeChunk.plaintextCount(ofSealed: 65_552 + 17) == 65_537)
    }

    @Test func `each of several recipients opens the file, others do not`() throws {
        let identities = (0..<5).map { _ in AgeIdentity.hybrid(XWingPrivateKey()) }
        let file = try Age.encrypt([1, 2, 3], to: identities.map(\.recipient))
        for identity in identities { #expect(try Age.decrypt(file, with: [identity]) == [1, 2, 3]) }
        let other = AgeIdentity.hybrid(XWingPrivateKey())
        #expect(throws: AgeError.noIdentityMatches) { try Age.decrypt(file, with: [other]) }
        #expect(try Age.decrypt(file, with: [other, identities[4]]) == [1, 2, 3])
    }

    @Test func `two files of the same plaintext have nothing in common`() throws {
        let key = XWingPrivateKey()
        let (first, second) = (
            try Age.encrypt([1, 2, 3], to: [.hybrid(key.publicKey)]),
            try Age.encrypt([1, 2, 3], to: [.hybrid(key.publicKey)])
        )
        #expect(first.suffix(35) != second.suffix(35))
    }

    @Test func `sets of recipients that weaken each other are refused`() throws {
        let (x25519, hybrid) = (X25519PrivateKey().publicKey, XWingPrivateKey().publicKey)
        let passphrase = AgeRecipient.passphrase(Secret(text: "correct horse"), workFactor: 2)
        let wrong: [[AgeRecipient]] = [
            [], [.x25519(x25519), .hybrid(hybrid)], [passphrase, passphrase], [passphrase, .x25519(x25519)],
            Array(repeating: .x25519(x25519), count: 65), [.passphrase(Secret([]))],
            [.passphrase(Secret(text: "x"), workFactor: 0)], [.passphrase(Secret(text: "x"), workFactor: 21)],
        ]
        for recipients in wrong { #expect(throws: AgeError.self) { try Age.encrypt([], to: recipients) } }
        #expect(throws: AgeError.self) { try Age.decrypt([], with: []) }
        let most = try Age.encrypt([7], to: Array(repeating: .hybrid(hybrid), count: 64))
        #expect(throws: AgeError.noIdentityMatches) { try Age.decrypt(most, with: [.hybrid(XWingPrivateKey())]) }
    }

    @Test func `a file says how much scrypt it wants, and no more is given than allowed`() throws {
        let file = try Age.encrypt([1], to: [.passphrase(Secret(text: "x"), workFactor: 5)])
        #expect(throws: AgeError.workFactor(5, most: 4)) {
            try Age.decrypt(file, with: [.passphrase(Secret(text: "x"), workFactorLimit: 4)])
        }
        #expect(try Age.decrypt(file, with: [.passphrase(Secret(text: "x"), workFactorLimit: 5)]) == [1])
    }

    // MARK: - Damage

    @Test(arguments: [100, 65_536, 70_000])
    func `a bit flipped anywhere is found`(_ count: Int) throws {
        let (file, identity) = try sampleFile(plaintext(count))
        for index in stride(from: 0, to: file.count, by: file.count < 1_000 ? 1 : 1_999) {
            var changed = file
            changed[index] ^= 1 << UInt8(index % 8)
            var decryptor = try AgeDecryptor(with: [identity], expecting: UInt64(file.count))
            var output = Bytes()
            let error = #expect(throws: AgeError.self, "byte \(index)") {
                try decryptor.update(changed, into: &output)
                try decryptor.finish(into: &output)
            }
            let isTruncated = if case .truncated = error { true } else { false }
            // A line feed that is gone may make a header that does not end.
            if index > 200 { #expect(!isTruncated, "byte \(index)") }
            #expect(output == Bytes(plaintext(count).prefix(output.count)))
            #expect(output.count < count, "byte \(index)")
        }
    }

    @Test(arguments: [100, 65_536, 65_537, 140_000])
    func `a file cut anywhere is found, and with its length known always called cut`(_ count: Int) throws {
        let (file, identity) = try sampleFile(plaintext(count))
        let cuts = Array(stride(from: 0, to: file.count, by: file.count < 1_000 ? 1 : 4_999)) + [file.count - 1]
        for cut in cuts {
            var decryptor = try AgeDecryptor(with: [identity], expecting: UInt64(file.count))
            var output = Bytes()
            let error = #expect(throws: AgeError.self, "cut at \(cut)") {
                try decryptor.update(Bytes(file.prefix(cut)), into: &output)
                try decryptor.finish(into: &output)
            }
            let isTruncated = if case .truncated = error { true } else { false }
            #expect(isTruncated, "cut at \(cut): \(error.map(String.init(describing:)) ?? "")")
            #expect(output == Bytes(plaintext(count).prefix(output.count)))
        }
    }

    @Test func `an error stays`() throws {
        let (file, identity) = try sampleFile(plaintext(200_000))
        var changed = file
        changed[file.count - 150_000] ^= 1
        var decryptor = try AgeDecryptor(with: [identity])
        var output = Bytes()
        let error = #expect(throws: AgeError.self) { try decryptor.update(changed, into: &output) }
        let count = output.count
        #expect(throws: try #require(error)) { try decryptor.update(file, into: &output) }
        #expect(throws: try #require(error)) { try decryptor.finish(into: &output) }
        #expect(output.count == count)
    }

    @Test func `nothing may follow the end`() throws {
        let (file, identity) = try sampleFile([1])
        var decryptor = try AgeDecryptor(with: [identity])
        var output = Bytes()
        try decryptor.update(file, into: &output)
        try decryptor.finish(into: &output)
        #expect(throws: AgeError.trailingData) { try decryptor.update([0], into: &output) }
    }

    @Test func `a header without an end is given up`() throws {
        var reader = AgeHeaderReader()
        let endless = Bytes("age-encryption.org/v1\n-> ".utf8) + Bytes(repeating: 0x41, count: AgeHeader.longest)
        #expect(throws: AgeError.self) {
            try endless.withUnsafeBytes { _ = try reader.update($0) }
        }
        var other = AgeHeaderReader()
        #expect(throws: AgeError.malformedHeader("this is no age file")) {
            try Bytes("age-encryptiom".utf8).withUnsafeBytes { _ = try other.update($0) }
        }
    }

    // MARK: - Other ways in

    @Test(arguments: counts) func `readers give the same bytes in any amounts`(_ count: Int) throws {
        let plaintext = plaintext(count)
        let identity = AgeIdentity.x25519(X25519PrivateKey())
        for amount in [1, 777, 65_552, 1 << 20] where amount > 1 || count < 1_000 {
            var encrypting = try AgeEncryptingReader(to: [identity.recipient], from: source(of: plaintext, amount))
            let file = try drained(amount) { try encrypting.read(into: $0) }
            var decrypting = try AgeDecryptingReader(with: [identity], from: source(of: file, amount))
            #expect(try drained(amount) { try decrypting.read(into: $0) } == plaintext)
        }
    }

    @Test func `a reader gives what is authentic before it fails`() throws {
        let (file, identity) = try sampleFile(plaintext(100_000))
        var reader = try AgeDecryptingReader(with: [identity], from: source(of: Bytes(file.dropLast(3)), 1 << 20))
        var output = Bytes()
        #expect(throws: AgeError.damagedEnd(1)) {
            var buffer = Bytes(repeating: 0, count: 10_000)
            while case let count = try buffer.withUnsafeMutableBytes({ try reader.read(into: $0) }), count > 0 {
                output += buffer.prefix(count)
            }
        }
        #expect(output == Bytes(plaintext(100_000).prefix(65_536)))
    }

    private func source(of bytes: Bytes, _ amount: Int) -> AgeSource {
        var offset = 0
        return { buffer in
            let count = min(buffer.count, amount, bytes.count - offset)
            bytes.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count]))
            }
            offset += count
            return count
        }
    }

    private func drained(_ amount: Int, _ read: (UnsafeMutableRawBufferPointer) throws -> Int) throws -> Bytes {
        var (output, buffer) = (Bytes(), Bytes(repeating: 0, count: amount))
        while case let count = try buffer.withUnsafeMutableBytes(read), count > 0 { output += buffer.prefix(count) }
        return output
    }

    @Test func `a new header lets others in and leaves the payload as it is`() throws {
        let (file, identity) = try sampleFile(plaintext(100_000))
        let new = AgeIdentity.hybrid(XWingPrivateKey())
        let old = try header(of: file)
        let header = try old.rewrapped(with: [identity], for: [new.recipient])
        let rewrapped = header.bytes + file.dropFirst(old.bytes.count)
        #expect(try Age.decrypt(rewrapped, with: [new]) == plaintext(100_000))
        #expect(throws: AgeError.noIdentityMatches) { try Age.decrypt(rewrapped, with: [identity]) }
        #expect(throws: AgeError.noIdentityMatches) { try old.rewrapped(with: [new], for: [new.recipient]) }
    }

    private func header(of file: Bytes) throws -> AgeHeader {
        var reader = AgeHeaderReader()
        return try #require(try file.withUnsafeBytes { try reader.update($0) }).header
    }

    // MARK: - Keys as text

    @Test func `keys are written and read`() throws {
        for identity in [AgeIdentity.x25519(X25519PrivateKey()), .hybrid(XWingPrivateKey())] {
            let text = try #require(identity.text)
            let recipient = try #require(identity.recipient.text)
            let again = try AgeIdentity(parsing: text)
            #expect(again.recipient.text == recipient)
            #expect(again.text?.exposedBytes == text.exposedBytes)
            #expect(try AgeRecipient(parsing: recipient).text == recipient)
            #expect(try AgeRecipient(parsing: recipient.uppercased()).text == recipient)
            let start = String(decoding: text.exposedBytes.prefix(15), as: UTF8.self)
            #expect(start == "AGE-SECRET-KEY-")
            #expect(throws: AgeError.self) {
                try AgeRecipient(parsing: String(decoding: text.exposedBytes, as: UTF8.self))
            }
            #expect(throws: AgeError.self) { try AgeIdentity(parsing: Secret(text: recipient)) }
        }
    }

    /// The pair that the format's specification prints.
    @Test func `the known identity has its known recipient`() throws {
        let identity = try AgeIdentity(
            parsing: Secret(text: "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"))
        #expect(identity.recipient.text == "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj")
    }

    @Test func `typing errors in keys are found`() throws {
        let good = Bytes("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj".utf8)
        for index in good.indices {
            for letter in Bytes("qpz1aQ !b".utf8) where letter != good[index] {
                var changed = good
                changed[index] = letter
                let text = String(decoding: changed, as: UTF8.self)
                #expect(throws: AgeError.self, "\(text)") { try AgeRecipient(parsing: text) }
            }
        }
        let texts = [
            "", "1", "age1", "age", "age1qqqqqq", "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj ",
            String(repeating: "q", count: 5_000), "ä1qqqqqqqq",
        ]
        for text in texts {
            #expect(throws: AgeError.self, "\(text)") { try AgeRecipient(parsing: text) }
            #expect(throws: AgeError.self, "\(text)") { try AgeIdentity(parsing: Secret(text: text)) }
        }
    }
}
