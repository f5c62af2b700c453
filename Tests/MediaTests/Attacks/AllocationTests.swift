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
    /// A publisher of video, so many viewers, and a second of packets that are already encrypted.
    private final class Prepared {
        let world: EngineWorld
        let datagrams: [Bytes]
        let path: MediaPath
        var taken = 0

        init(viewers: Int, kind: SoftPeer.Section.Kind, packets: Int) throws {
            world = try EngineWorld(seed: 71)
            let publisher = try world.join("r", as: .publisher, [.init(kind, .sendOnly)])
            for _ in 0..<viewers { try world.join("r", as: .viewer, [.init(kind, .receiveOnly)]) }
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

        /// In batches of 8, 2 ms apart.
        func feed(_ count: Int) {
            let engine = world.engine
            guard var slot = engine.slab.allocate() else { return }
            for number in 0..<count where taken < datagrams.count {
                engine.slab[slot].copyBytes(from: datagrams[taken])
                slot = engine.receive(slot, datagrams[taken].count, from: path, now: time)
                taken += 1
                if number % 8 == 7 {
                    engine.endBatch(now: time)
                    engine.outbox.removeAll()
                }
            }
            engine.slab.release(slot)
        }

        var time: Instant { world.net.now + .milliseconds(Int64(taken / 8) * 2) }
    }

    static let budgets: [(kind: String, most: Int64)] = {
        let value = (try? RTPVectors.json("../../Budgets/media.json")) ?? .null
        return ["video", "audio"].map { kind in
            (kind, value["objects_per_1000_forwarded_packets"]?[kind]?.integerValue ?? -1)
        }
    }()

    @Test(arguments: budgets) func `A forwarded packet makes no object`(kind: String, most: Int64) throws {
        #expect(most >= 0, "the budget cannot be read")
        let prepared = try Prepared(viewers: 5, kind: kind == "video" ? .video : .audio, packets: 1_400)
        prepared.feed(600)
        let forwarded = sent(prepared)
        let made = HeapCalls.count { prepared.feed(800) }
        let packets = sent(prepared) - forwarded
        #expect(packets >= 3_900)
        guard let made else { return }
        print("objects made for \(packets) forwarded packets of \(kind): \(made)")
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
