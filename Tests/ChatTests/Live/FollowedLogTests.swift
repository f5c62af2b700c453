import Base
import TestKit
import Testing

@testable import Chat

@Suite struct FollowedLogTests {
    private func at(_ offset: Int64, epoch: Int64 = 1) -> LogPosition { LogPosition(epoch: epoch, offset: offset) }

    @Test func `what comes while the log is read is held, and passed on once`() {
        var log = FollowedLog<Int64>(from: at(3), heldMax: 8)
        #expect(log.received(at(5), 5, hasRoom: true) == .drop)
        #expect(log.received(at(6), 6, hasRoom: true) == .drop)
        log.read(upTo: at(5))
        #expect(log.goLive() == [6])
        #expect(log.phase == .live && log.position == at(6))
        #expect(log.received(at(6), 6, hasRoom: true) == .drop)
        #expect(log.received(at(7), 7, hasRoom: true) == .pass)
    }

    @Test func `a gap, another epoch and a full queue are read from the log`() {
        for (offset, epoch, hasRoom) in [(5, 1, true), (4, 2, true), (4, 1, false)] as [(Int64, Int64, Bool)] {
            var log = FollowedLog<Int64>(from: at(3), heldMax: 8)
            #expect(log.goLive() == [])
            #expect(log.received(at(offset, epoch: epoch), 0, hasRoom: hasRoom) == .behind)
            #expect(log.received(at(offset + 1, epoch: epoch), 0, hasRoom: true) == .drop)
            #expect(log.phase == .behind && log.position == at(3))
        }
    }

    @Test func `who cannot hold all of it reads on`() {
        var log = FollowedLog<Int64>(from: at(0), heldMax: 2)
        for offset in 1...3 as ClosedRange<Int64> { _ = log.received(at(offset), offset, hasRoom: true) }
        #expect(log.goLive() == nil)
        #expect(log.phase == .catchingUp)
        log.read(upTo: at(3))
        #expect(log.goLive() == [])
    }

    @Test func `what is left out is read from the log, whether the reader was live or reading`() {
        var live = FollowedLog<Int64>(from: at(3), heldMax: 8)
        #expect(live.goLive() == [])
        #expect(live.miss() == .behind && live.phase == .behind)
        #expect(live.miss() == .drop && live.received(at(9), 9, hasRoom: true) == .drop)
        var reading = FollowedLog<Int64>(from: at(3), heldMax: 8)
        #expect(reading.received(at(4), 4, hasRoom: true) == .drop)
        #expect(reading.miss() == .drop)
        #expect(reading.received(at(9), 9, hasRoom: true) == .drop)
        reading.read(upTo: at(3))
        #expect(reading.goLive() == nil, "what is held has a hole")
        reading.read(upTo: at(9))
        #expect(reading.goLive() == [])
    }

    @Test func `a newcomer without a place cannot go live`() {
        var log = FollowedLog<Int64>(from: nil, heldMax: 2)
        #expect(log.goLive() == nil)
        log.read(upTo: at(9))
        #expect(log.goLive() == [])
    }

    /// A log that grows, events that come late, a reader that stops and reads again, in any order.
    @Test(arguments: 1...40 as ClosedRange<UInt64>)
    func `whatever happens, each event is passed on once and in order`(seed: UInt64) {
        var random = SplitMix(seed: seed)
        var written: Int64 = 0
        var delivered: Int64 = 0
        var passed: [Int64] = []
        var log = FollowedLog<Int64>(from: at(0), heldMax: 4)
        var readTo: Int64?
        func pass(_ offset: Int64) { passed.append(offset) }
        for step in 0..<6_000 {
            // At last everything comes, and there is room.
            let isLast = step >= 2_000
            switch isLast ? UInt64.random(in: 1...4, using: &random) : UInt64.random(in: 0...6, using: &random) {
            case 0: written += Int64.random(in: 1...3, using: &random)
            case 1, 2:
                guard delivered < written else { continue }
                delivered += 1
                let hasRoom = isLast || UInt64.random(in: 0...3, using: &random) > 0
                if log.received(at(delivered), delivered, hasRoom: hasRoom) == .pass { pass(delivered) }
            case 3:
                // One page of the log, or its end.
                guard log.phase == .catchingUp else { continue }
                let from = log.position?.offset ?? 0
                let to = min(written, from + Int64.random(in: 1...5, using: &random))
                for offset in from..<to { pass(offset + 1) }
                log.read(upTo: at(to))
                readTo = to
                if to == written, let rest = log.goLive() { rest.forEach(pass) }
            case 4: if log.phase == .behind { log.catchUp() }
            case 5:
                // Some are never delivered.
                guard delivered < written else { continue }
                delivered = min(written, delivered + Int64.random(in: 1...6, using: &random))
                _ = log.miss()
            default:
                if log.phase == .catchingUp, readTo != nil { log.pause() }
            }
        }
        #expect(passed == Array(1...max(1, written)).prefix(passed.count).map { $0 })
        #expect(Int64(passed.count) == written)
    }
}
