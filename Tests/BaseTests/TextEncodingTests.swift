import Base
import Testing

@Suite struct TextEncodingTests {
    @Test func `hexadecimal comes back as it went`() {
        let bytes = Bytes(0...255)
        let text = Hex.encode(bytes)
        #expect(text.utf8.count == 512)
        #expect(Hex.decode(text) == bytes)
        #expect(Hex.decode(text.uppercased()) == bytes)
    }

    @Test(arguments: ["a", "0g", " 00", "00 ", "é0"])
    func `what is not hexadecimal is refused`(_ text: String) {
        #expect(Hex.decode(text) == nil)
    }

    /// RFC 4648 §10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func `Base64 follows the RFC's examples`(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(Bytes(plain.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Bytes(plain.utf8))
        let unpadded = encoded.filter { $0 != "=" }
        #expect(Base64.encode(Bytes(plain.utf8), .urlSafe) == unpadded)
        #expect(Base64.decode(unpadded, .urlSafe) == Bytes(plain.utf8))
    }

    @Test func `the two alphabets differ in two characters`() {
        #expect(Base64.encode([0xFB, 0xFF]) == "+/8=")
        #expect(Base64.encode([0xFB, 0xFF], .urlSafe) == "-_8")
        #expect(Base64.decode("+/8", .urlSafe) == nil)
        #expect(Base64.decode("-_8=") == nil)
    }

    /// Two texts for the same bytes would let a token be altered without breaking it.
    @Test(arguments: ["Zh==", "Zm9=", "Zg=", "Zg", "Z", "Zg==\n", "Zm 9v", "===="])
    func `only what the encoder writes is decoded`(_ text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(arguments: ["Zh", "Zm9", "Zg==", "Z"])
    func `the same holds without padding`(_ text: String) {
        #expect(Base64.decode(text, .urlSafe) == nil)
    }

    @Test(arguments: [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foobar", "MZXW6YTBOI")])
    func `Base32 follows the RFC's examples, without padding`(_ plain: String, _ encoded: String) {
        #expect(Base32.encode(Bytes(plain.utf8)) == encoded)
    }
}
