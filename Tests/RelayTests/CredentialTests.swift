import Base
import TestKit
import Testing
import Wire

@testable import Relay

@Suite struct CredentialTests {
    @Test func `a password is coturn's, in SHA-1 and in SHA-256`() {
        // Python: base64.b64encode(hmac.new(b"north remembers", name, hashlib.sha1).digest()), and sha256.
        let secrets = RelaySecrets(RelayStage.secret)
        let name = Bytes("1760014400:00000000-0000-4000-8000-000000000001".utf8)
        #expect(secrets.password(of: name).exposedBytes == Bytes("r/wT/sePk7Jq/DLVkQ2N6b4QL3k=".utf8))
        #expect(
            secrets.password(of: name, hash: .sha256).exposedBytes
                == Bytes("Asj8xtgBXX1K5WxmVBoVoHDSUs/iy+vqCTzDEG8lOnY=".utf8))
    }

    @Test(arguments: RelayTestClient.Style.allCases, [RelaySecrets.Hash.sha1, .sha256])
    func `either hash of the password serves either kind of client`(
        style: RelayTestClient.Style, hash: RelaySecrets.Hash
    ) {
        let stage = openStage { $0.understandsUserhash = true }
        let client = RelayTestClient(stage, style: style, hash: hash)
        stage.engine.announce(name: String(decoding: client.name, as: UTF8.self), wallClock: stage.wallClock)
        #expect(client.allocate()?.isSuccess == true)
        #expect(client.refresh(600)?.isAuthentic(client.key, client.integrity) == true)
    }

    @Test func `two secrets count while one replaces the other`() {
        let stage = openStage()
        let old = RelayTestClient(stage, session: "old", port: 1)
        #expect(old.allocate()?.isSuccess == true)
        let fresh = Secret(text: "winter is here")
        stage.engine.set(RelaySecrets(fresh, previous: RelayStage.secret))
        #expect(old.refresh(600)?.isSuccess == true)
        let new = RelayTestClient(stage, session: "new", port: 2, secrets: RelaySecrets(fresh))
        #expect(new.allocate()?.isSuccess == true)
        let late = RelayTestClient(stage, session: "late", port: 3)
        #expect(late.allocate()?.isSuccess == true)

        stage.engine.set(RelaySecrets(fresh))
        #expect(old.refresh(600)?.code == .unauthenticated && new.refresh(600)?.isSuccess == true)
        let lost = RelayTestClient(stage, session: "lost", port: 4)
        #expect(lost.allocate()?.code == .unauthenticated)
    }

    @Test func `an expired name begins nothing and goes on with nothing, but may end what it has`() {
        let stage = openStage()
        let client = RelayTestClient(stage, lifetime: .seconds(100))
        #expect(client.allocate()?.isSuccess == true && client.permit(peer4)?.isSuccess == true)
        stage.tick(after: .seconds(101))
        #expect(client.refresh(600)?.code == .unauthenticated)
        #expect(client.permit(peer4)?.isSuccess == true)
        #expect(client.refresh(0)?.isSuccess == true)
        #expect(client.allocate()?.code == .unauthenticated)
        #expect(stage.engine.counters[.expired] == 2)
    }

    @Test func `an expiry beyond the horizon is none`() {
        let stage = openStage()
        #expect(RelayTestClient(stage, lifetime: .hours(47)).allocate()?.isSuccess == true)
        #expect(RelayTestClient(stage, lifetime: .hours(49), port: 2).allocate()?.code == .unauthenticated)
    }

    @Test func `a revoked session loses what it has and gets nothing more`() {
        let stage = openStage()
        let alice = RelayTestClient(stage, session: "alice", port: 1)
        let stream = RelayTestClient(stage, session: "alice", port: 2, transport: .tls)
        let bob = RelayTestClient(stage, session: "bob", port: 3)
        for client in [alice, stream, bob] { #expect(client.allocate()?.isSuccess == true) }
        _ = stage.takeCommands()
        #expect(stage.engine.revoke(session: "alice", now: stage.now, wallClock: stage.wallClock) == 2)
        stage.drain()
        #expect(stage.engine.allocationCount == 1 && stage.sockets.count == 1)
        #expect(stage.takeCommands().contains(.closeClient(stream.path)))
        #expect(alice.allocate()?.code == .unauthenticated && stage.engine.counters[.revoked] == 1)
        let again = RelayTestClient(stage, session: "alice", lifetime: .hours(5), port: 4)
        #expect(again.allocate()?.code == .unauthenticated)
        #expect(bob.refresh(600)?.isSuccess == true)
        #expect(stage.engine.revoke(session: "", now: stage.now, wallClock: stage.wallClock) == 0)
    }

    @Test(arguments: [
        "", ":", "alice", "12x:alice", "-1:alice", "1760014400 :alice", "9999999999999:alice", "1760014400:a\u{0}b",
        "1760014400:a\nb", "1760014400\u{0}:alice",
    ])
    func `what is no name of ours is refused`(name: String) {
        #expect(CredentialName(parsing: Bytes(name.utf8).span.bytes) == nil)
        let stage = openStage()
        let client = RelayTestClient(stage)
        client.name = Bytes(name.utf8)
        let secrets = RelaySecrets(RelayStage.secret)
        let password = String(decoding: secrets.password(of: client.name).exposedBytes, as: UTF8.self)
        client.key = RelayKey(name: client.name, realm: client.realm, password: password, .md5)
        #expect(client.allocate()?.code == .unauthenticated)
        #expect(stage.engine.allocationCount == 0)
    }

    @Test func `names are read`() {
        let name = CredentialName(parsing: Bytes("1760014400:a:b".utf8).span.bytes)
        #expect(name?.expiry == 1_760_014_400 && name?.session == Bytes("a:b".utf8))
        #expect(CredentialName(parsing: Bytes("1760014400".utf8).span.bytes)?.session == [])
        #expect(CredentialName(parsing: (Bytes("1:".utf8) + Bytes(repeating: 0x61, count: 507)).span.bytes) == nil)
    }

    @Test func `a name longer than 508 bytes is refused`() {
        let stage = openStage()
        let client = RelayTestClient(stage)
        client.fetchNonce()
        client.name += Bytes(repeating: 0x61, count: 600)
        #expect(client.allocate()?.code == .unauthenticated)
    }

    // MARK: The steps of RFC 8489 §9.2.4

    @Test func `a nonce is of its client and its time`() {
        let stage = openStage()
        let client = RelayTestClient(stage, port: 1)
        client.fetchNonce()
        let nonce = client.nonce
        #expect(nonce.starts(with: Bytes("obMatJos2gAAA".utf8)))
        let other = RelayTestClient(stage, port: 2)
        other.nonce = nonce
        let stale = other.allocate()
        #expect(stale?.code == .staleNonce && stale?.has(.nonce) == true && stale?.has(.passwordAlgorithms) == true)
        #expect(client.allocate()?.isSuccess == true)
        stage.tick(after: .seconds(500))
        #expect(client.refresh(3_600)?.isSuccess == true)
        stage.tick(after: .seconds(3_200))
        #expect(client.refresh(3_600)?.code == .staleNonce)
        for index in nonce.indices {
            var changed = nonce
            changed[index] ^= 1
            other.nonce = changed
            #expect(other.allocate()?.code == .staleNonce)
        }
        for count in [0, 1, 28, 30, 300] {
            other.nonce = Bytes(repeating: 0x41, count: count)
            if count > 0 { #expect(other.allocate()?.code == .staleNonce) }
        }
    }

    @Test func `over what shakes hands one nonce serves all connections of an address`() {
        let stage = openStage()
        let first = RelayTestClient(stage, port: 1, transport: .tcp)
        first.fetchNonce()
        let second = RelayTestClient(stage, port: 2, transport: .tls)
        second.nonce = first.nonce
        #expect(second.allocate()?.isSuccess == true)
        let elsewhere = RelayTestClient(stage, port: 3, transport: .tcp)
        elsewhere.path.remote.ip = IPAddress(v4: 0x5505_0505)
        elsewhere.nonce = first.nonce
        #expect(elsewhere.allocate()?.code == .staleNonce)
        let forged = RelayTestClient(stage, port: 0)
        forged.nonce = first.nonce
        #expect(forged.allocate()?.code == .staleNonce)
    }

    @Test func `an algorithm is not bid down`() throws {
        let stage = openStage()
        let client = RelayTestClient(stage, style: .modern)
        client.fetchNonce()
        func ask(_ integrity: IntegrityKind, _ add: (inout STUNWriter) -> Void) -> STUNErrorCode? {
            var writer = STUNWriter()
            writer.begin(.request, .allocate, client.nextTransaction())
            writer.add(.requestedTransport, UInt32(17) << 24)
            writer.add(.username, client.name.span.bytes)
            writer.add(.realm, text: client.realm)
            writer.add(.nonce, client.nonce.span.bytes)
            add(&writer)
            client.key.sign(&writer, integrity)
            stage.client(writer.bytes, from: client.path)
            return stage.answer()?.code
        }
        let offered: UInt64 = 0x0002_0000_0001_0000
        // The list alone, the choice alone, another list, a choice that was not offered, the weaker code.
        #expect(ask(.sha256) { $0.add(.passwordAlgorithms, offered) } == .badRequest)
        #expect(ask(.sha256) { $0.add(.passwordAlgorithm, UInt32(0x0002_0000)) } == .badRequest)
        #expect(
            ask(.sha256) {
                $0.add(.passwordAlgorithms, UInt32(0x0001_0000))
                $0.add(.passwordAlgorithm, UInt32(0x0001_0000))
            } == .badRequest)
        #expect(
            ask(.sha256) {
                $0.add(.passwordAlgorithms, offered)
                $0.add(.passwordAlgorithm, UInt32(0x0003_0000))
            } == .badRequest)
        #expect(
            ask(.sha1) {
                $0.add(.passwordAlgorithms, offered)
                $0.add(.passwordAlgorithm, UInt32(0x0002_0000))
            } == .badRequest)
        #expect(stage.engine.allocationCount == 0)
    }

    @Test func `what is missing from the credentials`() {
        let stage = openStage()
        let client = RelayTestClient(stage)
        client.fetchNonce()
        for missing in [STUNAttributeType.username, .realm, .nonce] {
            var writer = STUNWriter()
            writer.begin(.request, .allocate, client.nextTransaction())
            if missing != .username { writer.add(.username, client.name.span.bytes) }
            if missing != .realm { writer.add(.realm, text: client.realm) }
            if missing != .nonce { writer.add(.nonce, client.nonce.span.bytes) }
            client.key.sign(&writer, .sha1)
            stage.client(writer.bytes, from: client.path)
            #expect(stage.answer()?.code == .badRequest, "\(missing)")
        }
        client.realm = "elsewhere"
        #expect(client.allocate()?.code == .unauthenticated)
    }

    @Test func `what follows the code does not exist`() {
        let stage = openStage()
        let client = RelayTestClient(stage)
        client.fetchNonce()
        var writer = STUNWriter()
        writer.begin(.request, .allocate, client.nextTransaction())
        client.addCredentials(&writer)
        client.key.sign(&writer, .sha1)
        writer.add(.requestedTransport, UInt32(17) << 24)
        stage.client(writer.bytes, from: client.path)
        #expect(stage.answer()?.code == .badRequest && stage.engine.allocationCount == 0)
    }

    @Test func `a wrong password, or a changed byte, is 401`() {
        let stage = openStage()
        let client = RelayTestClient(stage, secrets: RelaySecrets(Secret(text: "south forgets")))
        #expect(client.allocate()?.code == .unauthenticated)
        // From the loopback, where guesses are not counted: each of these is looked at.
        let right = RelayTestClient(stage, port: 2)
        right.path.remote.ip = IPAddress(v4: 0x7F00_0001)
        right.fetchNonce()
        let bytes = right.message(.allocate) { $0.add(.requestedTransport, UInt32(17) << 24) }
        for index in 20..<bytes.count {
            var changed = bytes
            changed[index] ^= 0x40
            stage.client(changed, from: right.path)
            for case .toClient(_, let answer) in stage.take() {
                #expect(RelayAnswer(answer)?.kind == .error, "byte \(index)")
            }
        }
        #expect(stage.engine.allocationCount == 0 && stage.engine.counters[.rateLimited] == 0)
        stage.client(bytes, from: right.path)
        #expect(stage.answer()?.isSuccess == true)
    }
}
