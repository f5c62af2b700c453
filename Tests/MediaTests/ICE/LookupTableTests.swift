import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct LookupTableTests {
    @Test(arguments: [UInt64(1), 2, 3]) func `the path table does what a dictionary does`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var table = PathTable(capacity: 300, seed: (seed, ~seed))
        var expected: [MediaPath: UInt32] = [:]
        for step in 0..<30_000 {
            let path = testPath(UInt32.random(in: 0..<400, using: &random), socket: UInt32(step % 2))
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                let removed = table.remove(path)
                #expect(removed == expected.removeValue(forKey: path))
            case 1:
                let isSet = table.set(path, UInt32(step))
                #expect(isSet == (expected[path] != nil || expected.count < 300))
                if isSet { expected[path] = UInt32(step) }
            default:
                let found = table.find(path)
                #expect(found == expected[path])
            }
            let count = table.count
            #expect(count == expected.count)
        }
        for (path, value) in expected {
            let found = table.find(path)
            #expect(found == value)
        }
    }

    @Test func `paths that differ in one part are different`() throws {
        var table = PathTable(capacity: 100, seed: (1, 2))
        let v6 = MediaPath(remote: TransportAddress(try #require(IPAddress("::a00:1")), 5_000), socket: 0)
        let paths = [testPath(1), testPath(2), testPath(1, port: 5_001), testPath(1, socket: 1), v6]
        for (index, path) in paths.enumerated() { _ = table.set(path, UInt32(index)) }
        for (index, path) in paths.enumerated() {
            let found = table.find(path)
            #expect(found == UInt32(index))
        }
    }

    @Test func `a fragment is one session's`() {
        var table = UfragTable(capacity: 2, seed: (3, 4))
        let fragments = (0..<3).map { LocalUfrag(random: UInt64($0) &* 0x1234_5678_9ABC) }
        let inserted = [
            table.insert(fragments[0], 10), table.insert(fragments[0], 11), table.insert(fragments[1], 12),
            table.insert(fragments[2], 13),
        ]
        #expect(inserted == [true, false, true, false])
        let found = [table.find(fragments[0]), table.find(fragments[1]), table.find(fragments[2])]
        #expect(found == [10, 12, nil])
        let removed = table.remove(fragments[0])
        let again = table.insert(fragments[2], 13)
        #expect(removed == 10 && again)
    }

    @Test func `the hash depends on its seed and spreads neighbours`() {
        // Different seeds, and neighbours, are spread over all bits.
        let one = KeyedHash(seed: (1, 2))
        let other = KeyedHash(seed: (1, 3))
        var changed: UInt64 = 0
        for index in 0..<64 {
            #expect(one(UInt64(index)) != other(UInt64(index)))
            changed |= one(UInt64(index)) ^ one(UInt64(index + 1))
        }
        #expect(changed == .max)
    }

    @Test func `datagrams are told apart by their first bytes`() {
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max {
                let kind = DatagramKind(first: first, second: second)
                let expected: DatagramKind =
                    switch (first, second) {
                    case (0...3, _): .stun
                    case (20...63, _): .dtls
                    case (64...79, _): .turnChannel
                    case (128...191, 192...223): .rtcp
                    case (128...191, _): .rtp
                    default: .unknown
                    }
                #expect(kind == expected)
            }
        }
        #expect(DatagramKind(Bytes([0x80]).span.bytes) == .unknown)
        #expect(DatagramKind(Bytes([0x80, 0x60]).span.bytes) == .rtp)
        #expect(DatagramKind(Bytes().span.bytes) == .unknown)
    }
}
