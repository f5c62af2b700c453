import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct ICELiteSessionTests {
    private let local = testCredentials(1)
    private let remote = testCredentials(2)

    private func pair() -> (LiteServer, ICEControllingPeer) {
        (
            LiteServer(local, remoteUfrag: remote.ufrag),
            ICEControllingPeer(local: remote, remote: local, seed: 5, now: at(0))
        )
    }

    @Test func `a check is answered with the address it came from, and its path selected`() throws {
        var (server, peer) = pair()
        let path = testPath(1)
        let first = peer.poll(now: at(0))
        let datagram = try #require(first)
        let outcome = server.take(datagram, on: path, at: at(0))
        #expect(outcome?.action == .respondAndSelect(path) && outcome?.isNewPath == true)
        #expect(peer.receive(server.response.bytes.span.bytes, now: at(0)) == .connected(path.remote))
        #expect(server.session.selectedPath == path && server.session.isNominated)
        #expect(server.session.deadline == at(30))
        // The same again is an answer again, and nothing else.
        let again = server.take(datagram, on: path, at: at(0.1))
        #expect(again?.action == .respond && again?.isNewPath == false && server.session.pathCount == 1)
    }

    @Test func `consent lasts as long as checks come, and 30 s more`() throws {
        var (server, peer) = pair()
        let path = testPath(1)
        var checks = 0
        for step in 0..<1_200 {
            let now = at(Double(step) / 10)
            if let datagram = peer.poll(now: now) {
                checks += 1
                _ = server.take(datagram, on: path, at: now)
                let event = peer.receive(server.response.bytes.span.bytes, now: now)
                #expect(event != .ignored)
            }
            #expect(server.session.handleTimeout(now: now) == .nothing)
            if let deadline = server.session.deadline { #expect(deadline > now) }
        }
        #expect((18...32).contains(checks))
        let end = try #require(server.session.deadline)
        #expect(server.session.handleTimeout(now: end + .seconds(10)) == .consentExpired(path))
        #expect(server.session.handleTimeout(now: end + .seconds(10)) == .nothing)
        #expect(server.session.selectedPath == nil && server.session.pathCount == 0 && server.session.deadline == nil)
        // A peer that comes back is welcome.
        let outcome = server.take(peer.check(), on: testPath(2), at: end + .seconds(20))
        #expect(outcome?.action == .respondAndSelect(testPath(2)))
    }

    @Test func `only a nomination moves the media`() throws {
        var (server, peer) = pair()
        peer.usesCandidate = false
        #expect(server.take(peer.check(), on: testPath(1), at: at(0))?.action == .respondAndSelect(testPath(1)))
        #expect(!server.session.isNominated)
        #expect(server.take(peer.check(), on: testPath(2), at: at(1))?.action == .respond)
        #expect(server.session.selectedPath == testPath(1) && server.session.isValid(testPath(2)))
        peer.usesCandidate = true
        #expect(server.take(peer.check(), on: testPath(2), at: at(2))?.action == .respondAndSelect(testPath(2)))
        #expect(server.session.isNominated)
        // The first path goes when it has been silent.
        #expect(server.session.handleTimeout(now: at(31)) == .pathExpired(testPath(1)))
        #expect(server.session.handleTimeout(now: at(31)) == .nothing)
        #expect(server.session.selectedPath == testPath(2))
    }

    @Test func `a closed connection is a path less`() {
        var (server, peer) = pair()
        _ = server.take(peer.check(), on: testPath(1, socket: 7), at: at(0))
        #expect(server.session.close(testPath(1)) == .nothing)
        #expect(server.session.close(testPath(1, socket: 7)) == .consentExpired(testPath(1, socket: 7)))
    }

    @Test func `a peer that claims our role is told so`() {
        var (server, peer) = pair()
        peer.claimsControlled = true
        #expect(server.take(peer.check(), on: testPath(1), at: at(0))?.action == .reject(.roleConflict))
        #expect(peer.receive(server.response.bytes.span.bytes, now: at(0)) == .refused(.roleConflict))
        #expect(server.session.pathCount == 0 && server.session.selectedPath == nil)
    }

    @Test func `attributes that must be understood are named, and a check has a priority`() throws {
        var (server, peer) = pair()
        peer.strangeAttribute = STUNAttributeType(rawValue: 0x7ABC)
        #expect(server.take(peer.check(), on: testPath(1), at: at(0))?.action == .reject(.unknownAttribute))
        let bytes = server.response.bytes
        let answer = try STUNMessage(parsing: bytes.span.bytes)
        guard let list = answer.attribute(.unknownAttributes) else {
            Issue.record("no list")
            return
        }
        #expect(list.length == 2 && answer.value(list).uint16(0) == 0x7ABC)
        #expect(peer.receive(bytes.span.bytes, now: at(0)) == .refused(.unknownAttribute))
        peer.strangeAttribute = nil
        peer.priority = nil
        #expect(server.take(peer.check(), on: testPath(1), at: at(0))?.action == .reject(.badRequest))
        #expect(server.session.pathCount == 0)
    }

    // MARK: - Restart

    @Test func `a restart is made before the old connection breaks`() {
        var (server, old) = pair()
        _ = server.take(old.check(), on: testPath(1), at: at(0))
        let (newLocal, newRemote) = (testCredentials(3), testCredentials(4))
        #expect(server.session.restart(local: newLocal, remoteUfrag: nil) == nil)
        #expect(server.session.pendingUfrag == newLocal.localUfrag)

        // Old checks are answered, and media stays.
        #expect(server.take(old.check(), on: testPath(1), at: at(5))?.action == .respond)
        var new = ICEControllingPeer(local: newRemote, remote: newLocal, seed: 9, now: at(5))
        new.usesCandidate = false
        #expect(server.take(new.check(), on: testPath(2), at: at(6))?.action == .respond)
        #expect(new.receive(server.response.bytes.span.bytes, now: at(6)) == .connected(testPath(2).remote))
        #expect(server.session.selectedPath == testPath(1))

        // The nomination completes it.
        new.usesCandidate = true
        let outcome = server.take(new.check(), on: testPath(2), at: at(7))
        #expect(outcome?.action == .respondAndSelect(testPath(2)))
        #expect(outcome?.retiredUfrag == local.localUfrag)
        #expect(server.session.localUfrag == newLocal.localUfrag && server.session.pendingUfrag == nil)
        #expect(server.session.isValid(testPath(1)), "packets under way on the old path still count")
        #expect(server.take(old.check(), on: testPath(1), at: at(8))?.action == .reject(.unauthenticated))
        #expect(server.session.selectedPath == testPath(2))
    }

    @Test func `a restart on the same path keeps it`() {
        var (server, old) = pair()
        _ = server.take(old.check(), on: testPath(1), at: at(0))
        let newLocal = testCredentials(3)
        _ = server.session.restart(local: newLocal, remoteUfrag: nil)
        old.restart(local: testCredentials(4), remote: newLocal, now: at(1))
        let outcome = server.take(old.check(), on: testPath(1), at: at(1))
        #expect(outcome?.action == .respond && outcome?.retiredUfrag == local.localUfrag)
        #expect(outcome?.isNewPath == false && server.session.selectedPath == testPath(1))
    }

    @Test func `a restart gives way to another and can be rolled back`() {
        var (server, old) = pair()
        _ = server.take(old.check(), on: testPath(1), at: at(0))
        _ = server.session.restart(local: testCredentials(3), remoteUfrag: nil)
        #expect(server.session.restart(local: testCredentials(5), remoteUfrag: "abcd") == testCredentials(3).localUfrag)
        #expect(server.session.abandonRestart() == testCredentials(5).localUfrag)
        #expect(server.session.abandonRestart() == nil)
        var new = ICEControllingPeer(local: remote, remote: testCredentials(5), seed: 9, now: at(5))
        #expect(server.take(new.check(), on: testPath(2), at: at(1))?.action == .reject(.unauthenticated))
        #expect(server.take(old.check(), on: testPath(1), at: at(2))?.action == .respond)
    }

    @Test func `who loses the old path during a restart is found by the new credentials`() {
        var (server, old) = pair()
        _ = server.take(old.check(), on: testPath(1), at: at(0))
        _ = server.session.restart(local: testCredentials(3), remoteUfrag: nil)
        #expect(server.session.handleTimeout(now: at(40)) == .consentExpired(testPath(1)))
        var new = ICEControllingPeer(local: remote, remote: testCredentials(3), seed: 9, now: at(41))
        new.usesCandidate = false
        let outcome = server.take(new.check(), on: testPath(2), at: at(41))
        #expect(outcome?.action == .respondAndSelect(testPath(2)) && outcome?.retiredUfrag == local.localUfrag)
    }

    @Test func `a fragment of the peer that is known must be right`() {
        var server = LiteServer(local)
        var stranger = ICEControllingPeer(local: testCredentials(8), remote: local, seed: 3, now: at(0))
        #expect(server.take(stranger.check(), on: testPath(1), at: at(0))?.action == .respondAndSelect(testPath(1)))
        server.session.setRemoteUfrag(remote.ufrag)
        #expect(server.take(stranger.check(), on: testPath(1), at: at(1))?.action == .reject(.unauthenticated))
    }
}
