import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

/// What somebody without the password can do, and what somebody with it can.
@Suite struct ICEAttackTests {
    private let local = testCredentials(1)
    private let remote = testCredentials(2)

    private func connected() -> (LiteServer, ICEControllingPeer) {
        var server = LiteServer(local, remoteUfrag: remote.ufrag)
        var peer = ICEControllingPeer(local: remote, remote: local, seed: 5, now: at(0))
        _ = server.take(peer.check(), on: testPath(1), at: at(0))
        return (server, peer)
    }

    private func writeRequest(_ body: (inout STUNWriter) -> Void) -> Bytes {
        var writer = STUNWriter()
        writer.begin(.request, .binding, STUNTransactionID(1, 2))
        body(&writer)
        writer.addFingerprint()
        return writer.bytes
    }

    @Test func `a flood with the right fragment and a wrong password changes nothing`() throws {
        var (server, _) = connected()
        let wrong = try ICECredentials(ufrag: local.ufrag, password: String(repeating: "x", count: 24))
        var attacker = ICEControllingPeer(local: remote, remote: wrong, seed: 6, now: at(0))
        for number in 0..<5_000 {
            let datagram = attacker.check()
            let outcome = server.take(datagram, on: testPath(UInt32(number + 2)), at: at(1))
            #expect(outcome == ICEOutcome(.reject(.unauthenticated)))
            #expect(server.response.bytes.count <= datagram.count)
        }
        #expect(server.session.pathCount == 1 && server.session.selectedPath == testPath(1))
        #expect(server.session.handleTimeout(now: at(30)) == .consentExpired(testPath(1)), "nor does it keep consent")
    }

    @Test func `guessing fragments finds nothing, and no answer is longer than its request`() {
        var (server, _) = connected()
        var table = UfragTable(capacity: 100, seed: (7, 8))
        _ = table.insert(local.localUfrag ?? LocalUfrag(random: 0), 1)
        var random = SplitMix(seed: 4)
        for number in 0..<2_000 {
            let ufrag = LocalUfrag(random: random.next())
            let datagram = writeRequest { writer in
                writer.add(.username, text: "\(ufrag):abcd")
                writer.add(.priority, UInt32(1))
                writer.addIntegrity(MessageIntegrityKey(Secret(text: "guess")))
            }
            guard let message = try? STUNMessage(parsing: datagram.span.bytes) else { continue }
            let found = message.localUfrag.flatMap { table.find($0) }
            #expect(found == nil)
            let outcome = ICELiteSession.handleStranger(message, into: &server.response)
            #expect(outcome.action == .reject(.unauthenticated) && server.response.bytes.count <= datagram.count)
            #expect(
                server.take(datagram, on: testPath(UInt32(number)), at: at(1))?.action == .reject(.unauthenticated))
        }
        #expect(server.session.pathCount == 1)
    }

    @Test func `a request too short for an answer gets none`() {
        var (server, _) = connected()
        #expect(server.take(writeRequest { _ in }, on: testPath(3), at: at(1))?.action == .ignore(.answerWouldAmplify))
        #expect(server.response.bytes.isEmpty)
        let longer = writeRequest { $0.add(.priority, UInt32(1)) }
        #expect(server.take(longer, on: testPath(3), at: at(1))?.action == .reject(.badRequest))
        #expect(server.response.bytes.count <= longer.count)
    }

    @Test func `what is no check is not answered`() throws {
        var (server, peer) = connected()
        var datagram = peer.check()
        datagram[datagram.count - 1] ^= 1
        #expect(server.take(datagram, on: testPath(3), at: at(1))?.action == .ignore(.fingerprint))
        let cut = Bytes(peer.check().dropLast(8))
        #expect(server.take(cut, on: testPath(3), at: at(1)) == nil, "the length is not that of the datagram")
        var writer = STUNWriter()
        for (kind, method, reason) in [
            (STUNClass.indication, STUNMethod.binding, ICEIgnoreReason.notARequest), (.success, .binding, .notARequest),
            (.error, .binding, .notARequest), (.request, .allocate, .otherMethod),
        ] {
            writer.begin(kind, method, STUNTransactionID(1, 2))
            writer.addFingerprint()
            #expect(server.take(writer.bytes, on: testPath(3), at: at(1))?.action == .ignore(reason))
            #expect(server.response.bytes.isEmpty)
        }
        #expect(server.session.pathCount == 1)
    }

    @Test func `a recorded check does not move the media elsewhere`() {
        var (server, peer) = connected()
        var recorded: [Bytes] = []
        for step in 0..<70 {
            recorded.append(peer.check())
            _ = server.take(recorded[step], on: testPath(1), at: at(Double(step)))
            // Whatever the number of checks before, the last sixteen are remembered.
            let oldest = server.take(recorded[max(0, step - 15)], on: testPath(67), at: at(Double(step)))
            #expect(oldest?.action == .ignore(.repeatedFromElsewhere))
        }
        for datagram in recorded.suffix(16) {
            let outcome = server.take(datagram, on: testPath(66), at: at(70))
            #expect(outcome?.action == .ignore(.repeatedFromElsewhere))
            #expect(server.response.bytes.isEmpty)
        }
        #expect(server.session.selectedPath == testPath(1) && !server.session.isValid(testPath(66)))
    }

    @Test func `ten thousand paths of one participant are sixteen`() {
        var (server, peer) = connected()
        peer.usesCandidate = false
        var table = PathTable(capacity: 32, seed: (1, 2))
        _ = table.set(testPath(1), 0)
        for number in 2...10_000 {
            let path = testPath(UInt32(number))
            let outcome = server.take(peer.check(), on: path, at: at(Double(number) / 1_000))
            #expect(outcome?.action == .respond && outcome?.isNewPath == true)
            if let evicted = outcome?.evictedPath {
                let removed = table.remove(evicted)
                #expect(removed == 0)
            }
            let isSet = table.set(path, 0)
            #expect(isSet)
        }
        #expect(server.session.pathCount == 16 && server.session.selectedPath == testPath(1))
        #expect(server.session.isValid(testPath(1)), "the selected path is never evicted")
        let count = table.count
        #expect(count == 16)
        // The newest are the ones that stayed.
        for number in 9_986...10_000 { #expect(server.session.isValid(testPath(UInt32(number)))) }
        var expired = 0
        while server.session.handleTimeout(now: at(100)) != .nothing { expired += 1 }
        #expect(expired == 16 && server.session.deadline == nil)
    }

    @Test func `a session is of a fixed size`() {
        #expect(MemoryLayout<ICELiteSession>.size < 2_048)
        #expect(MemoryLayout<MediaPath>.size <= 24)
    }
}
