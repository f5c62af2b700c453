import Base
import Crypto
import Relay
import Testing
import Wire

/// A client and, by hand, its server: each answer is to the request that was sent last.
private final class Dialogue {
    private var client: RelayClient
    private(set) var now = Instant(nanoseconds: 1_000_000_000)
    private let key = MessageIntegrityKey(Secret(MD5.hash(Bytes("name:realm:password".utf8))))
    private(set) var sent: [Bytes] = []

    init(isReliable: Bool = false) {
        var settings = RelayClientSettings()
        settings.isReliable = isReliable
        client = RelayClient(
            RelayClientCredentials(username: "name", password: Secret(text: "password")), settings)
    }

    static let relayed = TransportAddress(IPAddress(v4: 0xC000_0201), 50_000)
    static let peer = TransportAddress(IPAddress(v4: 0xC633_6401), 20_000)

    // MARK: The client

    func ask(_ body: (inout RelayClient, Instant) -> Void) {
        body(&client, now)
        collect()
    }

    private func collect() { while let message = client.takeMessage() { sent.append(message) } }

    func wait(_ time: Duration) {
        now = now + time
        client.handleTimeout(now: now)
        collect()
    }

    /// Until the client's own next deadline.
    func waitForDeadline() {
        guard let deadline = client.deadline else { return }
        now = max(now, deadline)
        client.handleTimeout(now: now)
        collect()
    }

    var deadline: Instant? { client.deadline }

    func event() -> RelayClientEvent? { client.takeEvent() }

    func read<Result>(_ body: (STUNMessage) -> Result) -> Result? {
        guard let last = sent.last, let message = try? STUNMessage(parsing: last.span.bytes) else { return nil }
        return body(message)
    }

    var isSigned: Bool {
        read { message in
            guard let integrity = message.integrity else { return false }
            return key.code(over: integrity.firstWord, message.span.extracting(4..<integrity.coveredEnd))
                .matches(message.span.extracting(integrity.code))
        } ?? false
    }

    // MARK: The server

    enum Signature { case right, wrong, none }

    func answer(_ kind: STUNClass, _ signature: Signature = .none, _ build: (inout STUNWriter) -> Void = { _ in }) {
        guard let (method, id) = read({ ($0.method, $0.transactionID) }) else { return }
        var writer = STUNWriter()
        writer.begin(kind, method, id)
        build(&writer)
        if signature != .none {
            let offset = writer.reserveIntegrity()
            let key = signature == .right ? key : MessageIntegrityKey(Secret(text: "another key"))
            writer.fillIntegrity(offset, key.code(over: writer.bytes.span.bytes.extracting(0..<offset)).span)
        }
        receive(writer.bytes)
    }

    func receive(_ bytes: Bytes) {
        client.receive(bytes.span.bytes, now: now)
        collect()
    }

    func challenge(_ code: STUNErrorCode = .unauthenticated, nonce: String = "nonce 1") {
        answer(.error) { writer in
            writer.add(error: code)
            writer.add(.realm, text: "realm")
            writer.add(.nonce, text: nonce)
        }
    }

    func allocate(lifetime: UInt32 = 600) {
        ask { $0.allocate(now: $1) }
        challenge()
        answer(.success, .right) { writer in
            writer.add(.xorRelayedAddress, xor: Self.relayed)
            writer.add(.lifetime, lifetime)
        }
    }
}

@Suite struct RelayClientTests {
    @Test func `a challenge is answered with the name, and the allocation is there`() {
        let dialogue = Dialogue()
        dialogue.ask { $0.allocate(now: $1) }
        #expect(!dialogue.isSigned)
        dialogue.challenge()
        #expect(dialogue.isSigned && dialogue.sent.count == 2)
        dialogue.answer(.success, .right) { writer in
            writer.add(.xorRelayedAddress, xor: Dialogue.relayed)
            writer.add(.lifetime, UInt32(600))
        }
        let allocation = RelayAllocation(relayed: Dialogue.relayed, mapped: nil, lifetime: .seconds(600))
        #expect(dialogue.event() == .allocated(allocation) && dialogue.event() == nil)
    }

    @Test func `a second 401 is a wrong password`() {
        let dialogue = Dialogue()
        dialogue.ask { $0.allocate(now: $1) }
        dialogue.challenge()
        dialogue.challenge(nonce: "nonce 2")
        #expect(dialogue.event() == .failed(.allocate, .credentialsRefused))
        #expect(dialogue.deadline == nil)
    }

    @Test func `a stale nonce is renewed, and not for ever`() {
        let dialogue = Dialogue()
        dialogue.ask { $0.allocate(now: $1) }
        dialogue.challenge()
        for round in 0..<8 where dialogue.deadline != nil { dialogue.challenge(.staleNonce, nonce: "nonce \(round)") }
        #expect(dialogue.event() == .failed(.allocate, .refused(.staleNonce, reason: "")))
        #expect(dialogue.sent.count < 6)
    }

    @Test func `an answer that is not signed with the password is none`() {
        for signature in [Dialogue.Signature.none, .wrong] {
            let dialogue = Dialogue()
            dialogue.ask { $0.allocate(now: $1) }
            dialogue.challenge()
            dialogue.answer(.success, signature) { writer in
                writer.add(.xorRelayedAddress, xor: Dialogue.relayed)
                writer.add(.lifetime, UInt32(600))
            }
            #expect(dialogue.event() == nil)
            dialogue.wait(.seconds(9))
            #expect(dialogue.event() == .failed(.allocate, .answersNotAuthentic))
        }
    }

    @Test func `a lost request is repeated ever more slowly, then given up`() {
        let dialogue = Dialogue()
        let begun = dialogue.now
        dialogue.ask { $0.askBinding(now: $1) }
        var times: [Int64] = []
        while dialogue.deadline != nil {
            let before = dialogue.sent.count
            dialogue.waitForDeadline()
            if dialogue.sent.count > before { times.append((dialogue.now - begun).milliseconds) }
        }
        #expect(times == [500, 1_500, 3_500, 7_500])
        #expect(dialogue.event() == .failed(.binding, .timedOut) && (dialogue.now - begun) == .seconds(8))
        #expect(Set(dialogue.sent).count == 1)
    }

    @Test func `over a stream nothing is repeated`() {
        let dialogue = Dialogue(isReliable: true)
        dialogue.ask { $0.askBinding(now: $1) }
        dialogue.waitForDeadline()
        #expect(dialogue.sent.count == 1 && dialogue.event() == .failed(.binding, .timedOut))
    }

    @Test func `an allocation is refreshed before it runs out`() {
        let dialogue = Dialogue()
        dialogue.allocate(lifetime: 600)
        let begun = dialogue.now
        dialogue.waitForDeadline()
        #expect((dialogue.now - begun) == .seconds(540))
        #expect(dialogue.read { $0.method } == .refresh && dialogue.isSigned)
        dialogue.answer(.success, .right) { $0.add(.lifetime, UInt32(600)) }
        _ = dialogue.event()
        #expect(dialogue.event() == .refreshed(.seconds(600)) && dialogue.deadline != nil)
    }

    @Test func `what is released is renewed no more`() {
        let dialogue = Dialogue()
        dialogue.allocate()
        _ = dialogue.event()
        dialogue.ask { $0.release(now: $1) }
        #expect(dialogue.read { $0.uint32(.lifetime) } == 0)
        dialogue.answer(.success, .right) { $0.add(.lifetime, UInt32(0)) }
        #expect(dialogue.event() == .released && dialogue.deadline == nil)
    }

    @Test func `before a channel is bound data are indications, afterwards ChannelData`() {
        let dialogue = Dialogue(isReliable: true)
        dialogue.allocate()
        dialogue.ask { client, _ in client.send(Bytes([1, 2, 3]).span.bytes, to: Dialogue.peer) }
        #expect(dialogue.read { $0.method } == .send && dialogue.read { $0.kind } == .indication)
        dialogue.ask { $0.bind(Dialogue.peer, now: $1) }
        dialogue.answer(.success, .right)
        dialogue.ask { client, _ in client.send(Bytes([1, 2, 3]).span.bytes, to: Dialogue.peer) }
        #expect(dialogue.sent.last == [0x40, 0, 0, 3, 1, 2, 3, 0])
        _ = dialogue.event()
        #expect(dialogue.event() == .bound(0x4000, Dialogue.peer))
        dialogue.receive([0x40, 0, 0, 2, 8, 9, 0, 0])
        #expect(dialogue.event() == .received([8, 9], from: Dialogue.peer))
        dialogue.receive([0x40, 0, 0, 9, 8, 9])
        dialogue.receive([0x40, 1, 0, 1, 8, 9])
        #expect(dialogue.event() == nil)
    }

    @Test func `a refused channel can be bound again`() {
        let dialogue = Dialogue()
        dialogue.allocate()
        _ = dialogue.event()
        for _ in 0..<2 {
            dialogue.ask { $0.bind(Dialogue.peer, now: $1) }
            dialogue.answer(.error) { $0.add(error: .forbidden, reason: "no\u{1B}[31m") }
            // What goes to a terminal is letters.
            #expect(dialogue.event() == .failed(.bind, .refused(.forbidden, reason: "no[31m")))
        }
    }

    @Test func `a server that sends clients on is said to`() {
        let dialogue = Dialogue()
        dialogue.ask { $0.allocate(now: $1) }
        dialogue.answer(.error) { writer in
            writer.add(error: .tryAlternate)
            writer.add(.alternateServer, plain: Dialogue.relayed)
        }
        #expect(dialogue.event() == .failed(.allocate, .alternateServer(Dialogue.relayed)))
    }

    @Test func `more requests than the bound are refused here`() {
        let dialogue = Dialogue()
        for _ in 0...RelayClient.requestsMax { dialogue.ask { $0.askBinding(now: $1) } }
        #expect(dialogue.event() == .failed(.binding, .tooManyRequests))
        #expect(dialogue.sent.count == RelayClient.requestsMax)
    }

    @Test func `nothing that is received can make the client stop`() {
        let dialogue = Dialogue()
        dialogue.allocate()
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            var bytes = Bytes((0..<Int.random(in: 0...64, using: &generator)).map { _ in .random(in: 0...255) })
            if bytes.count >= 20, Bool.random() {
                bytes.replaceSubrange(
                    0..<8, with: [1, UInt8.random(in: 0...31), 0, UInt8(bytes.count - 20), 0x21, 0x12, 0xA4, 0x42])
            }
            dialogue.receive(bytes)
            while dialogue.event() != nil {}
        }
        dialogue.wait(.seconds(1))
    }
}
