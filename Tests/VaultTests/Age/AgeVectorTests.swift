// Every file of the testkits ends as it says, however it is read.

import Base
import Crypto
import Testing
import Vault

@Suite struct AgeVectorTests {
    @Test func `all vectors are there`() {
        #expect(AgeCase.own.count >= 150)
        #expect(
            AgeCase.own.allSatisfy { !$0.expect.isEmpty && !$0.file.isEmpty || $0.name.hasPrefix("cut_in_header_0") })
    }

    @Test(.enabled(if: !AgeCase.theirs.isEmpty, "PLEXI_AGE_TESTKIT names no folder with C2SP's testkit"))
    func `the C2SP testkit is there`() {
        #expect(AgeCase.theirs.count >= 140)
    }

    /// Whole, in chunks of age's, and in odd pieces that fall across all borders.
    @Test(arguments: AgeCase.all)
    func `a file ends as its vector says`(_ test: AgeCase) throws {
        let sizes = test.file.count > 1 << 20 ? [1 << 30, 65_552] : [1 << 30, 65_552, 4_099, 1]
        for size in sizes where size > 1 || test.file.count < 20_000 {
            let outcome = AgeOutcome(decrypting: test, pieces: size)
            #expect(
                outcome.error?.testkitName ?? "success" == test.expect,
                "pieces of \(size): \(outcome.error.map(String.init(describing:)) ?? "")")
            if let payload = test.payload, test.expect != "armor failure" {
                #expect(SHA256.hash(outcome.plaintext) == payload, "pieces of \(size)")
            } else if test.payload == nil {
                #expect(outcome.plaintext.isEmpty, "pieces of \(size)")
            }
        }
    }

    @Test(arguments: AgeCase.own.filter { $0.expect == "payload failure" || $0.comment == "truncated" })
    func `what was cut is told from what was changed`(_ test: AgeCase) throws {
        let (error, informed) = (
            AgeOutcome(decrypting: test, pieces: 10_000).error,
            AgeOutcome(decrypting: test, pieces: 10_000, expecting: true).error
        )
        let isTruncated = if case .truncated = error { true } else { false }
        let isTampered = if case .tampered = error { true } else { false }
        let isOpen = if case .damagedEnd = error { true } else { false }
        switch test.comment {
        case "truncated": #expect(isTruncated)
        case "tampered": #expect(isTampered)
        case "truncated or tampered":
            #expect(isOpen)
            // With all bytes there that should be, it was changed.
            let isKnown = if case .tampered = informed { true } else { false }
            #expect(isKnown)
        case "trailing": #expect(error == .trailingData)
        default: #expect(error != nil)
        }
    }

    /// The header from the beginning, ranges in any order: the same verdict, and nothing but the same bytes.
    @Test(arguments: AgeCase.all.filter { !$0.isArmored })
    func `random access comes to the same end`(_ test: AgeCase) throws {
        let whole = AgeOutcome(decrypting: test, pieces: 1 << 30)
        do {
            let file = test.file
            var access = try AgeRandomAccess.open(of: UInt64(file.count), with: test.identities) { offset, buffer in
                file.withUnsafeBytes {
                    buffer.copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: $0[Int(offset)..<Int(offset) + buffer.count]))
                }
            }
            let count = access.plaintextCount
            var plaintext = Bytes()
            try access.read(0..<count, into: &plaintext)
            #expect(test.expect == "success")
            #expect(plaintext == whole.plaintext)
            for range in [count / 2..<count, 0..<count / 2, count..<count, count / 3..<min(count, count / 3 + 3)] {
                var part = Bytes()
                try access.read(range, into: &part)
                #expect(part == Bytes(whole.plaintext[Int(range.lowerBound)..<Int(range.upperBound)]))
            }
        } catch let error as AgeError { #expect(error.testkitName == test.expect, "\(error)") }
    }

    @Test(arguments: AgeCase.all.filter { $0.isArmored && $0.expect == "success" })
    func `armour is written as it was read`(_ test: AgeCase) throws {
        var text = Bytes()
        var encoder = AgeArmorEncoder()
        let binary = try AgeArmor.decode(test.file)
        try AgeOutcome.each(binary, 11) { piece in encoder.update(piece, into: &text) }
        encoder.finish(into: &text)
        let trimmed = String(decoding: test.file.filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
            .split(separator: "\n").filter { !$0.allSatisfy(\.isWhitespace) }.joined(separator: "\n")
        #expect(String(decoding: text, as: UTF8.self) == trimmed + "\n")
    }
}
