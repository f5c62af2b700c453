import Base
import TestKit
import Testing
import Wire

@testable import Media

/// Spatial layers in one stream, told by a dependency descriptor or by VP9's own.
@Suite struct LayeredForwarderTests {
    private struct Run {
        var receiver = SyntheticReceiver()
        var lost: Set<[Int]> = []
        var combinations: Set<[UInt8]> = []
        var keyframes = 0
    }

    private func run(seed: UInt64, keyOnly: Bool, loss: Int, late: Int, pictures: Int = 600) -> Run {
        var random = SplitMix(seed: seed)
        var source = SyntheticLayers(keyOnly: keyOnly)
        var network = SyntheticNetwork(lossPercent: loss, latePercent: late)
        var forwarder = VideoForwarder(codec: .av1)
        forwarder.setTarget(LayerTarget(simulcast: 0))
        var run = Run()
        for picture in 0..<pictures {
            if picture % 17 == 16 {
                forwarder.setTarget(
                    LayerTarget(
                        simulcast: 0, spatial: .random(in: 0...2, using: &random),
                        temporal: .random(in: 0...2, using: &random),
                        paused: Int.random(in: 0..<12, using: &random) == 0))
            }
            if picture % 6 == 0 && forwarder.wantsKeyframe != nil {
                source.keyframeWanted = true
                run.keyframes += 1
            }
            for packet in network.pass(source.next(random: &random), random: &random) {
                let verdict = forwarder.offer(packet.input)
                run.receiver.take(verdict, packet)
                if case .forward(let rewrite) = verdict {
                    run.combinations.insert([rewrite.spatial, rewrite.temporal])
                }
            }
        }
        for packet in network.lost { run.lost.insert([0, packet.frame]) }
        return run
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>, [false, true])
    func `any change of layers leaves every frame with its references`(seed: UInt64, keyOnly: Bool) {
        let run = run(seed: seed, keyOnly: keyOnly, loss: 0, late: 0)
        #expect(run.receiver.packets.count > 400 && run.combinations.count >= 5)
        #expect(run.receiver.gaps == 0)
        run.receiver.checkLine()
        run.receiver.checkReferences(lost: [])
        run.receiver.checkMarkers()
        checkFrameNumbers(run.receiver)
    }

    @Test(arguments: 20...40 as ClosedRange<UInt64>, [false, true])
    func `loss and reordering break nothing that was not lost`(seed: UInt64, keyOnly: Bool) {
        let run = run(seed: seed, keyOnly: keyOnly, loss: 2, late: 3)
        #expect(run.receiver.packets.count > 300)
        run.receiver.checkLine()
        checkFrameNumbers(run.receiver)
    }

    /// References are distances: the numbers of frames that go out must be as far apart as those that came in, between
    /// pauses.
    private func checkFrameNumbers(_ receiver: SyntheticReceiver) {
        var last: SyntheticReceiver.Received?
        for packet in receiver.inOrder where !packet.isEmpty {
            if let last {
                let step = Int(Int16(bitPattern: packet.frameNumber &- last.frameNumber))
                let isResumed = packet.references.isEmpty && step == 1
                #expect(step == packet.frame - last.frame || isResumed, "at \(packet.sequence)")
            }
            last = packet
        }
    }

    @Test func `fewer spatial layers need no keyframe when all layers build on those below`() {
        var random = SplitMix(seed: 7)
        var source = SyntheticLayers(keyOnly: false)
        var forwarder = VideoForwarder(codec: .av1)
        forwarder.setTarget(LayerTarget(simulcast: 0))
        for picture in 0..<40 {
            if picture == 20 { forwarder.setTarget(LayerTarget(simulcast: 0, spatial: 0, temporal: 1)) }
            for packet in source.next(random: &random) { _ = forwarder.offer(packet.input) }
            #expect(forwarder.wantsKeyframe == nil)
        }
        #expect(forwarder.spatial == 0 && forwarder.temporal == 1)
        forwarder.setTarget(LayerTarget(simulcast: 0))
        for packet in source.next(random: &random) { _ = forwarder.offer(packet.input) }
        #expect(forwarder.wantsKeyframe == 0, "but more do")
    }

    @Test func `fewer spatial layers wait for a keyframe when layers are independent after it`() {
        var random = SplitMix(seed: 7)
        var source = SyntheticLayers(keyOnly: true)
        var forwarder = VideoForwarder(codec: .av1)
        forwarder.setTarget(LayerTarget(simulcast: 0))
        for picture in 0..<40 {
            if picture == 20 { forwarder.setTarget(LayerTarget(simulcast: 0, spatial: 0, temporal: 0)) }
            for packet in source.next(random: &random) { _ = forwarder.offer(packet.input) }
        }
        #expect(forwarder.spatial == 2 && forwarder.temporal == 0, "fewer pictures at once, all the same")
        #expect(forwarder.wantsKeyframe == 0)
        source.keyframeWanted = true
        for packet in source.next(random: &random) { _ = forwarder.offer(packet.input) }
        #expect(forwarder.spatial == 0 && forwarder.wantsKeyframe == nil)
    }

    @Test func `the mask of active decode targets is written with the structure and at a change`() throws {
        var random = SplitMix(seed: 7)
        var source = SyntheticLayers(keyOnly: false)
        var forwarder = VideoForwarder(codec: .av1)
        forwarder.setTarget(LayerTarget(simulcast: 0, spatial: 1))
        var written: [UInt32] = []
        for picture in 0..<30 {
            if picture == 10 { forwarder.setTarget(LayerTarget(simulcast: 0, spatial: 0)) }
            for packet in source.next(random: &random) {
                guard case .forward(let rewrite) = forwarder.offer(packet.input), rewrite.writesDecodeTargets,
                    let element = packet.descriptor
                else { continue }
                var output = Bytes(repeating: 0, count: 200)
                var span = output.mutableSpan
                var bytes = span.mutableBytes
                let length = try rewrite.writeDescriptor(
                    from: element.span.bytes, structure: source.structure, into: &bytes)
                var structure = source.structure
                _ = try DependencyDescriptor(parsing: output.span.bytes.extracting(0..<length), structure: &structure)
                written.append(structure.activeDecodeTargets)
            }
        }
        #expect(written == [0x3F, 0x07])
    }

    // MARK: VP9

    /// Pictures of three spatial layers; only keyframes have P unset.
    private func vp9(_ picture: Int, spatial: UInt8, sequence: UInt64, isKeyframe: Bool) -> ForwardInput? {
        let temporal: UInt8 = isKeyframe ? 0 : [0, 2, 1, 2][picture % 4]
        let first: UInt8 = 0x80 | (isKeyframe ? 0 : 0x40) | 0x20 | 0x0C
        let payload: Bytes = [
            first, 0x80 | UInt8(picture >> 8 & 0x7F), UInt8(picture & 0xFF),
            temporal << 5 | 0x10 | spatial << 1 | (spatial > 0 ? 1 : 0), UInt8(picture / 4 & 0xFF), 7,
        ]
        var structure = DependencyStructure()
        guard
            let frame = try? VideoFrameInfo.read(
                .vp9, payload: payload.span.bytes, descriptor: nil, structure: &structure)
        else { return nil }
        return ForwardInput(
            sequence: sequence, timestamp: UInt32(picture) * 3_000, marker: spatial == 2, frame: frame,
            arrival: Instant(nanoseconds: UInt64(picture) * 33_000_000), payloadLength: payload.count)
    }

    @Test func `spatial layers of VP9 go down at a picture and up at a keyframe, with the marker on the last`() throws {
        var forwarder = VideoForwarder(codec: .vp9)
        var sequence: UInt64 = 60_000
        var layersOfPicture: [Int: Set<UInt8>] = [:]
        var outgoing: [UInt64] = []
        for picture in 0..<60 {
            forwarder.setTarget(LayerTarget(simulcast: 0, spatial: (20..<40).contains(picture) ? 0 : 2))
            if picture == 42 { #expect(forwarder.wantsKeyframe == 0) }
            for spatial in UInt8(0)..<3 {
                sequence += 1
                let input = try #require(
                    vp9(picture, spatial: spatial, sequence: sequence, isKeyframe: picture == 0 || picture == 50))
                guard case .forward(let rewrite) = forwarder.offer(input) else { continue }
                layersOfPicture[picture, default: []].insert(spatial)
                outgoing.append(rewrite.sequence)
                #expect(rewrite.marker == (spatial == ((20..<50).contains(picture) ? 0 : 2)))
                #expect(rewrite.pictureID == UInt16(picture), "distances between pictures stay")
            }
        }
        for picture in 0..<60 {
            #expect(layersOfPicture[picture] == ((20..<50).contains(picture) ? [0] : [0, 1, 2]))
        }
        #expect(outgoing == Array(outgoing[0]..<(outgoing[0] + UInt64(outgoing.count))))
        #expect(outgoing[0] < 0x8000)
    }
}
