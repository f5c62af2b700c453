import Base
import Relay
import TestKit
import Testing
import Wire

@Suite struct BindingTests {
    private func listener(_ handle: UInt32, _ ip: UInt32, _ port: UInt16) -> RelayListener {
        RelayListener(handle: handle, address: TransportAddress(IPAddress(v4: ip), port), transport: .udp)
    }

    private var discovery: BehaviourDiscovery {
        BehaviourDiscovery(
            primary: (listener(0, 0xC633_6401, 3_478), listener(1, 0xC633_6401, 3_479)),
            alternate: (listener(2, 0xC633_6402, 3_478), listener(3, 0xC633_6402, 3_479)))
    }

    @Test(arguments: ClientTransport.allCases) func `a client learns its address`(transport: ClientTransport) {
        let stage = openStage()
        let client = RelayTestClient(stage, transport: transport)
        for ip in [IPAddress(v4: 0x5505_0505), IPAddress(v6: 0x2A00_0000_0000_0000, 5)] {
            client.path.remote.ip = ip
            stage.client(client.bare(.binding), from: client.path)
            let answer = stage.answer()
            #expect(answer?.isSuccess == true && answer?.address(.xorMappedAddress) == client.path.remote)
            #expect(answer?.has(.software) == false && answer?.has(.responseOrigin) == false)
        }
        #expect(stage.engine.counters.bindings == 2)
    }

    @Test func `a fingerprint is answered with one, a wrong one with nothing`() throws {
        let stage = openStage()
        let client = RelayTestClient(stage)
        var writer = STUNWriter()
        writer.begin(.request, .binding, client.nextTransaction())
        writer.addFingerprint()
        stage.client(writer.bytes, from: client.path)
        let answer = try #require(stage.answer())
        let isValid = try STUNMessage(parsing: answer.bytes.span.bytes).fingerprint == .valid
        #expect(isValid)
        var wrong = writer.bytes
        wrong[wrong.count - 1] ^= 1
        stage.client(wrong, from: client.path)
        #expect(stage.take().isEmpty)
    }

    @Test(arguments: [0, 2, 4, 6] as [UInt32], [0, 1, 2, 3] as [UInt32])
    func `an answer comes from where it was asked to come from`(flags: UInt32, handle: UInt32) throws {
        let stage = openStage { $0.discovery = discovery }
        let client = RelayTestClient(stage)
        client.path.handle = handle
        let request = client.bare(.binding) { $0.add(.changeRequest, flags) }
        stage.client(request, from: client.path)
        let sent = stage.take()
        guard sent.count == 1, case .toClient(let path, let bytes) = sent[0] else {
            Issue.record("one answer")
            return
        }
        // Bit 1 changes the port, bit 2 the address; handles are numbered alike.
        #expect(path.handle == handle ^ flags >> 1 && path.remote == client.path.remote)
        let answer = try #require(RelayAnswer(bytes))
        let origin = TransportAddress(IPAddress(v4: 0xC633_6401 + path.handle >> 1), 3_478 + UInt16(path.handle & 1))
        #expect(answer.plainAddress(.responseOrigin) == origin)
        let opposite = handle ^ 3
        let other = TransportAddress(IPAddress(v4: 0xC633_6401 + opposite >> 1), 3_478 + UInt16(opposite & 1))
        #expect(answer.plainAddress(.otherAddress) == other)
    }

    @Test func `another port of the same client may be answered`() {
        let stage = openStage { $0.discovery = discovery }
        let client = RelayTestClient(stage)
        stage.client(client.bare(.binding) { $0.add(.responsePort, UInt32(7_777) << 16) }, from: client.path)
        guard case .toClient(let path, _)? = stage.take().first else {
            Issue.record("an answer")
            return
        }
        #expect(path.remote == TransportAddress(client.path.remote.ip, 7_777))
        stage.client(client.bare(.binding) { $0.add(.responsePort, UInt32(0)) }, from: client.path)
        #expect(stage.answer()?.code == .badRequest)
        let stream = RelayTestClient(stage, port: 2, transport: .tcp)
        stage.client(stream.bare(.binding) { $0.add(.changeRequest, UInt32(4)) }, from: stream.path)
        #expect(stage.answer()?.code == .badRequest)
    }

    @Test(arguments: [STUNAttributeType.changeRequest, .responsePort, .padding])
    func `without discovery its attributes are unknown`(type: STUNAttributeType) {
        let stage = openStage()
        let client = RelayTestClient(stage)
        stage.client(client.bare(.binding) { $0.add(type, UInt32(4)) }, from: client.path)
        let answer = stage.answer()
        #expect(answer?.code == .unknownAttribute)
        #expect(answer?.value(.unknownAttributes) == [UInt8(type.rawValue >> 8), UInt8(type.rawValue & 0xFF)])
    }
}
