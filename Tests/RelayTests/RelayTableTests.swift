// What the engine stands on: tables, slabs, the wheel; and keys against the vectors of RFC 5769.

import Base
import Crypto
import TestKit
import Testing
import Wire

@testable import Relay

@Suite struct RelayTableTests {
    /// A table beside a dictionary, with hashes that collide on purpose.
    @Test(arguments: [UInt64.max, 0xFF00_0000_0000, 0x3F << 33]) func `a table holds what was put there`(mask: UInt64) {
        var random = RandomNumbers(seed: 7)
        var table = IndexTable(capacity: 200)
        var model: [UInt32: UInt64] = [:]
        for _ in 0..<20_000 {
            let index = UInt32(random.next() % 300)
            if let hash = model[index] {
                let isFound = table.find(hash) { $0 == index } == index
                #expect(isFound)
                if random.next() % 2 == 0 {
                    table.remove(hash, index)
                    model[index] = nil
                }
            } else {
                let hash = random.next() & mask
                let isInserted = table.insert(hash, index)
                #expect(isInserted == (model.count < 200))
                if isInserted { model[index] = hash }
            }
            let count = table.count
            #expect(count == model.count)
        }
        for (index, hash) in model {
            let isFound = table.find(hash) { $0 == index } == index
            #expect(isFound)
        }
    }

    @Test func `a slab gives each place to one`() {
        var slab = Slab<UInt64>(capacity: 50)
        var held: [UInt32: UInt64] = [:]
        var random = RandomNumbers(seed: 3)
        for step in 0..<10_000 as Range<UInt64> {
            if random.next() % 2 == 0, let index = slab.insert(step) {
                #expect(held[index] == nil && index < 50)
                held[index] = step
            } else if let index = held.keys.first {
                let value = slab[index]
                #expect(value == held[index])
                slab.remove(index)
                held[index] = nil
            }
            let count = slab.count
            #expect(count == held.count)
        }
    }

    @Test func `the wheel gives everybody back in time, and nobody early by more than a turn`() {
        var random = RandomNumbers(seed: 11)
        var now = Instant(nanoseconds: 5_000_000_000_000)
        var wheel = ExpiryWheel(now: now)
        var due: [UInt32: Instant] = [:]
        for _ in 0..<20_000 {
            let member = UInt32(random.next() % 100)
            switch random.next() % 4 {
            case 0:
                wheel.clear(member)
                due[member] = nil
            case 1:
                now = now + .milliseconds(Int64(random.next() % 3_000))
                while let member = wheel.next(dueAt: now) {
                    let deadline = due.removeValue(forKey: member)
                    #expect(deadline.map { $0 <= now } == true)
                }
                // Whoever is left has a second at least, or is not due.
                #expect(due.values.allSatisfy { $0 + .seconds(1) > now })
            default:
                let deadline = now + .milliseconds(Int64(random.next() % 4_000_000))
                wheel.set(member, at: deadline)
                due[member] = deadline
            }
            let (count, earliest) = (wheel.count, wheel.earliest)
            #expect(count == due.count)
            if let first = due.values.min() {
                #expect(earliest.map { $0 <= first + .seconds(1) } == true)
            } else {
                #expect(earliest == nil)
            }
        }
    }

    @Test func `the key of RFC 5769 §2.4 is ours`() throws {
        let row = try #require(
            RelayVectors.rows("rfc5769.json").first { $0["name"]?.stringValue?.contains("2.4") == true })
        let bytes = RelayVectors.hex(row["hex"])
        // The password is given after SASLprep (RFC 5769 §2.4: "TheMatrIX").
        let name = Bytes("\u{30DE}\u{30C8}\u{30EA}\u{30C3}\u{30AF}\u{30B9}".utf8)
        let key = RelayKey(name: name, realm: "example.org", password: "TheMatrIX", .md5)
        let message = try STUNMessage(parsing: bytes.span.bytes)
        let isAuthentic = key.authenticates(message, .sha1)
        #expect(isAuthentic)
        let other = RelayKey(name: name, realm: "example.org", password: "TheMatrix", .md5)
        let isForged = other.authenticates(message, .sha1)
        #expect(!isForged)
    }

    @Test func `a SHA-256 code may be cut down to 16 bytes, and not further`() throws {
        let key = RelayKey(name: Bytes("a".utf8), realm: "r", password: "p", .sha256)
        let secret = Secret(SHA256.hash(Bytes("a:r:p".utf8)))
        var writer = STUNWriter()
        writer.begin(.request, .refresh, STUNTransactionID(1, 2))
        key.sign(&writer, .sha256)
        let whole = writer.bytes
        for length in [12, 16, 20, 32] {
            // The code goes over the length that the message then has, so it is made for it.
            writer.begin(.request, .refresh, STUNTransactionID(1, 2))
            writer.add(.messageIntegritySHA256, Bytes(repeating: 0, count: length).span.bytes)
            var bytes = writer.bytes
            bytes.replaceSubrange(24..., with: HMAC.sha256(Bytes(bytes[..<20]), key: secret).prefix(length))
            let message = try STUNMessage(parsing: bytes.span.bytes)
            let isAuthentic = key.authenticates(message, .sha256)
            #expect(isAuthentic == (length >= 16))
        }
        let message = try STUNMessage(parsing: whole.span.bytes)
        let isAuthentic = key.authenticates(message, .sha256)
        #expect(isAuthentic)
    }

    @Test func `revoked sessions are forgotten when they cannot count any more, the soonest first`() {
        var sessions = RevokedSessions()
        sessions.insert(Bytes("a".utf8), until: 1_000, now: 0)
        sessions.insert(Bytes("b".utf8), until: 5_000, now: 700)
        #expect(sessions.contains(Bytes("a".utf8)) && sessions.contains(Bytes("b".utf8)))
        sessions.insert(Bytes("c".utf8), until: 5_000, now: 1_400)
        #expect(!sessions.contains(Bytes("a".utf8)) && sessions.count == 2)
        for number in 0..<RevokedSessions.countMax {
            sessions.insert(Bytes("\(number)".utf8), until: 6_000, now: 1_400)
        }
        #expect(sessions.count == RevokedSessions.countMax && !sessions.contains(Bytes("b".utf8)))
        #expect(sessions.contains(Bytes("0".utf8)))
    }

    @Test func `announced names are forgotten with their time, and bounded`() {
        var names = AnnouncedNames()
        names.insert(Bytes("100:a".utf8), hash: [1], now: 0)
        names.insert(Bytes("900:b".utf8), hash: [2], now: 10)
        #expect(names.name(of: [1]) != nil && names.name(of: [3]) == nil)
        names.insert(Bytes("900:c".utf8), hash: [3], now: 200)
        #expect(names.name(of: [1]) == nil && names.count == 2)
        for number in 0...AnnouncedNames.countMax {
            var hash: Bytes = []
            hash.append(bigEndian: UInt32(number))
            names.insert(Bytes("900:d".utf8), hash: hash, now: 210)
        }
        #expect(names.count == AnnouncedNames.countMax)
    }
}

/// SplitMix64: the same numbers on each run.
struct RandomNumbers {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
        return z ^ z >> 31
    }
}
