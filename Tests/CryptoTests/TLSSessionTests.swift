import Base
import Crypto
import Testing

/// Two sessions and the wire between them.
private struct Pair {
    let client: TLSSession
    let server: TLSSession
    /// The most bytes handed over at once.
    var step = Int.max

    init(_ client: TLSContext, _ server: TLSContext, host: String = "chat.example") throws {
        self.client = try TLSSession(client: client, host: host)
        self.server = try TLSSession(server: server)
    }

    /// Carries bytes both ways until nobody has any; what each side reads is returned.
    func exchange() throws -> (client: Bytes, server: Bytes) {
        var read = (client: Bytes(), server: Bytes())
        while client.hasCiphertext || server.hasCiphertext {
            read.server += try carry(client.takeCiphertext(), to: server)
            read.client += try carry(server.takeCiphertext(), to: client)
        }
        return read
    }

    func carry(_ bytes: Bytes, to session: TLSSession) throws -> Bytes {
        var read = Bytes()
        var offset = 0
        while offset < bytes.count {
            let end = min(bytes.count, offset + min(step, 60_000))
            try session.receive(Bytes(bytes[offset..<end]))
            offset = end
            read += try readAll(session)
        }
        return read
    }
}

private func readAll(_ session: TLSSession) throws -> Bytes {
    var all = Bytes()
    var buffer = Bytes(repeating: 0, count: 16_384)
    while true {
        let reading = try buffer.withUnsafeMutableBytes { try session.read(into: $0) }
        guard case .plaintext(let count) = reading else { return all }
        all += buffer[..<count]
    }
}

private let identity = Result {
    try SelfSignedCertificate.make(names: ["chat.example", "*.wild.example", "127.0.0.1", "::1"], validFor: .days(1))
}

/// The same numbers in every run (SplitMix64).
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

@Suite struct TLSSessionTests {
    private func contexts(
        _ versions: TLSContext.Versions = .tls12and13, client: [String] = [], server: [String] = []
    ) throws -> (client: TLSContext, server: TLSContext) {
        let identity = try identity.get()
        return (
            try .client(
                trusting: .certificates(identity.certificateChain), applicationProtocols: client, versions: versions),
            try .server(identity, applicationProtocols: server, versions: .tls12and13)
        )
    }

    @Test(arguments: [(TLSContext.Versions.tls12only, "TLSv1.2"), (.tls13only, "TLSv1.3"), (.tls12and13, "TLSv1.3")])
    func `two sessions agree and carry bytes both ways`(_ versions: TLSContext.Versions, _ name: String) throws {
        let (client, server) = try contexts(versions)
        let pair = try Pair(client, server)
        _ = try pair.exchange()
        #expect(pair.client.isEstablished && pair.server.isEstablished)
        #expect(pair.client.version == name)
        #expect(try pair.client.write(Bytes("question".utf8)) == 8)
        #expect(try pair.server.write(Bytes("answer".utf8)) == 6)
        let read = try pair.exchange()
        #expect(read.server == Bytes("question".utf8))
        #expect(read.client == Bytes("answer".utf8))
    }

    @Test(arguments: [TLSContext.Versions.tls12only, .tls13only])
    func `bytes that come one at a time make the same connection`(_ versions: TLSContext.Versions) throws {
        let (client, server) = try contexts(versions)
        var pair = try Pair(client, server)
        pair.step = 1
        _ = try pair.exchange()
        _ = try pair.client.write(Bytes("slowly".utf8))
        #expect(try pair.exchange().server == Bytes("slowly".utf8))
    }

    @Test func `a long message is taken in parts, bounded by what waits to be sent`() throws {
        let (client, server) = try contexts()
        let pair = try Pair(client, server)
        _ = try pair.exchange()
        let message = SecureRandom.bytes(1_000_000)
        var sent = 0
        var received = Bytes()
        while sent < message.count {
            let taken = try pair.client.write(Bytes(message[sent...]))
            #expect(taken > 0 && taken <= TLSSession.unsentLimit + 16_384)
            sent += taken
            received += try pair.exchange().server
        }
        #expect(received == message)
    }

    @Test func `close_notify ends the other side's reading, after what was sent`() throws {
        let (client, server) = try contexts()
        let pair = try Pair(client, server)
        _ = try pair.exchange()
        _ = try pair.client.write(Bytes("last".utf8))
        pair.client.close()
        #expect(try pair.client.write(Bytes("too late".utf8)) == 0)
        #expect(try pair.exchange().server == Bytes("last".utf8))
        #expect(pair.server.phase == .ended)
        try pair.server.receiveEnd()
        pair.server.close()
        _ = try pair.exchange()
        #expect(pair.client.phase == .ended)
    }

    @Test func `a stream that is cut is told from one that ended`() throws {
        let (client, server) = try contexts()
        let pair = try Pair(client, server)
        _ = try pair.exchange()
        #expect(throws: TLSError.truncated) { try pair.server.receiveEnd() }
        let early = try TLSSession(server: server)
        #expect(throws: TLSError.truncated) { try early.receiveEnd() }
    }

    @Test func `a record that was changed breaks the connection, and the peer is told`() throws {
        let (client, server) = try contexts()
        let pair = try Pair(client, server)
        _ = try pair.exchange()
        _ = try pair.client.write(Bytes("genuine".utf8))
        var bytes = pair.client.takeCiphertext()
        bytes[bytes.count - 1] ^= 1
        #expect {
            _ = try pair.carry(bytes, to: pair.server)
        } throws: { error in
            if case .broken = error as? TLSError { true } else { false }
        }
        #expect(pair.server.hasCiphertext)
        #expect(throws: TLSError.self) { try pair.server.write(Bytes("on".utf8)) }
    }

    @Test(arguments: [
        Bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8), Bytes(repeating: 0xFF, count: 400),
        [0x16, 3, 1, 0xFF, 0xFF] + Bytes(repeating: 7, count: 400), [0x16, 3, 1, 0, 4, 1, 0, 0, 0],
    ])
    func `garbage fails the handshake with a typed error`(_ bytes: Bytes) throws {
        let session = try TLSSession(server: try contexts().server)
        #expect {
            try session.receive(bytes)
            try session.receiveEnd()
        } throws: { error in
            switch error as? TLSError {
            case .handshakeFailed(let reason): !reason.isEmpty
            case .truncated: bytes.count < 10
            default: false
            }
        }
    }

    @Test(arguments: [TLSContext.Versions.tls12only, .tls13only])
    func `a handshake with any byte changed or lost ends in a connection or a typed error`(
        _ versions: TLSContext.Versions
    ) throws {
        let (client, server) = try contexts(versions)
        var random = Seeded(state: 20_260_101)
        var failures = 0
        for _ in 0..<300 {
            let pair = try Pair(client, server)
            do throws(TLSError) {
                for _ in 0..<6 {
                    try pair.server.receive(mutated(pair.client.takeCiphertext(), &random))
                    try pair.client.receive(mutated(pair.server.takeCiphertext(), &random))
                }
            } catch { failures += 1 }
            // A client that was lied to must not believe it is talking to the server.
            if pair.client.isEstablished, pair.server.isEstablished {
                #expect(try pair.client.write(Bytes("x".utf8)) == 1)
            }
        }
        #expect(failures > 100)
    }

    /// One byte in most flights changed, or the flight cut.
    private func mutated(_ flight: Bytes, _ random: inout Seeded) -> Bytes {
        guard !flight.isEmpty else { return flight }
        var flight = flight
        let index = Int.random(in: 0..<flight.count, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0, 1: flight[index] ^= UInt8.random(in: 1...255, using: &random)
        case 2: flight.removeLast(flight.count - index)
        default: break
        }
        return flight
    }

    @Test(arguments: ["other.example", "chat.example.org", "a.b.wild.example", "127.0.0.2", "::2"])
    func `a certificate for another name is refused`(_ host: String) throws {
        let (client, server) = try contexts()
        let pair = try Pair(client, server, host: host)
        #expect {
            _ = try pair.exchange()
        } throws: { error in
            guard case .certificateRejected(let reason) = error as? TLSError else { return false }
            return reason.contains("mismatch")
        }
    }

    @Test(arguments: ["chat.example", "CHAT.example", "any.wild.example", "127.0.0.1", "::1"])
    func `a certificate is good for each of its names`(_ host: String) throws {
        let (client, server) = try contexts()
        let pair = try Pair(client, server, host: host)
        _ = try pair.exchange()
        #expect(pair.client.isEstablished)
    }

    @Test func `a certificate that nobody vouches for is refused, unless anyone will do`() throws {
        let server = try TLSContext.server(
            SelfSignedCertificate.make(names: ["chat.example"], validFor: .days(1)))
        let strict = try Pair(try contexts().client, server)
        #expect {
            _ = try strict.exchange()
        } throws: { error in
            if case .certificateRejected = error as? TLSError { true } else { false }
        }
        // The server hears of it by an alert.
        #expect(throws: TLSError.self) { _ = try strict.carry(strict.client.takeCiphertext(), to: strict.server) }
        let lax = try Pair(try .client(trusting: .anyone), server)
        _ = try lax.exchange()
        #expect(lax.client.isEstablished)
    }

    @Test func `a certificate that has run out is refused`() throws {
        let old = try SelfSignedCertificate.make(
            names: ["chat.example"], validFor: .days(1), now: Timestamp.now() - .days(3))
        let pair = try Pair(.client(trusting: .certificates(old.certificateChain)), .server(old))
        #expect(throws: TLSError.certificateRejected("certificate has expired")) { _ = try pair.exchange() }
    }

    @Test func `ALPN picks the server's first choice among the client's`() throws {
        let (client, server) = try contexts(client: ["x", "http/1.1", "h2"], server: ["h2", "http/1.1"])
        let pair = try Pair(client, server)
        _ = try pair.exchange()
        #expect(pair.client.applicationProtocol == "h2")
        #expect(pair.server.applicationProtocol == "h2")
    }

    @Test func `without a protocol in common there is no connection; without ALPN there is`() throws {
        let (client, server) = try contexts(client: ["smtp"], server: ["http/1.1"])
        let pair = try Pair(client, server)
        #expect(throws: TLSError.self) { _ = try pair.exchange() }
        let silent = try Pair(try contexts().client, server)
        _ = try silent.exchange()
        #expect(silent.server.isEstablished)
        #expect(silent.server.applicationProtocol == nil)
    }

    @Test func `feeding without reading is stopped`() throws {
        let (client, server) = try contexts()
        let pair = try Pair(client, server)
        _ = try pair.exchange()
        #expect(throws: TLSError.unreadLimitExceeded) {
            for _ in 0..<20 {
                _ = try pair.client.write(SecureRandom.bytes(16_384))
                try pair.server.receive(pair.client.takeCiphertext())
            }
        }
    }
}

@Suite struct TLSContextTests {
    @Test func `a missing or foreign file is named in the error`() throws {
        #expect {
            _ = try TLSIdentity(certificateChainFile: "/nonexistent/chain.pem", privateKeyFile: "/nonexistent/key.pem")
        } throws: { error in
            "\(error)".contains("/nonexistent/chain.pem") && "\(error)".contains("No such file")
        }
        #expect(throws: CryptoError.badParameters("the certificate file holds no PEM certificate")) {
            _ = try TLSContext.server(TLSIdentity(certificateChain: Bytes("hello".utf8), privateKey: Secret(text: "x")))
        }
    }

    @Test func `an operator can be told when the certificate runs out`() throws {
        let now = Timestamp(secondsSinceEpoch: 1_900_000_000)
        let identity = try SelfSignedCertificate.make(names: ["a"], validFor: .days(10), now: now)
        #expect(try TLSContext.server(identity).certificateExpires == now + .days(10))
        #expect(try TLSContext.client().certificateExpires == nil)
    }

    @Test func `a key that belongs to another certificate is refused`() throws {
        let one = try SelfSignedCertificate.make(names: ["a"], validFor: .days(1))
        let other = try SelfSignedCertificate.make(names: ["b"], validFor: .days(1))
        #expect(throws: CryptoError.badKey("the private key does not belong to the first certificate of the chain")) {
            _ = try TLSContext.server(
                TLSIdentity(certificateChain: one.certificateChain, privateKey: other.privateKey))
        }
    }

    @Test func `a key under a passphrase is refused instead of asked for`() throws {
        let one = try SelfSignedCertificate.make(names: ["a"], validFor: .days(1))
        #expect {
            _ = try TLSContext.server(
                TLSIdentity(certificateChain: one.certificateChain, privateKey: Secret(text: encryptedKey)))
        } throws: { error in "\(error)".contains("without a passphrase") }
    }

    @Test(arguments: [[], ["a,DNS:b"], ["a b"], [""], ["ä.example"]])
    func `a certificate is made for host names and addresses only`(_ names: [String]) {
        #expect(throws: CryptoError.self) { try SelfSignedCertificate.make(names: names, validFor: .days(1)) }
    }
}

/// `openssl genpkey -algorithm ed25519 -aes-256-cbc -pass pass:x`, made for this test.
private let encryptedKey = """
    -----BEGIN ENCRYPTED PRIVATE KEY-----
    MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAg8mim29zsO6AICCAAw
    DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEAsqAAb8tP2DJZSGv6An7hQEQHS7
    lH8Ju+lm2IvcZrhUdtAi197kr/R3vW35FaxZw2FDrYBqZF65rMmVm6rtGxOLvbYR
    zDPalWDw8PGfBPEBIsM=
    -----END ENCRYPTED PRIVATE KEY-----
    """
