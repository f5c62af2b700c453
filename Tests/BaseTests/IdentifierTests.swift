import Base
import Testing

@Suite struct IdentifierTests {
    private let text = "0192f3c4-5a6b-7c8d-9e0f-a1b2c3d4e5f6"

    @Test func `a UUID is read in either case and written in lower case`() throws {
        let uuid = try #require(UUID(text.uppercased()))
        #expect(uuid.description == text)
        #expect(UUID(uuid.bytes) == uuid)
        #expect(Hex.encode(uuid.bytes) == text.filter { $0 != "-" })
        #expect(uuid.digits == text.filter { $0 != "-" })
    }

    @Test(arguments: [
        "", "0192f3c4", "0192f3c45a6b7c8d9e0fa1b2c3d4e5f6", "0192f3c4-5a6b-7c8d-9e0f-a1b2c3d4e5f",
        "0192f3c4-5a6b-7c8d-9e0f-a1b2c3d4e5f67", "0192f3c4_5a6b-7c8d-9e0f-a1b2c3d4e5f6",
        "g192f3c4-5a6b-7c8d-9e0f-a1b2c3d4e5f6", "{0192f3c4-5a6b-7c8d-9e0f-a1b2c3d4e5f6}",
    ])
    func `nothing else is a UUID`(_ text: String) {
        #expect(UUID(text) == nil)
    }

    @Test func `fifteen or seventeen bytes are no UUID`() {
        #expect(UUID(Bytes(repeating: 1, count: 15)) == nil)
        #expect(UUID(Bytes(repeating: 1, count: 17)) == nil)
    }

    @Test func `an identifier takes the documents' prefix and writes none`() throws {
        let id = try #require(UserID("user_" + text))
        #expect(id == UserID(text))
        #expect(id.description == text)
        #expect(UserID("msg_" + text) == nil)
        #expect(UserID("user_") == nil)
    }

    @Test func `identifiers made later sort later`() {
        let early = UUID.timeOrdered(at: Timestamp(secondsSinceEpoch: 1_000))
        let late = UUID.timeOrdered(at: Timestamp(secondsSinceEpoch: 1_001))
        #expect(early < late)
    }

    @Test func `version and variant are those of RFC 9562`() {
        for _ in 0..<100 {
            let ordered = Array(UUID.timeOrdered(at: .now()).description)
            let random = Array(UUID.random().description)
            #expect(ordered[14] == "7")
            #expect(random[14] == "4")
            #expect("89ab".contains(ordered[19]) && "89ab".contains(random[19]))
        }
    }

    @Test func `a time-ordered identifier begins with its milliseconds`() {
        let uuid = UUID.timeOrdered(at: Timestamp(microsecondsSinceEpoch: 1_645_557_742_000_999))
        #expect(uuid.high >> 16 == 1_645_557_742_000)
    }
}
