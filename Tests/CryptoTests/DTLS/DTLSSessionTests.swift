import Base
import Glibc
import TestKit
import Testing
import Wire

@testable import Crypto

/// Made once: two certificates are enough for all tests.
private enum Identities {
    static let ours = make()
    static let theirs = make()

    private static func make() -> DTLSIdentity {
        do { return try DTLSIdentity.make() } catch { fatalError("\(error)") }
    }
}

@Suite(.serialized) struct DTLSSessionTests {
    private func link(_ weather: DTLSLink.Weather = .init(), seed: UInt64 = 1) throws -> DTLSLink {
        try DTLSLink(Identities.theirs, Identities.ours, weather: weather, seed: seed)
    }

    @Test func `a handshake agrees on keys, and each side knows the other's certificate`() throws {
        var link = try link()
        link.shakeHands()
        #expect(link.client.phase == .established && link.server.phase == .established && link.timeouts == 0)
        #expect(link.client.peerFingerprint(matches: Identities.ours.fingerprints))
        #expect(link.server.peerFingerprint(matches: Identities.theirs.fingerprints))
        #expect(link.server.profile == .aeadAES128GCM && link.server.suite == "ECDHE-ECDSA-AES128-GCM-SHA256")
        let ours = try #require(link.server.exportedKeys())
        let theirs = try #require(link.client.exportedKeys())
        #expect(ours.localKey.exposedBytes == theirs.remoteKey.exposedBytes)
        #expect(ours.remoteKey.exposedBytes == theirs.localKey.exposedBytes)
        #expect(ours.localSalt.exposedBytes == theirs.remoteSalt.exposedBytes)
        #expect(ours.remoteSalt.exposedBytes == theirs.localSalt.exposedBytes)
        #expect(ours.localKey.exposedBytes != ours.remoteKey.exposedBytes)
        #expect(ours.localKey.count == 16 && ours.localSalt.count == 12)
        #expect(link.sent.allSatisfy { $0.bytes.count <= DTLSSession.datagramLimit })
        #expect(link.client.deadline == nil && link.server.deadline == nil)
    }

    @Test func `another certificate, a weaker hash beside a strong one, or no fingerprint is no match`() throws {
        var link = try link()
        #expect(!link.server.peerFingerprint(matches: Identities.theirs.fingerprints), "not before the handshake")
        link.shakeHands()
        #expect(!link.server.peerFingerprint(matches: []))
        #expect(!link.server.peerFingerprint(matches: Identities.ours.fingerprints))
        let right = Identities.theirs.fingerprints
        let wrong = Identities.ours.fingerprints
        #expect(link.server.peerFingerprint(matches: [right[0]]) && link.server.peerFingerprint(matches: [right[2]]))
        #expect(!link.server.peerFingerprint(matches: [right[0], wrong[2]]))
        #expect(link.server.peerFingerprint(matches: [wrong[0], wrong[2], right[2]]))
    }

    @Test(arguments: 1...60 as ClosedRange<UInt64>)
    func `loss, reordering and duplication delay a handshake, and nothing else`(seed: UInt64) throws {
        var link = try link(.init(loss: 0.25, duplication: 0.2, reordering: 0.4), seed: seed)
        link.shakeHands()
        #expect(link.client.phase == .established && link.server.phase == .established, "seed \(seed)")
        #expect(link.sent.count < 400)
        link.weather = .init()
        link.settle()
        #expect(link.client.send(Bytes("ping".utf8)))
        link.settle()
        #expect(link.server.takeApplicationData() == Bytes("ping".utf8))
    }

    @Test func `retransmission follows the clock it is given, doubling, and gives up`() throws {
        let client = try DTLSSession(.client, Identities.ours)
        var now = Instant(nanoseconds: 5)
        client.start(now: now)
        var waits: [Int64] = []
        var flights = 0
        while let deadline = client.deadline {
            while client.takeDatagram() != nil { flights += 1 }
            client.handleTimeout(now: Instant(nanoseconds: deadline.nanoseconds - 1))
            #expect(client.takeDatagram() == nil, "not a moment early")
            waits.append((deadline - now).milliseconds)
            now = deadline
            client.handleTimeout(now: now)
        }
        #expect(client.phase == .failed(.timedOut))
        #expect(waits == [250, 500, 1_000, 2_000] + Array(repeating: 3_000, count: 9))
        #expect(flights == 13)
    }

    @Test func `where OpenSSL keeps time itself, the retransmission comes all the same`() throws {
        let client = try DTLSSession(.client, Identities.ours, reachesTimer: false)
        client.start(now: .now())
        while client.takeDatagram() != nil {}
        let end = Instant.now() + .seconds(2)
        var again: Bytes?
        while again == nil, Instant.now() < end {
            client.handleTimeout(now: .now())
            again = client.takeDatagram()
        }
        #expect(again != nil && client.phase == .handshaking)
    }

    @Test func `a lost last flight is repeated when the peer repeats its own`() throws {
        var link = try link()
        link.client.start(now: link.now)
        while link.server.phase == .handshaking, link.step() {}
        // The server's last flight vanishes.
        while link.server.takeDatagram() != nil {}
        #expect(link.server.phase == .established && link.client.phase == .handshaking)
        link.shakeHands()
        #expect(link.client.phase == .established && link.timeouts == 1)
    }

    @Test func `messages go both ways, in one datagram each, and close_notify ends them`() throws {
        var link = try link()
        link.shakeHands()
        let longest = link.client.longestMessage
        #expect(longest > 1_100 && longest < DTLSSession.datagramLimit)
        #expect(!link.client.send(Bytes(repeating: 1, count: longest + 1)) && !link.client.send([]))
        #expect(link.client.send(Bytes(repeating: 1, count: longest)))
        let before = link.sent.count
        link.collect()
        #expect(link.sent.count == before + 1)
        #expect(link.sent.last?.bytes.count == DTLSSession.datagramLimit)
        link.settle()
        #expect(link.server.takeApplicationData() == Bytes(repeating: 1, count: longest))
        #expect(link.server.send([9]))
        link.settle()
        #expect(link.client.takeApplicationData() == [9] && link.client.takeApplicationData() == nil)
        link.server.close()
        link.settle()
        #expect(link.client.phase == .closed && link.server.phase == .closed)
        #expect(!link.client.send([1]) && !link.server.send([1]))
    }

    @Test func `unread messages are bounded`() throws {
        var link = try link()
        link.shakeHands()
        for number in 0..<200 {
            #expect(link.client.send([UInt8(number)]))
            link.settle()
        }
        var count = 0
        while link.server.takeApplicationData() != nil { count += 1 }
        #expect(count == DTLSSession.unreadLimit && link.server.droppedCount == 200 - count)
    }

    @Test func `a handshake goes through between junk that may come from anyone`() throws {
        var random = SplitMix(seed: 8)
        var link = try link()
        link.client.start(now: link.now)
        while !link.isDone {
            for session in [link.client, link.server] {
                for round in 0..<200 {
                    var junk = (0..<Int.random(in: 0...64, using: &random)).map { _ in
                        UInt8.random(in: 0...255, using: &random)
                    }
                    if round % 2 == 0 {
                        junk = [round % 4 == 0 ? 22 : 23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 1, UInt8(round), 0, 40]
                        junk += Bytes(repeating: 7, count: 40)
                    }
                    session.receive(junk, now: link.now)
                }
            }
            let moved = link.step()
            #expect(moved)
        }
        #expect(link.client.phase == .established && link.server.phase == .established && link.timeouts == 0)
        #expect(link.server.droppedCount > 100)
    }

    @Test func `a hundred thousand junk datagrams change nothing, and cost little`() throws {
        var random = SplitMix(seed: 5)
        var link = try link()
        link.client.start(now: link.now)
        _ = link.step()
        let first = try #require(link.sent.first?.bytes)
        let before = ResidentMemory.bytes
        let start = Instant.now()
        for round in 0..<100_000 {
            var junk: Bytes
            switch round % 4 {
            case 0:
                junk = (0..<Int.random(in: 0...64, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random)
                }
            case 1: junk = Bytes(first.prefix(Int.random(in: 0..<first.count, using: &random)))
            case 2:
                // Protected records before there are keys.
                junk =
                    [22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, UInt8(round & 0xFF), 0, 40] + Bytes(repeating: 7, count: 40)
            default:
                // Fragments of messages far ahead, zero length records, alerts of an unknown kind.
                junk = [22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, UInt8(round >> 8 & 0xFF), UInt8(round & 0xFF), 0, 13]
                junk += [11, 0, 0x3F, 0, UInt8(round & 0xFF), 9, 0, 0, 0, 0, 0, 1, 5]
            }
            link.server.receive(junk, now: link.now)
            while link.server.takeDatagram() != nil {}
        }
        let spent = (Instant.now() - start).milliseconds
        let grown = (ResidentMemory.bytes - before) >> 10
        print("junk: \(spent) ms, \(grown) KiB more, phase \(link.server.phase)")
        // The address sanitizer keeps what was freed for a while.
        let isSanitized = dlsym(nil, "__asan_init") != nil
        #expect(spent < 5_000 && (grown < 4_096 || isSanitized))
    }
}

@Suite struct DTLSFingerprintTests {
    @Test func `fingerprints are read in either case, and written as SDP wants them`() throws {
        for fingerprint in Identities.ours.fingerprints {
            let name = fingerprint.algorithm.rawValue
            let text = fingerprint.value
            #expect(text.utf8.count == fingerprint.algorithm.count * 3 - 1)
            #expect(DTLSFingerprint(algorithm: name.uppercased(), value: text.lowercased()) == fingerprint)
            for bad in [String(text.dropLast()), text + ":", text + ":00", text.replacing(":", with: "-"), ""] {
                #expect(DTLSFingerprint(algorithm: name, value: bad) == nil)
            }
        }
        #expect(Identities.ours.fingerprints.count == 3)
        #expect(
            DTLSFingerprint(algorithm: "sha-1", value: Array(repeating: "00", count: 20).joined(separator: ":")) == nil)
        #expect(Identities.ours.fingerprints[0] != Identities.theirs.fingerprints[0])
    }
}

/// Flights of browsers, as recorded.
@Suite struct DTLSFlightTests {
    private static let flights = [
        "chrome_enc_avdc", "firefox_dtls12", "firefox_enc_dc", "firefox_nopq", "x_chrome_to_firefox_av",
        "x_firefox_to_chrome_av", "x_firefox_to_chrome_dc",
    ]

    private func datagrams(_ name: String) throws -> [(sender: String, bytes: Bytes)] {
        let file = try MediaVectors.load("dtls/flight-\(name).json")
        return try #require(file["datagrams"]?.arrayValue).map {
            (try #require($0["sender"]?.stringValue), try MediaVectors.hex($0, "hex"))
        }
    }

    /// The ClientHellos offer DTLS 1.3 and key shares of 1.2 KB, in two datagrams: what comes back is a ServerHello of
    /// 1.2, once the last piece is there, in whatever order and however often the pieces come.
    @Test(arguments: flights) func `their ClientHello gets a flight of DTLS 1.2`(name: String) throws {
        let all = try datagrams(name)
        let client = try #require(all.first?.sender)
        let pieces = all.prefix { $0.sender == client }.map(\.bytes)
        for order in [pieces, pieces.reversed(), pieces + pieces] {
            let server = try DTLSSession(.server, Identities.ours)
            var answers: [Bytes] = []
            for piece in order {
                #expect(server.phase == .handshaking)
                server.receive(piece, now: Instant(nanoseconds: 1))
                while let answer = server.takeDatagram() { answers.append(answer) }
            }
            let hello = try #require(answers.first, "\(name)")
            #expect(Array(hello[0..<3]) == [22, 0xFE, 0xFD] && hello[13] == 2, "a ServerHello of DTLS 1.2")
            #expect(Array(hello[25..<27]) == [0xFE, 0xFD])
            #expect(answers.allSatisfy { $0.count <= DTLSSession.datagramLimit } && server.deadline != nil)
        }
    }

    @Test(arguments: flights) func `their datagrams are well formed, and cut ones are not`(name: String) throws {
        for (_, bytes) in try datagrams(name) where DTLSDatagram.isDTLS(bytes[0]) && bytes[0] & 0xE0 != 0x20 {
            guard let whole = bytes.withUnsafeBytes({ DTLSDatagram(inspecting: $0) }) else {
                // Only a datagram that holds a record of DTLS 1.3 may be refused.
                #expect(name.contains("enc") || name.contains("nopq"), "\(name)")
                continue
            }
            #expect(whole.recordCount >= 1)
            for count in 0..<min(bytes.count, 200) {
                let cut = bytes.withUnsafeBytes {
                    DTLSDatagram(inspecting: UnsafeRawBufferPointer(rebasing: $0[..<count]))
                }
                #expect(cut == nil || (cut?.recordCount ?? 0) < whole.recordCount)
            }
        }
    }
}
