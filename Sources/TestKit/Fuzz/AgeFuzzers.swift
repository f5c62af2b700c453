// The fuzzers of age files, of keys as text, and of what HPKE and ML-KEM take from others.

import Base
import Crypto
import Vault

extension Fuzzers {
    package static let age = [
        Fuzzer("age-header", fuzzAgeHeader), Fuzzer("age-armor", fuzzAgeArmor), Fuzzer("age-file", fuzzAgeFile),
        Fuzzer("age-damage", fuzzAgeDamage), Fuzzer("age-keys", fuzzAgeKeys), Fuzzer("hpke", fuzzHPKE),
    ]
}

/// The keys of the corpus: X25519's is 32 bytes of 1, the seed of X-Wing's 32 bytes of 2. The passphrase is `x`.
private enum AgeFuzzKeys {
    static let x25519 = key { () throws(CryptoError) in try X25519PrivateKey(Secret(Bytes(repeating: 1, count: 32))) }
    static let xWing = key { () throws(CryptoError) in try XWingPrivateKey(seed: Secret(Bytes(repeating: 2, count: 32)))
    }
    /// Two doublings at most: a mutated factor must not make an input take seconds.
    static let identities: [AgeIdentity] = [
        .x25519(x25519), .hybrid(xWing), .passphrase(Secret(text: "x"), workFactorLimit: 2),
    ]

    private static func key<Key>(_ make: () throws(CryptoError) -> Key) -> Key {
        do { return try make() } catch { fatalError("a key of the fuzzers: \(error)") }
    }
}

/// Runs a body over pieces of the bytes until it throws.
private func inPieces(
    _ bytes: Bytes, _ size: Int, _ body: (UnsafeRawBufferPointer) throws(AgeError) -> Void
) throws(AgeError) {
    let whole = bytes.span.bytes
    try whole.withUnsafeBytes { whole throws(AgeError) in
        for start in stride(from: 0, to: whole.count, by: size) {
            try body(UnsafeRawBufferPointer(rebasing: whole[start..<min(start + size, whole.count)]))
        }
    }
}

/// A header is the beginning of its file, within its bounds, and the same in pieces as at once.
private func fuzzAgeHeader(_ bytes: Bytes) {
    func read(_ size: Int) -> Result<(AgeHeader, Int)?, AgeError> {
        var reader = AgeHeaderReader()
        var (before, found): (Int, (AgeHeader, Int)?) = (0, nil)
        do throws(AgeError) {
            try inPieces(bytes, size) { piece throws(AgeError) in
                guard found == nil else { return }
                if let (header, used) = try reader.update(piece) { found = (header, before + used) }
                before += piece.count
            }
            return .success(found)
        } catch { return .failure(error) }
    }
    let whole = read(max(1, bytes.count))
    for size in [1, 7] {
        switch (whole, read(size)) {
        case (.success(let first), .success(let second)):
            promise(first?.1 == second?.1, "pieces of \(size) end where the whole does")
            promise(first?.0.bytes == second?.0.bytes, "pieces of \(size) have the same header")
        case (.failure(let first), .failure(let second)):
            promise(first == second, "pieces of \(size) fail as the whole does")
        default: promise(false, "pieces of \(size) have the same verdict")
        }
    }
    guard case .success((let header, let used)?) = whole else { return }
    promise(header.bytes == Bytes(bytes.prefix(used)), "a header is the beginning of its file")
    promise(used <= AgeHeader.longest, "a header is within its bound")
    if let fileKey = try? header.fileKey(with: AgeFuzzKeys.identities) {
        promise(fileKey.count == 16, "a file key has 16 bytes")
    }
}

/// What was armoured is armoured the same way again, and is shorter than its text.
private func fuzzAgeArmor(_ bytes: Bytes) {
    func decoded(_ size: Int) -> Result<Bytes, AgeError> {
        var decoder = AgeArmorDecoder()
        var file = Bytes()
        do throws(AgeError) {
            try inPieces(bytes, size) { piece throws(AgeError) in try decoder.update(piece, into: &file) }
            try decoder.finish(into: &file)
            return .success(file)
        } catch { return .failure(error) }
    }
    let whole = decoded(max(1, bytes.count))
    for size in [1, 13] { promise(decoded(size) == whole, "pieces of \(size) come to the same") }
    guard case .success(let file) = whole else { return }
    promise(file.count < bytes.count, "text is longer than what it says")
    var encoder = AgeArmorEncoder()
    var text = Bytes()
    file.withUnsafeBytes { encoder.update($0, into: &text) }
    encoder.finish(into: &text)
    promise((try? AgeArmor.decode(text)) == file, "what is written is read back")
}

private struct AgeFuzzOutcome: Equatable {
    var plaintext = Bytes()
    var error: AgeError?

    init(_ file: Bytes, pieces size: Int, expecting count: Int? = nil) {
        do throws(AgeError) {
            var decryptor = try AgeDecryptor(with: AgeFuzzKeys.identities, expecting: count.map { UInt64($0) })
            try inPieces(file, size) { piece throws(AgeError) in try decryptor.update(piece, into: &plaintext) }
            try decryptor.finish(into: &plaintext)
        } catch { self.error = error }
    }
}

/// Pieces come to the same end as the whole, and so does random access when that is good.
private func fuzzAgeFile(_ bytes: Bytes) {
    let whole = AgeFuzzOutcome(bytes, pieces: max(1, bytes.count))
    promise(AgeFuzzOutcome(bytes, pieces: 5) == whole, "pieces come to the same end")
    promise(whole.plaintext.count <= bytes.count, "a plaintext is shorter than its file")
    guard whole.error == nil else { return }
    do {
        var access = try AgeRandomAccess.open(of: UInt64(bytes.count), with: AgeFuzzKeys.identities) { offset, buffer in
            for index in buffer.indices { buffer[index] = bytes[Int(offset) + index] }
        }
        var plaintext = Bytes()
        try access.read(0..<access.plaintextCount, into: &plaintext)
        promise(plaintext == whole.plaintext, "random access gives the same plaintext")
    } catch { promise(false, "random access opens what a stream opens: \(error)") }
}

/// A file is made of the input, then cut or changed where the input says: never a byte that was not in it, always an
/// error, and always the right kind of error when the length is known.
private func fuzzAgeDamage(_ bytes: Bytes) {
    guard bytes.count >= 8, let last = bytes.last else { return }
    let number = bytes.prefix(6).reduce(0) { $0 << 8 | Int($1) }
    let count = number % 140_000
    var plaintext = Bytes()
    plaintext.reserveCapacity(count + bytes.count)
    while plaintext.count < count { plaintext += bytes }
    plaintext.removeLast(plaintext.count - count)
    guard let file = try? Age.encrypt(plaintext, to: [.x25519(AgeFuzzKeys.x25519.publicKey)]) else {
        return promise(false, "a recipient takes every plaintext")
    }
    let size = 1 + number % 100_000
    promise(AgeFuzzOutcome(file, pieces: size).plaintext == plaintext, "what was encrypted is decrypted")
    let place = number / 140_000 % file.count
    let isCut = bytes[6] & 1 == 0
    var damaged = file
    if isCut { damaged.removeSubrange(place...) } else { damaged[place] ^= last | 1 }
    let outcome = AgeFuzzOutcome(damaged, pieces: size, expecting: file.count)
    promise(outcome.error != nil, "damage at \(place) of \(file.count) is found")
    promise(plaintext.starts(with: outcome.plaintext), "only what was encrypted is given out")
    // Within the header, a line feed more or less may look like either.
    let isTruncated = if case .truncated = outcome.error { true } else { false }
    promise(place < 250 || isTruncated == isCut, "what was cut is told from what was changed: \(isCut)")
}

/// A key that is read is written the same way.
private func fuzzAgeKeys(_ bytes: Bytes) {
    let text = String(decoding: bytes, as: UTF8.self)
    if let recipient = try? AgeRecipient(parsing: text) {
        promise(recipient.text == text.lowercased(), "a recipient is written as it was read")
    }
    if let identity = try? AgeIdentity(parsing: Secret(bytes)) {
        let written = identity.text.map { String(decoding: $0.exposedBytes, as: UTF8.self) }
        promise(written == text.uppercased(), "an identity is written as it was read")
    }
}

/// Any lengths: an error, or a result of the right length.
private func fuzzHPKE(_ bytes: Bytes) {
    let cut = bytes.isEmpty ? 0 : Int(bytes[0]) * bytes.count / 256
    let (encapsulated, ciphertext) = (Bytes(bytes.prefix(cut)), Bytes(bytes.dropFirst(cut)))
    for key in [HPKE.PrivateKey.x25519(AgeFuzzKeys.x25519), .xWing(AgeFuzzKeys.xWing)] {
        let opened = try? HPKE.open(ciphertext, encapsulated, with: key, info: [])
        promise(
            opened == nil || opened?.count == ciphertext.count - 16, "a message is 16 bytes shorter than its ciphertext"
        )
    }
    if let key = try? MLKEM768PublicKey(bytes, using: .swift), let made = try? key.encapsulate() {
        promise(made.ciphertext.count == MLKEM768.ciphertextCount, "a ciphertext has its length")
        promise(bytes.count == MLKEM768.publicKeyCount, "only a key of the right length is taken")
    }
    if let key = try? MLKEM768PrivateKey(expanded: Secret(bytes), using: .swift) {
        promise((try? key.expanded().count) == bytes.count, "an expanded key is written as long as it was read")
    }
    let shared = try? AgeFuzzKeys.xWing.decapsulate(bytes)
    promise(shared == nil || bytes.count == XWing.ciphertextCount, "only a ciphertext of the right length is taken")
}
