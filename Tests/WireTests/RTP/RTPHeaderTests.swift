import Base
import Testing

@testable import Wire

@Suite struct RTPHeaderTests {
    private func header(_ hex: String) -> RTPHeader? {
        (Bytes(hexText: hex) ?? []).withHeader { $0 }
    }

    @Test(arguments: ["rtp-vectors.json", "malformed-rtp.json"])
    func `headers are read as other decoders read them`(file: String) throws {
        let cases = RTPVectorCase.all(in: file)
        #expect(cases.count >= 14)
        for vector in cases {
            let header = vector.bytes.withHeader { $0 }
            guard let decoded = vector.decoded else { continue }
            if vector.isRefused {
                #expect(header == nil, "\(vector.name)")
                continue
            }
            let read = try #require(header, "\(vector.name)")
            #expect(Int64(read.sequenceNumber) == vector.number("seq"), "\(vector.name)")
            #expect(Int64(read.timestamp) == vector.number("timestamp"), "\(vector.name)")
            #expect(Int64(read.ssrc) == vector.number("ssrc"), "\(vector.name)")
            #expect(Int64(read.payloadType) == vector.number("pt"), "\(vector.name)")
            #expect(Int64(read.csrcCount) == vector.number("cc"), "\(vector.name)")
            #expect(read.marker == (vector.number("marker") == 1), "\(vector.name)")
            #expect(read.hasExtension == (vector.number("extension") == 1), "\(vector.name)")
            #expect(Int64(read.headerLength) == vector.number("header_size"), "\(vector.name)")
            let profile = decoded["ext_profile"]?.stringValue ?? "0x0000"
            #expect(Int(read.extensionProfile) == Int(profile.dropFirst(2), radix: 16), "\(vector.name)")
            let padding = vector.bytes.withUnsafeBytes { read.paddingLength(in: $0.bytes) }
            #expect(padding.map(Int64.init) == vector.number("padding_size") ?? 0, "\(vector.name)")
            for (index, source) in (decoded["csrc"]?.arrayValue ?? []).enumerated() {
                let csrc = vector.bytes.withUnsafeBytes { read.csrc(index, in: $0.bytes) }
                #expect(csrc.map(Int64.init) == source.integerValue)
            }
        }
    }

    @Test(arguments: [
        ("81e0698fd9c293da1c642782", "a CSRC is missing"),
        ("90e0698fd9c293da1c642782", "the extension is missing"),
        ("90e0698fd9c293da1c642782bede0003", "the elements are missing"),
        ("90e0698fd9c293da1c642782bede00011200", "the elements are cut"),
        ("10645749000001901234abcdbede0000", "version 0"),
        ("c0645749000001901234abcd", "version 3"),
        ("", "nothing"),
    ])
    func `what is no header is refused`(hex: String, why: String) { #expect(header(hex) == nil, "\(why)") }

    @Test func `a header cut anywhere is refused`() {
        let whole = Bytes(hexText: "9264005865431278123456783456789032435465bede0001120056ce") ?? []
        #expect(whole.withHeader { $0.headerLength } == 28)
        for count in 0..<whole.count { #expect(Bytes(whole[..<count]).withHeader { $0 } == nil) }
    }

    @Test func `an extension longer than any datagram is refused`() {
        var packet = Bytes(hexText: "90e0698fd9c293da1c642782bedeffff") ?? []
        packet += Bytes(repeating: 0, count: 65_535 * 4)
        #expect(packet.withHeader { $0 } == nil)
    }

    @Test(arguments: [
        ("a00000000000000000000000aabb02", 2 as Int?), ("a0000000000000000000000003bb03", 3),
        ("a00000000000000000000000aabb04", nil), ("a00000000000000000000000aabb00", nil),
        ("a00000000000000000000000", nil), ("800000000000000000000000aabb02", 0),
    ])
    func `padding is counted when it can be`(hex: String, padding: Int?) {
        let bytes = Bytes(hexText: hex) ?? []
        #expect(bytes.withUnsafeBytes { (try? RTPHeader(parsing: $0.bytes))?.paddingLength(in: $0.bytes) } == padding)
    }

    @Test func `what is written is read back`() throws {
        var bytes = Bytes(repeating: 0, count: 12)
        bytes.withUnsafeMutableBytes { buffer in
            var span = buffer.mutableBytes
            RTPFixedHeader.write(
                marker: true, payloadType: 127, sequenceNumber: 0xFEDC, timestamp: 0x8123_4567, ssrc: 0xFFFF_0001,
                hasExtension: false, hasPadding: true, into: &span)
        }
        let header = try #require(bytes.withHeader { $0 })
        #expect(header.marker && header.hasPadding && !header.hasExtension)
        #expect(header.payloadType == 127 && header.sequenceNumber == 0xFEDC)
        #expect(header.timestamp == 0x8123_4567 && header.ssrc == 0xFFFF_0001)
        #expect(header.headerLength == 12 && header.csrcCount == 0)
    }
}

extension Array where Element == UInt8 {
    /// Nil when the bytes are refused.
    func withHeader<Value>(_ body: (RTPHeader) -> Value) -> Value? {
        withUnsafeBytes { buffer in
            do throws(WireError) {
                return body(try RTPHeader(parsing: buffer.bytes))
            } catch {
                return nil
            }
        }
    }
}
