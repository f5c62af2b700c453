import Base
import Testing

@testable import Wire

@Suite struct STUNWriterTests {
    private static let id = STUNTransactionID(0xB7E7_A701, 0xBC34_D686_FA87_DFAE)

    @Test func `the IPv4 response of RFC 5769 is written byte by byte`() throws {
        let sample = try #require(
            STUNVectorTests.samples("rfc5769.json").first { $0.name.contains("2.2") })
        var writer = STUNWriter()
        writer.begin(.success, .binding, Self.id)
        writer.add(.software, text: "test vector")
        writer.add(.xorMappedAddress, xor: TransportAddress(IPAddress(v4: 0xC000_0201), 32_853))
        let offset = writer.reserveIntegrity()
        writer.fillIntegrity(offset, sample.bytes.span.bytes.extracting(52..<72))
        writer.addFingerprint()
        // The RFC fills SOFTWARE up with a space, we with 0; all else is the same, but for the sum over it.
        var expected = sample.bytes
        expected[35] = 0
        #expect(writer.bytes.dropLast(4) == expected.dropLast(4))
        #expect(try STUNMessage(parsing: writer.bytes.span.bytes).fingerprint == .valid)
    }

    @Test(arguments: ["192.0.2.1", "2001:db8:1234:5678:11:2233:4455:6677", "::1", "255.255.255.255"])
    func `an address is read back`(text: String) throws {
        let address = TransportAddress(try #require(IPAddress(text)), 41_000)
        var writer = STUNWriter()
        writer.begin(.success, .allocate, Self.id)
        writer.add(.xorRelayedAddress, xor: address)
        let message = try STUNMessage(parsing: writer.bytes.span.bytes)
        #expect(message.xorAddress(.xorRelayedAddress) == address)
        #expect(message.xorAddress(.xorPeerAddress) == nil)
        #expect(message.method == .allocate && message.kind == .success)
    }

    @Test func `every method and class is read back`() throws {
        var writer = STUNWriter()
        for method in stride(from: UInt16(0), to: 0x1000, by: 7) {
            for kind in [STUNClass.request, .indication, .success, .error] {
                writer.begin(kind, STUNMethod(rawValue: method), Self.id)
                let message = try STUNMessage(parsing: writer.bytes.span.bytes)
                #expect(message.kind == kind && message.method.rawValue == method)
                #expect(message.transactionID == Self.id)
            }
        }
    }

    @Test func `an error names its code, and 420 the attributes`() throws {
        var writer = STUNWriter()
        writer.begin(.request, .binding, Self.id)
        for type in UInt16(0x7000)..<0x7014 { writer.add(STUNAttributeType(rawValue: type), UInt32(1)) }
        writer.add(STUNAttributeType(rawValue: 0xC057), UInt32(1))
        let requestBytes = writer.bytes
        let request = try STUNMessage(parsing: requestBytes.span.bytes)
        #expect(request.unknownAttributeCount == 8)
        writer.begin(.error, .binding, Self.id)
        writer.add(error: .unknownAttribute, reason: "Unknown")
        writer.add(unknownAttributesOf: request)
        let message = try STUNMessage(parsing: writer.bytes.span.bytes)
        #expect(message.errorCode == .unknownAttribute)
        guard let list = message.attribute(.unknownAttributes) else {
            Issue.record("no list")
            return
        }
        #expect(list.length == 16 && message.value(list).uint16(0) == 0x7000)
    }

    @Test func `what follows an integrity is not seen, and a fingerprint is last or wrong`() throws {
        var writer = STUNWriter()
        writer.begin(.request, .binding, Self.id)
        writer.add(.username, text: "one")
        let offset = writer.reserveIntegrity()
        writer.add(.priority, UInt32(7))
        writer.add(.username, text: "other")
        writer.add(flag: .useCandidate)
        writer.add(STUNAttributeType(rawValue: 0x7000), UInt32(0))
        writer.addFingerprint()
        let whole = writer.bytes
        let message = try STUNMessage(parsing: whole.span.bytes)
        #expect(message.priority == nil && !message.usesCandidate && message.unknownAttributeCount == 0)
        #expect(message.username?.length == 3 && message.attribute(.priority) == nil)
        #expect(message.integrity?.coveredEnd == offset && message.fingerprint == .valid)
        #expect(message.integrity?.firstWord == 0x0001_0000 | UInt32(offset + 24 - 20))
        writer.add(.priority, UInt32(7))
        #expect(try STUNMessage(parsing: writer.bytes.span.bytes).fingerprint == .invalid)
    }

    @Test func `a right sum that is not last is wrong`() throws {
        var writer = STUNWriter()
        writer.begin(.request, .binding, Self.id)
        writer.addFingerprint()
        writer.add(.priority, UInt32(7))
        var bytes = writer.bytes
        let sum = CRC32.checksum(bytes.span.bytes.extracting(0..<20)) ^ STUNMessage.fingerprintMask
        bytes.overwrite(bigEndian: UInt16(truncatingIfNeeded: sum >> 16), at: 24)
        bytes.overwrite(bigEndian: UInt16(truncatingIfNeeded: sum), at: 26)
        let message = try STUNMessage(parsing: bytes.span.bytes)
        #expect(message.fingerprint == .invalid && message.priority == nil)
    }

    @Test func `values of a wrong length are not there`() throws {
        var writer = STUNWriter()
        writer.begin(.request, .binding, Self.id)
        writer.add(.priority, UInt64(1))
        writer.add(.iceControlled, UInt32(1))
        writer.add(.useCandidate, UInt32(1))
        writer.add(.messageIntegrity, UInt64(1))
        let message = try STUNMessage(parsing: writer.bytes.span.bytes)
        #expect(message.priority == nil && message.iceControlled == nil)
        #expect(!message.usesCandidate && message.integrity == nil)
    }

    @Test func `CRC-32 is that of zip`() {
        #expect(CRC32.checksum(Bytes("123456789".utf8).span.bytes) == 0xCBF4_3926)
        #expect(CRC32.checksum(Bytes().span.bytes) == 0)
        #expect(CRC32.checksum(Bytes("The quick brown fox jumps over the lazy dog".utf8).span.bytes) == 0x414F_A339)
    }
}
