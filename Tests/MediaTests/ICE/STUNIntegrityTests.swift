import Base
import Crypto
import Testing
import Wire

@testable import Media

@Suite struct STUNIntegrityTests {
    /// Long-term vectors give the key itself.
    private func secret(_ row: JSONValue) -> MessageIntegrityKey? {
        guard let credentials = row["credentials"] else { return nil }
        if let key = credentials["key"]?.stringValue.flatMap({ Hex.decode($0) }) {
            return MessageIntegrityKey(Secret(key))
        }
        return credentials["password"]?.stringValue.map { MessageIntegrityKey(Secret(text: $0)) }
    }

    @Test(arguments: ["rfc5769.json", "samples.json"])
    func `the integrity of every sample is as another implementation found it`(file: String) throws {
        var count = 0
        for row in CorpusFolder.vectors(file) {
            guard let expected = row["message_integrity_valid"]?.boolValue, let key = secret(row) else { continue }
            let bytes = try #require(Hex.decode(row["hex"]?.stringValue ?? ""))
            let isAuthentic = key.authenticates(try STUNMessage(parsing: bytes.span.bytes))
            #expect(isAuthentic == expected, "\(row["name"]?.stringValue ?? "")")
            count += 1
        }
        #expect(count >= 3)
    }

    @Test func `a changed bit is found wherever it is`() throws {
        let row = try #require(CorpusFolder.vectors("rfc5769.json").first)
        let bytes = try #require(Hex.decode(row["hex"]?.stringValue ?? ""))
        let key = try #require(secret(row))
        // The FINGERPRINT is not covered.
        for index in 0..<(bytes.count - 8) {
            var changed = bytes
            changed[index] ^= 1
            guard let message = try? STUNMessage(parsing: changed.span.bytes) else { continue }
            let isAuthentic = key.authenticates(message)
            #expect(!isAuthentic, "byte \(index)")
        }
    }

    @Test(arguments: [0, 1, 19, 20, 63, 64, 65, 200]) func `the code is HMAC-SHA1`(count: Int) {
        let secret = Secret(Bytes((0..<count).map { UInt8($0) }))
        let key = MessageIntegrityKey(secret)
        for length in [0, 1, 55, 56, 64, 100, 1_000] {
            let message = Bytes((0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) })
            let expected = HMAC.sha1(message, key: secret)
            let whole = key.code(over: message.span.bytes)
            let isWhole = whole.matches(expected.span.bytes)
            let isCut = whole.matches(expected.span.bytes.extracting(1...))
            #expect(isWhole && !isCut)
            guard length >= 4 else { continue }
            let word = message.span.bytes.uint32(0)
            let isSame = key.code(over: word, message.span.bytes.extracting(4...)).matches(expected.span.bytes)
            #expect(isSame)
        }
    }
}
