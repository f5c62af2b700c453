import Base
import Testing

@testable import Wire

/// The samples of browsers, coturn, pion, the RFC; each decoded by another, independent decoder.
@Suite struct STUNVectorTests {
    struct Sample: CustomTestStringConvertible, Sendable {
        let name: String
        let bytes: Bytes
        let json: JSONValue
        var testDescription: String { name }
    }

    static func samples(_ file: String) -> [Sample] {
        let bytes = VectorFolder("stun").bytes(of: file)
        let rows = (try? JSONValue(parsing: bytes, limits: JSONLimits(depth: 16, values: 100_000)))?.arrayValue ?? []
        return rows.map {
            Sample(
                name: $0["name"]?.stringValue ?? "", bytes: Hex.decode($0["hex"]?.stringValue ?? "") ?? [], json: $0)
        }
    }

    @Test(arguments: ["rfc5769.json", "samples.json"])
    func `every sample is decoded as another decoder did`(file: String) throws {
        let samples = Self.samples(file)
        try #require(samples.count >= 3)
        for sample in samples { try check(sample) }
    }

    private func check(_ sample: Sample) throws {
        let decoded = try #require(sample.json["decoded"])
        let message = try STUNMessage(parsing: sample.bytes.span.bytes)
        let type = try #require(decoded["type"]?.stringValue)
        #expect("0x" + Hex.encode(Bytes(sample.bytes.prefix(2))) == type, "\(sample.name)")
        let classes: [String: STUNClass] = [
            "request": .request, "indication": .indication, "success": .success, "error": .error,
        ]
        #expect(classes[decoded["cls"]?.stringValue ?? ""] == message.kind, "\(sample.name)")
        let id = Hex.decode(decoded["transaction_id"]?.stringValue ?? "") ?? []
        #expect(id.span.bytes.uint32(0) == message.transactionID.high)
        if decoded["method"]?.stringValue == "Binding" { #expect(message.method == .binding) }
        for attribute in decoded["attributes"]?.arrayValue ?? [] { check(attribute, message, sample.name) }
        switch sample.json["fingerprint_valid"]?.boolValue {
        case true?: #expect(message.fingerprint == .valid, "\(sample.name)")
        case false?: #expect(message.fingerprint == .invalid, "\(sample.name)")
        case nil: #expect(message.fingerprint == .absent, "\(sample.name)")
        }
    }

    private func check(_ attribute: JSONValue, _ message: STUNMessage, _ name: String) {
        guard let text = attribute["type"]?.stringValue, let code = UInt16(text.dropFirst(2), radix: 16) else { return }
        let type = STUNAttributeType(rawValue: code)
        let value = attribute["value"]?.stringValue ?? ""
        switch type {
        case .messageIntegrity:
            let start = message.integrity?.code.lowerBound
            #expect(start.map { Hex.encode(copy(message.span.extracting($0..<($0 + 20)))) } == value, "\(name)")
            return
        case .messageIntegritySHA256, .fingerprint: return
        default: break
        }
        var matches = false
        var offset = STUNMessage.headerLength
        while !matches, let found = message.nextAttribute(from: &offset) {
            matches = found.type == type && Hex.encode(copy(message.value(found))) == value
        }
        #expect(matches, "\(name): \(text)")
        let decoded = attribute["decoded"]
        switch type {
        case .xorMappedAddress, .xorRelayedAddress, .xorPeerAddress:
            #expect(message.xorAddress(type)?.description == address(decoded), "\(name)")
        case .mappedAddress: #expect(message.plainAddress(type)?.description == address(decoded), "\(name)")
        case .priority: #expect(message.priority.map(Int64.init) == decoded?.integerValue, "\(name)")
        case .iceControlled: #expect(message.iceControlled.map { "\($0)" } == decoded?.stringValue, "\(name)")
        case .iceControlling: #expect(message.iceControlling.map { "\($0)" } == decoded?.stringValue, "\(name)")
        case .useCandidate: #expect(message.usesCandidate == true, "\(name)")
        case .errorCode:
            #expect(message.errorCode.map { Int64($0.rawValue) } == decoded?["code"]?.integerValue, "\(name)")
        case .lifetime: #expect(message.uint32(type).map(Int64.init) == decoded?.integerValue, "\(name)")
        default: break
        }
    }

    private func address(_ json: JSONValue?) -> String? {
        guard let text = json?["address"]?.stringValue, let port = json?["port"]?.integerValue,
            let ip = IPAddress(text)
        else { return nil }
        return "\(TransportAddress(ip, UInt16(port)))"
    }

    private func copy(_ span: RawSpan) -> Bytes {
        var bytes: Bytes = []
        bytes.append(span)
        return bytes
    }

    @Test func `malformed messages are refused, and odd ones are not`() throws {
        let samples = Self.samples("malformed.json")
        try #require(samples.count == 40)
        for sample in samples {
            let isValid = sample.json["structurally_valid"]?.boolValue
            #expect(accepts(sample.bytes) == isValid, "\(sample.name)")
        }
    }

    @Test func `every message of a TURN session is read`() throws {
        var count = 0
        for session in Self.samples("turn-sessions.json") {
            for row in session.json["messages"]?.arrayValue ?? [] {
                let bytes = Hex.decode(row["hex"]?.stringValue ?? "") ?? []
                guard let first = bytes.first, first < 4 else { continue }
                count += 1
                #expect(accepts(bytes), "\(session.name)")
            }
        }
        #expect(count > 40)
    }

    @Test func `no prefix of a message is a message`() throws {
        for sample in Self.samples("rfc5769.json") {
            for count in 0..<sample.bytes.count { #expect(!accepts(Bytes(sample.bytes.prefix(count)))) }
            #expect(!accepts(sample.bytes + [0]) && !accepts(sample.bytes + [0, 0, 0, 0]))
        }
    }

    private func accepts(_ bytes: Bytes) -> Bool { (try? STUNMessage(parsing: bytes.span.bytes)) != nil }
}
