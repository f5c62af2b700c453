import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct SCTPReceivedMapTests {
    /// Against a set, across the wrap of TSNs.
    @Test(arguments: [0, 1_000, UInt32.max - 500, UInt32.max - 70], [UInt64(1), 2, 3])
    func `gap blocks are those of a set`(start: UInt32, seed: UInt64) {
        var random = SplitMix(seed: seed)
        var map = SCTPReceivedMap(cumulative: start)
        var model: Set<UInt32> = []
        var cumulative = start
        for _ in 0..<400 {
            let tsn = cumulative &+ UInt32.random(in: 0...300, using: &random)
            switch map.place(of: tsn) {
            case .duplicate:
                #expect(!tsn.isSerially(after: cumulative) || model.contains(tsn))
            case .next:
                cumulative &+= 1
                _ = map.step()
                while map.nextHasCome {
                    #expect(taken { map.step() })
                    cumulative &+= 1
                    #expect(taken { model.remove(cumulative) } != nil)
                }
            case .beyond:
                map.insert(tsn)
                #expect(taken { model.insert(tsn).inserted })
            case .tooFar: Issue.record("300 is not too far")
            }
            #expect(map.cumulative == cumulative && map.count == model.count)
            var rebuilt: Set<UInt32> = []
            var last: UInt16 = 0
            for block in map.gapBlocks(atMost: 1_000) {
                #expect(block.start > last &+ 1 && block.end >= block.start)
                last = block.end
                for distance in block.start...block.end { rebuilt.insert(cumulative &+ UInt32(distance)) }
            }
            #expect(rebuilt == model)
        }
    }

    @Test func `the furthest TSN has a bit, the next has none`() {
        var map = SCTPReceivedMap(cumulative: 10)
        #expect(map.place(of: 10 + SCTPLimits.trackedTSNs - 1) == .beyond)
        #expect(map.place(of: 10 + SCTPLimits.trackedTSNs) == .tooFar)
        map.insert(10 + SCTPLimits.trackedTSNs - 1)
        #expect(map.gapBlocks(atMost: 9) == [.init(start: 16_383, end: 16_383)])
        #expect(map.gapBlocks(atMost: 0).isEmpty)
    }
}
