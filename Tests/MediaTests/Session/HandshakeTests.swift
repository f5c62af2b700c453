import Base
import Crypto
import Testing

@testable import Media

private enum Identities {
    static let ours = make()
    static let theirs = make()
    static let strangers = make()

    private static func make() -> DTLSIdentity {
        do { return try DTLSIdentity.make() } catch { fatalError("\(error)") }
    }
}

/// What came out of a machine, without what cannot be copied.
private enum Seen: Equatable {
    case nothing, closed, connectedForData
    case connected(SRTPProfile)
    case failed(HandshakeError)
}

/// Two machines and the datagrams between them.
private final class Pair {
    var ours: Handshake
    var theirs: Handshake
    var now = Instant(nanoseconds: 1_000)

    init(
        ourPeer: [DTLSFingerprint] = Identities.theirs.fingerprints,
        theirPeer: [DTLSFingerprint] = Identities.ours.fingerprints, weAre role: DTLSSession.Role = .server
    ) throws {
        ours = try Handshake(role, identity: Identities.ours, peer: ourPeer)
        theirs = try Handshake(
            role == .server ? .client : .server, identity: Identities.theirs, peer: theirPeer)
    }

    func validate() {
        ours.pathValidated(now: now)
        theirs.pathValidated(now: now)
    }

    func run() {
        var moved = true
        while moved {
            moved = false
            while let datagram = theirs.takeDatagram() {
                datagram.withUnsafeBytes { ours.receive($0, fromValidPath: true, now: now) }
                moved = true
            }
            while let datagram = ours.takeDatagram() {
                datagram.withUnsafeBytes { theirs.receive($0, fromValidPath: true, now: now) }
                moved = true
            }
        }
    }

    // `#expect` cannot look into what cannot be copied.
    var ourPhase: Handshake.Phase { ours.phase }
    var ourDeadline: Instant? { ours.deadline }
    var theirDeadline: Instant? { theirs.deadline }
    var ourStrays: Int { ours.strayCount }
    func ourDatagram() -> Bytes? { ours.takeDatagram() }
    func ourData() -> Bytes? { ours.takeApplicationData() }
    func theirData() -> Bytes? { theirs.takeApplicationData() }

    func ourEvent() -> Seen { Self.look(ours.nextEvent()) }
    func theirEvent() -> Seen { Self.look(theirs.nextEvent()) }

    private static func look(_ event: consuming HandshakeEvent) -> Seen {
        switch consume event {
        case .nothing: .nothing
        case .connected(let protection): .connected(protection.profile)
        case .connectedForData: .connectedForData
        case .failed(let error): .failed(error)
        case .closed: .closed
        }
    }
}

@Suite struct HandshakeTests {
    @Test(arguments: [DTLSSession.Role.server, .client])
    func `both sides connect once, with keys that fit`(weAre role: DTLSSession.Role) throws {
        let pair = try Pair(weAre: role)
        pair.validate()
        pair.run()
        guard case .connected(var ours) = pair.ours.nextEvent() else {
            Issue.record("not connected")
            return
        }
        guard case .connected(var theirs) = pair.theirs.nextEvent() else {
            Issue.record("not connected")
            return
        }
        var packet = Bytes(repeating: 0x80, count: 60)
        let count = packet.withUnsafeMutableBytes {
            ours.sender.protectRTP($0, count: 40, headerLength: 12, ssrc: 1, index: 5)
        }
        var window = SRTPReplayWindow()
        let verdict = packet.withUnsafeMutableBytes {
            theirs.receiver.unprotectRTP(
                $0, count: count ?? 0, headerLength: 12, ssrc: 1, sequenceNumber: 5, window: &window)
        }
        #expect(verdict == .plain(40) && packet[..<40].allSatisfy { $0 == 0x80 })
        #expect(pair.ourEvent() == .nothing && pair.theirEvent() == .nothing)
        #expect(pair.ourDeadline == nil)
    }

    @Test func `before a path is validated nothing is kept, and nothing is answered`() throws {
        let pair = try Pair()
        pair.theirs.pathValidated(now: pair.now)
        pair.run()
        #expect(pair.ourPhase == .awaitingPath && pair.ourStrays > 0 && pair.ourDeadline == nil)
        pair.ours.pathValidated(now: pair.now)
        pair.run()
        #expect(pair.ourPhase == .handshaking)
        // The client repeats what was dropped.
        pair.now = try #require(pair.theirDeadline)
        pair.theirs.handleTimeout(now: pair.now)
        pair.run()
        #expect(pair.ourEvent() == .connected(.aeadAES128GCM))
    }

    @Test func `a ClientHello from another path does not enter the race`() throws {
        let pair = try Pair()
        pair.validate()
        let stranger = try DTLSSession(.client, Identities.strangers)
        stranger.start(now: pair.now)
        while let datagram = stranger.takeDatagram() {
            datagram.withUnsafeBytes { pair.ours.receive($0, fromValidPath: false, now: pair.now) }
        }
        #expect(pair.ourStrays == 1 && pair.ourDatagram() == nil)
        pair.run()
        #expect(pair.ourEvent() == .connected(.aeadAES128GCM))
    }

    @Test func `the wrong certificate gets no keys, and an end`() throws {
        let pair = try Pair(ourPeer: Identities.strangers.fingerprints)
        pair.validate()
        pair.run()
        #expect(pair.ourEvent() == .failed(.fingerprintMismatch))
        #expect(pair.ourEvent() == .nothing && pair.ourDeadline == nil)
        #expect(pair.ourData() == nil)
        #expect(pair.theirEvent() == .closed)
    }

    @Test func `fingerprints may come after the handshake, and decide then`() throws {
        for (late, expected) in [
            (Identities.theirs.fingerprints, Seen.connected(.aeadAES128GCM)),
            (Identities.strangers.fingerprints, .failed(.fingerprintMismatch)),
        ] {
            let pair = try Pair(ourPeer: [])
            pair.validate()
            pair.run()
            #expect(pair.ourPhase == .awaitingFingerprints && pair.ourEvent() == .nothing)
            _ = [UInt8](repeating: 1, count: 8).withUnsafeBytes { pair.theirs.send($0) }
            pair.run()
            #expect(pair.ourData() == nil, "not a byte before the comparison")
            pair.ours.setPeer(late)
            #expect(pair.ourEvent() == expected)
            if expected != .failed(.fingerprintMismatch) { #expect(pair.ourData()?.count == 8) }
        }
    }

    @Test func `another certificate in a later answer ends a connection`() throws {
        let pair = try Pair()
        pair.validate()
        pair.run()
        #expect(pair.ourEvent() == .connected(.aeadAES128GCM))
        pair.ours.setPeer(Identities.theirs.fingerprints)
        #expect(pair.ourEvent() == .nothing)
        pair.ours.setPeer(Identities.strangers.fingerprints)
        #expect(pair.ourEvent() == .failed(.fingerprintMismatch))
    }

    @Test func `who does not come is given up after the limit`() throws {
        let pair = try Pair()
        pair.ours.pathValidated(now: pair.now)
        let deadline = try #require(pair.ourDeadline)
        #expect(deadline == pair.now + Handshake.timeLimit)
        pair.ours.handleTimeout(now: Instant(nanoseconds: deadline.nanoseconds - 1))
        #expect(pair.ourEvent() == .nothing)
        pair.ours.handleTimeout(now: deadline)
        #expect(pair.ourEvent() == .failed(.timedOut) && pair.ourDeadline == nil)
    }

    @Test func `data goes both ways, close_notify arrives, and a released association is silent`() throws {
        let pair = try Pair()
        pair.validate()
        pair.run()
        #expect(pair.ourEvent() == .connected(.aeadAES128GCM) && pair.theirEvent() == .connected(.aeadAES128GCM))
        let message = Bytes("INIT".utf8)
        let sent = message.withUnsafeBytes { pair.ours.send($0) }
        pair.run()
        #expect(sent && pair.theirData() == message)
        pair.ours.peerHasKeys(usesData: true)
        let (isReleased, longest) = (pair.ours.isReleased, pair.ours.longestMessage)
        #expect(!isReleased && longest > 1_100)
        pair.ours.peerHasKeys(usesData: false)
        let after = message.withUnsafeBytes { pair.ours.send($0) }
        let isReleasedNow = pair.ours.isReleased
        #expect(isReleasedNow && !after && pair.ourDatagram() == nil)
        pair.theirs.close()
        pair.run()
        #expect(pair.ourPhase == .connected && pair.ourStrays == 1)

        let second = try Pair()
        second.validate()
        second.run()
        #expect(second.ourEvent() == .connected(.aeadAES128GCM))
        second.theirs.close()
        second.run()
        #expect(second.ourEvent() == .closed && second.ourEvent() == .nothing)
    }
}
