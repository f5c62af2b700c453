// A forwarded packet takes nothing from the heap. The engine is driven directly, with datagrams that were encrypted
// before; the budget is in `Tests/Budgets/media.json`.

import Base
import Crypto
import Glibc
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct AllocationTests {
    enum Kind: String, CaseIterable { case video, audio, estimated, recorded }

    /// A publisher, some viewers, and packets that are already encrypted. `estimated`: the viewers' networks are
    /// estimated, so every packet passes the pacer and is remembered until a report tells of it. `recorded`: somebody
    /// hears the publisher.
    private final class Prepared {
        let world: EngineWorld
        let datagrams: [Bytes]
        let path: MediaPath
        /// Packets that come together, and nanoseconds between such.
        let batch: Int
        let interval: UInt64
        var taken = 0
        private(set) var tap: TapListener?

        init(viewers: Int, _ test: Kind, packets: Int) throws {
            let kind: SoftPeer.Section.Kind = test == .audio ? .audio : .video
            batch = test == .estimated ? 1 : 8
            interval = test == .estimated ? 20_000_000 : 2_000_000
            world = try EngineWorld(seed: 71)
            let publisher = try world.join("r", as: .publisher, [.init(kind, .sendOnly)])
            for _ in 0..<viewers {
                try world.join("r", as: .viewer, [.init(kind, .receiveOnly)]) { peer in
                    test == .estimated
                        ? peer.offer() : peer.offer().replacing("a=rtcp-fb:96 transport-cc\r\n", with: "")
                }
            }
            if test == .recorded {
                tap = world.tap("r")
                world.setTapped(world.own(publisher), true, in: "r")
            }
            world.run(.milliseconds(400))
            let peer = world.peer(publisher)
            var sequence: SequenceNumber = 1
            var made: [Bytes] = []
            for frame in 0..<(packets / 4) {
                if kind == .video {
                    peer.sendFrame(
                        section: 0, packets: 4, size: 1_000, timestamp: UInt32(frame) * 3_000, isKeyframe: frame == 0,
                        pictureID: UInt16(frame), sequence: &sequence, now: world.net.now)
                } else {
                    for _ in 0..<4 {
                        peer.sendMedia(
                            Bytes(repeating: 1, count: 120), section: 0, type: SoftPeer.opus, sequence: sequence,
                            timestamp: UInt32(sequence) * 960, marker: false, now: world.net.now)
                        sequence &+= 1
                    }
                }
                made += peer.takeOutgoing()
            }
            datagrams = made
            path = MediaPath(remote: world.peers[publisher].address, socket: 0)
            world.engine.outbox.flush = { $0.removeAll() }
        }

        /// In batches, as sockets give them. Reports are not part of it: nothing is looked after.
        func feed(_ count: Int) {
            let engine = world.engine
            guard var slot = engine.slab.allocate() else { return }
            for number in 0..<count where taken < datagrams.count {
                engine.slab[slot].copyBytes(from: datagrams[taken])
                slot = engine.receive(slot, datagrams[taken].count, from: path, now: time)
                taken += 1
                if number % batch == batch - 1 {
                    engine.endBatch(now: time)
                    engine.outbox.removeAll()
                }
            }
            engine.slab.release(slot)
        }

        var time: Instant {
            Instant(nanoseconds: world.net.now.nanoseconds + UInt64(taken / batch) * interval)
        }
    }

    static let budgets: [(kind: Kind, most: Int64)] = {
        let value = (try? RTPVectors.json("../../Budgets/media.json")) ?? .null
        return Kind.allCases.map { kind in
            (kind, value["allocations_per_1000_forwarded_packets"]?[kind.rawValue]?.integerValue ?? -1)
        }
    }()

    @Test(arguments: budgets) func `A forwarded packet takes nothing from the heap`(kind: Kind, most: Int64) throws {
        #expect(most >= 0, "the budget cannot be read")
        let prepared = try Prepared(viewers: 5, kind, packets: 1_400)
        // What the runtime makes once is not what is counted.
        _ = HeapCalls.count { prepared.feed(600) }
        let forwarded = sent(prepared)
        let made = HeapCalls.count { prepared.feed(800) }
        let packets = sent(prepared) - forwarded
        #expect(packets >= 3_900)
        if let tap = prepared.tap {
            tap.read()
            #expect(tap.packets.count == prepared.taken)
        }
        guard let made else { return }
        print("allocations for \(packets) forwarded packets of \(kind): \(made)")
        #expect(Int64(made) * 1_000 <= most * Int64(packets))
    }

    @Test func `The counter counts`() {
        let made = HeapCalls.count {
            for number in 0..<100 { _ = Array(repeating: number, count: 3 + number) }
        }
        if let made { #expect(made >= 100) }
    }

    private func sent(_ prepared: Prepared) -> UInt64 {
        prepared.world.peers.dropFirst().reduce(0) { sum, entry in
            sum + (prepared.world.engine.participants[entry.id]?.sending?.packets ?? 0)
        }
    }
}
