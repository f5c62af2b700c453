import Base
import TestKit
import Testing
import Wire

@testable import Media

@Suite struct VideoForwarderTests {
    // MARK: Simulcast

    private struct Run {
        var receiver = SyntheticReceiver()
        var lost: [SyntheticPacket] = []
        var left: [SyntheticPacket] = []
        var layersSeen: Set<UInt8> = []
        var keyframeRequests = 0
    }

    /// Targets change at random; keyframes come when they are asked for, some pictures later.
    private func simulcast(
        seed: UInt64, loss: Int, late: Int, tellsClock: Bool, pictures: Int = 400, changes: Bool = true
    ) -> Run {
        var random = SplitMix(seed: seed)
        var source = SyntheticSimulcast(random: &random, tellsClock: tellsClock)
        var network = SyntheticNetwork(lossPercent: loss, latePercent: late)
        var forwarder = VideoForwarder(codec: .vp8)
        forwarder.setTarget(LayerTarget(simulcast: 2))
        var run = Run()
        var arrived: [[UInt64]: SyntheticPacket] = [:]
        for picture in 0..<pictures {
            if changes && picture % 23 == 22 {
                forwarder.setTarget(
                    LayerTarget(
                        simulcast: .random(in: 0...2, using: &random), temporal: .random(in: 0...3, using: &random),
                        paused: Int.random(in: 0..<10, using: &random) == 0))
            }
            if picture % 5 == 0, let wanted = forwarder.wantsKeyframe {
                source.keyframesWanted.insert(Int(wanted))
                run.keyframeRequests += 1
            }
            for packet in network.pass(source.next(random: &random), random: &random) {
                arrived[[UInt64(packet.input.simulcastLayer), packet.input.sequence]] = packet
                let verdict = forwarder.offer(packet.input)
                if case .forward(let rewrite) = verdict { run.layersSeen.insert(rewrite.layer) }
                // What comes after its layer was left is as good as lost.
                if case .drop(.otherLayer) = verdict { run.left.append(packet) }
                run.receiver.take(verdict, packet)
            }
            // The receiver asks for what is missing: some of it came before its keyframe was known as one.
            for number in run.receiver.missing(within: 150) {
                guard let source = forwarder.unsentSource(of: number),
                    let packet = arrived[[UInt64(source.layer), source.sequence]]
                else { continue }
                run.receiver.take(forwarder.offer(packet.input), packet)
            }
        }
        run.lost = network.lost
        return run
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64], [false, true])
    func `switching simulcast layers without loss leaves no gap anywhere`(seed: UInt64, tellsClock: Bool) {
        let run = simulcast(seed: seed, loss: 0, late: 0, tellsClock: tellsClock)
        #expect(run.receiver.packets.count > 300 && run.layersSeen.count == 3)
        #expect(run.receiver.gaps == 0)
        run.receiver.checkLine()
        run.receiver.checkVP8()
        run.receiver.checkReferences(lost: [])
    }

    @Test(arguments: 10...30 as ClosedRange<UInt64>)
    func `loss and reordering leave gaps for lost packets alone`(seed: UInt64) {
        let run = simulcast(seed: seed, loss: 3, late: 4, tellsClock: seed % 2 == 0)
        #expect(run.receiver.packets.count > 300)
        run.receiver.checkLine()
        run.receiver.checkVP8()
        // Late packets of a layer that was left also leave the gaps that they had.
        #expect(run.receiver.gaps <= run.lost.count + 20 * 8)
        run.receiver.checkReferences(lost: lostFrames(run))
    }

    @Test(arguments: 40...50 as ClosedRange<UInt64>)
    func `packets that are only late fill every gap within a layer`(seed: UInt64) {
        let run = simulcast(seed: seed, loss: 0, late: 10, tellsClock: false, changes: false)
        // What was held back for the last pictures is still on its way.
        let list = run.receiver.inOrder.dropLast(120)
        guard let first = list.first, let last = list.last else { return #expect(Bool(false)) }
        #expect(Int(last.sequence - first.sequence) + 1 == list.count)
        run.receiver.checkLine()
        run.receiver.checkVP8()
    }

    /// A frame counts as lost when any packet of it never arrived or came too late to matter: what is not forwarded of
    /// it is then no fault of the forwarder.
    private func lostFrames(_ run: Run) -> Set<[Int]> {
        var frames: Set<[Int]> = []
        for packet in run.lost + run.left { frames.insert([Int(packet.input.simulcastLayer), packet.frame]) }
        return frames
    }

    @Test func `a switch waits for the keyframe of the new layer and keeps the old one until then`() {
        var random = SplitMix(seed: 99)
        var source = SyntheticSimulcast(random: &random, tellsClock: true)
        var forwarder = VideoForwarder(codec: .vp8)
        forwarder.setTarget(LayerTarget(simulcast: 0))
        for packet in source.next(random: &random) { _ = forwarder.offer(packet.input) }
        #expect(forwarder.current == 0 && forwarder.wantsKeyframe == nil)
        forwarder.setTarget(LayerTarget(simulcast: 2))
        #expect(forwarder.wantsKeyframe == 2)
        for _ in 0..<10 {
            for packet in source.next(random: &random) {
                let isForwarded = if case .forward = forwarder.offer(packet.input) { true } else { false }
                #expect(isForwarded == (packet.input.simulcastLayer == 0))
            }
        }
        source.keyframesWanted = [2]
        for packet in source.next(random: &random) { _ = forwarder.offer(packet.input) }
        #expect(forwarder.current == 2 && forwarder.wantsKeyframe == nil)
    }

    @Test(arguments: [false, true]) func `a switch keeps the pace of time`(tellsClock: Bool) throws {
        var random = SplitMix(seed: 3)
        var source = SyntheticSimulcast(random: &random, tellsClock: tellsClock)
        var forwarder = VideoForwarder(codec: .vp8)
        var stamps: [UInt32] = []
        for picture in 0..<60 {
            forwarder.setTarget(LayerTarget(simulcast: UInt8(picture / 20)))
            source.keyframesWanted = picture % 20 == 0 ? [picture / 20] : []
            if picture == 0 { source.keyframesWanted = [0] }
            for packet in source.next(random: &random) {
                if case .forward(let rewrite) = forwarder.offer(packet.input), stamps.last != rewrite.timestamp {
                    stamps.append(rewrite.timestamp)
                }
            }
        }
        // At a switch the old layer's picture of the same moment may have gone out before.
        #expect(stamps.count >= 60 && stamps.count <= 62)
        let length = try #require(stamps.last) &- (try #require(stamps.first))
        #expect(abs(Int(length) - 59 * 2_970) <= 200)
    }

    @Test func `a pause drops all at once, and resuming asks for a keyframe`() {
        var random = SplitMix(seed: 4)
        var source = SyntheticSimulcast(random: &random, tellsClock: false)
        var forwarder = VideoForwarder(codec: .vp8)
        var receiver = SyntheticReceiver()
        for picture in 0..<90 {
            let isPaused = (30..<60).contains(picture)
            forwarder.setTarget(LayerTarget(simulcast: 1, paused: isPaused))
            if isPaused { #expect(forwarder.wantsKeyframe == nil) }
            if picture == 60 { #expect(forwarder.wantsKeyframe == 1) }
            if picture == 64 { source.keyframesWanted = [1] }
            for packet in source.next(random: &random) { receiver.take(forwarder.offer(packet.input), packet) }
        }
        #expect(receiver.gaps == 0)
        receiver.checkLine()
        receiver.checkVP8()
        receiver.checkReferences(lost: [])
        let stamps = Set(receiver.inOrder.map(\.timestamp))
        #expect(stamps.count == 90 - 34)
        let list = receiver.inOrder
        #expect(list[list.count - 1].timestamp &- list[0].timestamp == 89 * 2_970, "the pause takes its time")
    }

    @Test func `temporal layers go up at sync points, and down at any picture`() {
        var random = SplitMix(seed: 5)
        var source = SyntheticSimulcast(random: &random, tellsClock: false)
        var forwarder = VideoForwarder(codec: .vp8)
        var counts = [0, 0, 0]
        var receiver = SyntheticReceiver()
        for picture in 0..<120 {
            forwarder.setTarget(LayerTarget(simulcast: 1, temporal: picture < 40 ? 2 : picture < 80 ? 0 : 2))
            for packet in source.next(random: &random) {
                let verdict = forwarder.offer(packet.input)
                receiver.take(verdict, packet)
                if case .forward = verdict, packet.input.marker, (41..<80).contains(picture) {
                    counts[Int(packet.input.frame.temporal)] += 1
                }
            }
        }
        #expect(counts[0] >= 9 && counts[1] == 0 && counts[2] == 0)
        #expect(forwarder.temporal == 2)
        #expect(receiver.gaps == 0)
        receiver.checkVP8()
        receiver.checkReferences(lost: [])
    }

    @Test func `padding leaves no gap, and a late number of a dropped packet is filled`() {
        var random = SplitMix(seed: 6)
        var source = SyntheticSimulcast(random: &random, tellsClock: false)
        var forwarder = VideoForwarder(codec: .vp8)
        forwarder.setTarget(LayerTarget(simulcast: 0, temporal: 0))
        let packets = (0..<8).flatMap { _ in source.next(random: &random) }.filter { $0.input.simulcastLayer == 0 }
        var outgoing: [UInt64] = []
        var padding = packets[0].input
        for packet in packets {
            var input = packet.input
            // A padding packet after each.
            input.sequence = packet.input.sequence * 2
            if case .forward(let rewrite) = forwarder.offer(input) { outgoing.append(rewrite.sequence) }
            padding.sequence = input.sequence + 1
            padding.payloadLength = 0
            if case .drop(.empty) = forwarder.offer(padding) {} else { #expect(Bool(false), "padding is dropped") }
        }
        #expect(outgoing == Array(outgoing[0]..<(outgoing[0] + UInt64(outgoing.count))))
        // Padding was missing, and a later packet went out above the number kept for it.
        var next = padding
        next.sequence += 2
        next.payloadLength = 10
        next.timestamp &+= 90_000
        next.frame.temporal = 0
        next.frame.pictureID = (next.frame.pictureID + 40) & 0x7FFF
        guard case .forward(let after) = forwarder.offer(next) else { return #expect(Bool(false)) }
        padding.sequence = next.sequence - 1
        #expect(forwarder.unsentSource(of: after.sequence - 1)?.sequence == padding.sequence)
        guard case .fillGap(let fill) = forwarder.offer(padding) else { return #expect(Bool(false)) }
        #expect(fill.sequence == after.sequence - 1)
    }

    @Test func `a leap of sequence numbers is one missing packet and a wish for a keyframe`() {
        var random = SplitMix(seed: 8)
        var source = SyntheticSimulcast(random: &random, tellsClock: false)
        var forwarder = VideoForwarder(codec: .vp8)
        forwarder.setTarget(LayerTarget(simulcast: 0))
        var last: UInt64 = 0
        for packet in source.next(random: &random) {
            if case .forward(let rewrite) = forwarder.offer(packet.input) { last = rewrite.sequence }
        }
        let leaping = source.next(random: &random).first { $0.input.simulcastLayer == 0 }
        guard var input = leaping?.input else { return #expect(Bool(false)) }
        input.sequence += 30_000
        guard case .forward(let rewrite) = forwarder.offer(input) else { return #expect(Bool(false)) }
        #expect(rewrite.sequence == last + 2)
        #expect(forwarder.wantsKeyframe == 0)
    }

    @Test func `a forwarder is trivial and small`() {
        #expect(_isPOD(VideoForwarder.self) && _isPOD(AudioForwarder.self))
        #expect(_isPOD(ForwardInput.self) && _isPOD(Rewrite.self) && _isPOD(VideoFrameInfo.self))
        #expect(MemoryLayout<VideoForwarder>.size <= 288)
        #expect(MemoryLayout<VideoFrameInfo>.size <= 64)
        #expect(SentHistory.byteCount() == 24_576)
    }
}
